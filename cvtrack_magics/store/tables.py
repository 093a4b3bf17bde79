"""A run's files as they are known here: tables that grow, listings, copies."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvtrack_magics.store.client import mlflow


def merged(path: str, before: bytes | None, now: Path) -> bytes:
    """Return a table with the rows of before ahead of those of now, as MLflow lays it out."""
    if before is None:
        return now.read_bytes()
    import pandas

    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        old, both = Path(folder, "old" + Path(path).suffix), Path(folder, "both")
        old.write_bytes(before)
        if path.endswith(".json"):
            first, second = (json.loads(item.read_text("utf-8")) for item in (old, now))
            if first["columns"] == second["columns"]:
                rows = {"columns": first["columns"], "data": first["data"] + second["data"]}
                return json.dumps(rows).encode()
            frames = [pandas.DataFrame(t["data"], columns=t["columns"]) for t in (first, second)]
            frame = pandas.concat(frames, ignore_index=True)
            frame.to_json(both, orient="split", index=False, date_format="iso")
        else:
            frame = pandas.concat([pandas.read_parquet(old), pandas.read_parquet(now)])
            frame.to_parquet(both, index=False)
        return both.read_bytes()


def listing(files: Mapping[str, Path], folder: str | None) -> list[Any]:
    """Return what is directly in a folder of a run, as MLflow lists it."""
    info = mlflow().entities.FileInfo
    start = f"{folder.strip('/')}/" if folder and folder.strip("/") else ""
    found: dict[str, Any] = {}
    for path, file in files.items():
        if path.startswith(start):
            first, deeper, _ = path[len(start) :].partition("/")
            size = None if deeper else file.stat().st_size
            found[start + first] = info(start + first, bool(deeper), size)
    return [found[path] for path in sorted(found)]


def copied(files: Mapping[str, Path], path: str, target: str | None) -> str:
    """Copy a file or a folder of a run to a local folder; return where it is."""
    root = Path(target or tempfile.mkdtemp())
    wanted = path.strip("/")
    some = {
        name: file
        for name, file in files.items()
        if not wanted or name == wanted or name.startswith(wanted + "/")
    }
    if not some:
        raise FileNotFoundError(f"No such artifact on this disk: {path!r}; the store is away.")
    for name, file in some.items():
        place = root.joinpath(*name.split("/"))
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    return str(root / wanted)


def artifact_uri_of(run_id: str) -> str:
    """Return where the files of a run go that is active in this thread; empty when it is not."""
    active = mlflow().tracking.fluent._active_run_stack
    stack = active.get() if hasattr(active, "get") else active
    return next((str(r.info.artifact_uri or "") for r in stack if r.info.run_id == run_id), "")
