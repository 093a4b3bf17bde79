"""Whose each stored name of a metric is, for all processes that write into one run.

Two metrics whose names the store takes for one are told apart by who comes second, and that may
be another process: a worker, or the run's own. So the first to use a stored name writes down what
for, in a file beside the run's points; names are few, and each process asks once for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cvtrack_magics import forks
from cvtrack_magics.journal import liveness
from cvtrack_magics.plainjson import dumps
from cvtrack_magics.system import os, time
from cvtrack_magics.text import json_object

FILE = "names.jsonl"
PATIENCE = 0.2  # seconds to wait for another process; then this one goes by what it knows


class Claims:
    """The file of a run in which each stored name is claimed for one metric.

    Parameters
    ----------
    folder : Path
        The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._taken: dict[str, str] = {}
        self._at = 0
        self._lock = forks.rlock()

    def claim(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Claim stored names, each for a metric; return whose they are.

        Where the file cannot be had, that is as asked for.
        """
        try:
            with self._lock, _held(self._path) as handle:
                self._read(handle)
                new = {key: name for key, name in wanted.items() if key not in self._taken}
                if new:
                    lines = [dumps({"stored": key, "name": new[key]}) for key in new]
                    # what a process left half written is ended by the first sign
                    os.write(handle, ("\n" + "\n".join(lines) + "\n").encode())
                    self._taken.update(new)
        except OSError:
            return dict(wanted)
        return {key: self._taken[key] for key in wanted}

    def all(self) -> dict[str, str]:
        """Return whose each stored name is, of all processes."""
        self.claim({})
        return dict(self._taken)

    def _read(self, handle: int) -> None:
        os.lseek(handle, self._at, os.SEEK_SET)
        parts = []
        while part := os.read(handle, 1 << 20):
            parts.append(part)
            self._at += len(part)
        for line in b"".join(parts).splitlines():
            said = json_object(line.decode("utf-8", "replace")) if line else {}
            stored, name = said.get("stored"), said.get("name")
            if isinstance(stored, str) and isinstance(name, str):
                self._taken.setdefault(stored, name)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags, 0o600)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                liveness.lock(handle)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.001)
        yield handle
    finally:
        os.close(handle)
