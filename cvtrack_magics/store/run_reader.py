"""Reads back what a run has, for those who judge it."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.run_files import RunFiles
from cvtrack_magics.text import json_object

MOST_FILES = 100_000
"""Files and folders of a run."""
MOST_LEVELS = 64
MOST_TEXT = 2_000_000_000
"""Bytes of all texts of a run that are read."""

Seen = tuple[float, int, int]
"""Value, step and Unix milliseconds of the last point of a metric."""


@dataclass(frozen=True, slots=True)
class StoredInput:
    """A data set that a run has as its input; ``digest`` is the full one where it is known.

    It is ``""`` of data that was not identified. ``samples`` is the digest of the same samples
    in any order; ``""`` of older runs.
    """

    name: str
    context: str
    digest: str
    source: str
    samples: str = ""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """All that the store says of a run; times are Unix milliseconds, 0 where there is none.

    ``files`` are its artifacts with their bytes; ``texts`` the content of those asked for. One
    that ``is_deleted`` lies in the trash, whence it can be restored.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    started: int
    ended: int
    user: str
    metrics: Mapping[str, Seen]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    inputs: tuple[StoredInput, ...]
    files: Mapping[str, int]
    texts: Mapping[str, str]
    is_deleted: bool = False


def read_run(uri: str, run_id: str, wanted: Callable[[str, int], bool]) -> StoredRun:
    """Read a run.

    Parameters
    ----------
    uri : str
        The tracking store.
    run_id : str
        The run's id.
    wanted : callable
        Told a path and its bytes, says whether the text is to be read.

    Raises
    ------
    CvtrackError
        It has more than ``MOST_FILES``, ``MOST_LEVELS`` or ``MOST_TEXT``: who judges a part
        of a run could be shown the good part.
    """
    client = client_of(uri)
    with quietly():
        run = client.get_run(run_id)
        experiment = str(client.get_experiment(run.info.experiment_id).name)
        kept = RunFiles(client, uri, run_id)
        files = dict(_walk(kept))
        texts = dict(_texts(kept, [p for p, size in files.items() if wanted(p, size)]))
    return stored_run(run, experiment, files, texts)


def stored_run(
    run: Any, experiment: str, files: Mapping[str, int], texts: Mapping[str, str]
) -> StoredRun:
    """Return what MLflow's picture of a run says, with its files and the texts of some."""
    info, data = run.info, run.data
    return StoredRun(
        run_id=str(info.run_id),
        name=str(info.run_name or info.run_id[:8]),
        experiment=experiment,
        status=str(info.status),
        started=int(info.start_time or 0),
        ended=int(info.end_time or 0),
        user=str(data.tags.get("mlflow.user", "")),
        # the public mapping has values only
        metrics={
            str(m.key): (float(m.value), int(m.step), int(m.timestamp)) for m in data._metric_objs
        },
        params=dict(data.params),
        tags=dict(data.tags),
        inputs=tuple(_inputs(run)),
        files=files,
        texts=texts,
        is_deleted=str(info.lifecycle_stage) == "deleted",
    )


def _walk(kept: RunFiles) -> Iterator[tuple[str, int]]:
    """Yield the files, those of the top first; a folder that lists itself is listed once."""
    seen, left = {""}, MOST_FILES
    folders = deque([("", 0)])
    while folders:
        folder, level = folders.popleft()
        for item in kept.listed(folder):
            path = item.path
            left -= 1
            if left < 0 or level >= MOST_LEVELS:
                raise _too_large(f"{MOST_FILES:,} files or {MOST_LEVELS} levels of folders")
            if not item.is_dir:
                yield path, item.size
            elif path not in seen:
                seen.add(path)
                folders.append((path, level + 1))


def _too_large(what: str) -> CvtrackError:
    return CvtrackError(
        f"The run has more than {what}: it is not read.",
        "Keep what is large as data, beside the run.",
    )


def _texts(kept: RunFiles, paths: list[str]) -> Iterator[tuple[str, str]]:
    left = MOST_TEXT
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        for path in paths:
            found = kept.download(path, Path(folder))
            left -= found.stat().st_size  # the size that was listed is only said
            if left < 0:
                raise _too_large(f"{MOST_TEXT // 1_000_000:,} MB of texts")
            yield path, found.read_bytes().decode("utf-8", "replace")


def _digest(profile: dict[str, Any], short: str) -> str:
    """Return a data set's full digest; ``""`` of one that was not identified."""
    if str(profile.get("identity") or "").startswith("not "):
        return ""
    return str(profile.get("sha256") or short)


def _inputs(run: Any) -> Iterator[StoredInput]:
    found = run.inputs.dataset_inputs if getattr(run, "inputs", None) else ()
    for item in found:
        tags = {tag.key: tag.value for tag in item.tags}
        profile = json_object(item.dataset.profile)
        source = json_object(item.dataset.source)
        yield StoredInput(
            name=str(item.dataset.name),
            context=str(tags.get("mlflow.data.context", "")),
            digest=_digest(profile, item.dataset.digest),
            source=str(source.get("uri", "")),
            samples=str(profile.get("samples_sha256") or ""),
        )
