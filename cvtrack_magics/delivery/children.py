"""What worker processes log: each to streams of its own, beside those of its parent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cvtrack_magics.journal.points import Cursor
from cvtrack_magics.journal.stored import GrowingStream, stream_files
from cvtrack_magics.system import os, time


def child_names() -> tuple[str, str]:
    """Return new names for this process's streams in the folder of a run of its parent."""
    mark = f"{os.getpid()}x{time.time_ns():x}"  # numbers of processes come again
    return f"p{mark}", f"q{mark}"


def pids_in(folder: Path) -> set[int]:
    """Return the numbers of the other processes that have written to a run's folder."""
    try:
        names = list(stream_files(folder))
    except OSError:
        return set()
    found = {name[1:].partition("x")[0] for name in names if name[0] in "pq"}
    return {int(number) for number in found if number.isdigit()} - {os.getpid()}


class ChildStreams:
    """One reader of what worker processes add to a run's folder.

    Parameters
    ----------
    folder : Path or None
        The run's folder.
    own : tuple of str
        The streams that this process writes itself.
    places : mapping, optional
        The segment of each stream, and the offset in it, that an earlier reader got to.
    """

    def __init__(
        self,
        folder: Path | None,
        own: tuple[str, str],
        places: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self._folder = folder
        self._own = own
        self._places = places or {}
        self._streams: dict[str, GrowingStream] = {}

    def look(self) -> dict[str, Cursor]:
        """Take up what was added; return readers of the streams that are new."""
        if self._folder is None:
            return {}
        try:
            files = stream_files(self._folder)
        except OSError:
            return {}
        new = {}
        for name in [name for name in files if name not in self._own]:
            if name not in self._streams:
                self._streams[name] = GrowingStream(self._folder, name)
                new[name] = Cursor(self._streams[name], self._places.get(name, (0, 0)))
            self._streams[name].look(files)
        return new
