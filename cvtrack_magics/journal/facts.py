"""Params, tags, datasets, artifacts and the end of a run, as lines of JSON and files."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.records import (
    Artifact,
    Call,
    Dataset,
    End,
    Metric,
    Param,
    Record,
    Replaces,
    Tag,
)

FILE = "facts.jsonl"
FILES = "files"

_KINDS: dict[str, Callable[..., Record | End]] = {
    "param": Param,
    "tag": Tag,
    "metric": Metric,
    "dataset": Dataset,
    "replaces": Replaces,
    "call": Call,
    "end": End,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True, slots=True)
class Batch:
    """Facts that were recorded together.

    ``number`` counts the batches of a run from 1. ``files`` is a folder whose content is
    laid out as the run's artifacts are to be; an artifact that found no room on disk is
    among ``records`` instead.
    """

    number: int
    records: tuple[Record, ...]
    files: Path | None = None
    end: End | None = None


class FactLog:
    """Appends batches to a run's folder.

    Parameters
    ----------
    folder : Path or None
        The run's folder; None keeps the batches in memory.
    no_room : callable
        Told when something could not be written; the batch then lives in memory.
    """

    def __init__(self, folder: Path | None, no_room: Callable[[OSError], None]) -> None:
        self._folder = folder
        self._no_room = no_room
        self._lock = threading.Lock()
        self._count = 0

    def add(self, records: Sequence[Record], end: End | None = None) -> Batch:
        """Keep a batch; return it as it is to be sent."""
        with self._lock:
            self._count += 1
            number = self._count
            if self._folder is None:
                return Batch(number, tuple(records), None, end)
            files = self._folder / FILES / f"{number:06d}"
            plain = [item for item in records if not isinstance(item, Artifact)]
            artifacts = [item for item in records if isinstance(item, Artifact)]
            try:
                lay_out(artifacts, files)
                kept = files if artifacts else None
                self._append(number, [*plain, *([end] if end else [])], kept)
            except OSError as error:
                self._no_room(error)
                with suppress(OSError):
                    shutil.rmtree(files, ignore_errors=True)
                return Batch(number, tuple(records), None, end)
            return Batch(number, tuple(plain), kept, end)

    def _append(self, number: int, items: Iterable[Record | End], files: Path | None) -> None:
        assert self._folder is not None
        entry = {
            "batch": number,
            "files": files.name if files else "",
            "records": [[_NAMES[type(item)], asdict(item)] for item in items],
        }
        line = memoryview((json.dumps(entry) + "\n").encode())
        handle = os.open(self._folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            start = os.fstat(handle).st_size
            try:
                while line:
                    line = line[os.write(handle, line) :]
            except OSError:
                os.ftruncate(handle, start)
                raise
        finally:
            os.close(handle)


def lay_out(artifacts: Iterable[Artifact], folder: Path) -> None:
    """Write artifacts into a folder, by their paths in the run."""
    for artifact in artifacts:
        target = folder.joinpath(*artifact.path.split("/"))
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if artifact.source is not None:
            shutil.copyfile(artifact.source, target)
        elif isinstance(artifact.content, bytes):
            target.write_bytes(artifact.content)
        else:
            target.write_text(artifact.content or "", encoding="utf-8", errors="replace")


def read_batches(folder: Path) -> list[Batch]:
    """Return the batches of a run's folder; a line that is not whole is the end of them."""
    batches = []
    try:
        lines = (folder / FILE).read_bytes().split(b"\n")
    except OSError:
        return []
    for line in lines:
        try:
            entry = json.loads(line)
            items = [_revive(kind, fields) for kind, fields in entry["records"]]
            number, files = int(entry["batch"]), str(entry["files"])
        except (ValueError, KeyError, TypeError):
            break
        batches.append(
            Batch(
                number,
                tuple(item for item in items if item is not None and not isinstance(item, End)),
                folder / FILES / Path(files).name if files else None,
                next((item for item in items if isinstance(item, End)), None),
            )
        )
    return batches


def _revive(kind: str, fields: dict[str, Any]) -> Record | End | None:
    """Make a record again; one of a kind that this version does not know is passed over."""
    make = _KINDS.get(kind)
    return make(**fields) if make is not None else None
