"""Copies the files of a run or a model from one store to another, each once."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cvtrack_magics.store.asking import said_by
from cvtrack_magics.store.error_kinds import is_denied

MOST_LEVELS = 64
MOST_FAILED = 20  # files of a run, after which it is the store that fails


def listed(repository: Any) -> dict[str, int | None]:
    """Return all files by their paths, with their bytes where the store says them."""
    found: dict[str, int | None] = {}
    ahead: list[tuple[str | None, int]] = [(None, 0)]
    while ahead:
        folder, level = ahead.pop()
        for item in repository.list_artifacts(folder):
            path = str(item.path)
            if not item.is_dir:
                found[path] = item.file_size
            elif level < MOST_LEVELS and path != folder:
                ahead.append((path, level + 1))
    return found


def copy(source: Any, target: Any, *, is_new: bool) -> tuple[int, list[str]]:
    """Copy what the target does not have yet, or has in another size.

    Returns
    -------
    tuple of int and list of str
        How many files were copied, and a line for each that could not be.
    """
    wanted = listed(source)
    if not wanted:
        return 0, []
    there = {} if is_new else listed(target)
    missing = [path for path, size in wanted.items() if not _is_among(there, path, size)]
    failed: dict[str, str] = {}
    for path in missing:
        try:
            _copy_one(source, target, path)
        except Exception as error:
            if is_denied(error):
                raise
            failed[path] = said_by(error)
            if len(failed) > MOST_FAILED:
                raise
    if missing:
        there = listed(target)
    lost = [path for path in missing if not _is_among(there, path, wanted[path])]
    lines = [f"{path!r}: {failed.get(path) or 'the store does not list it'}" for path in lost]
    return len(missing) - len(lost), lines


def _is_among(there: dict[str, int | None], path: str, size: int | None) -> bool:
    # a server reads the escapes of a path
    name = path if path in there else unquote(path)
    return name in there and (there[name] is None or size is None or there[name] == size)


def _copy_one(source: Any, target: Any, path: str) -> None:
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or "\\" in path:
        raise ValueError("this is no path below the run")
    folder, _, name = path.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="cvtrack-move-") as place:
        here = Path(place, name)
        if isinstance(getattr(source, "artifact_dir", None), str):
            # MLflow reads escapes in the path, also where the file's name has them
            shutil.copyfile(Path(source.artifact_dir, *parts), here)
        else:
            source._download_file(path, str(here))
        target.log_artifact(str(here), folder or None)


def of_run(client: Any, run_id: str) -> Any:
    """Return where the files of a run are."""
    return client._tracking_client._get_artifact_repo(run_id)


def of_model(client: Any, model_id: str) -> Any:
    """Return where the files of a logged model are."""
    return client._tracking_client._get_artifact_repo(model_id, resource="logged_model")
