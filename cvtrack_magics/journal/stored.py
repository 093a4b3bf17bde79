"""Segments as another process left them, or still writes them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.journal.rows import SegmentReader, size_of, version_of

_SEGMENT = re.compile(r"(?P<stream>[a-z][a-z0-9]*)-(?P<number>[0-9]{6,9})\.rows")


@dataclass(frozen=True, slots=True)
class Damage:
    """What could not be read of a run's journal: which file, and how much of it.

    ``size`` is in bytes; 0 for a file that cannot be read at all.
    """

    file: str
    size: int
    why: str

    def __str__(self) -> str:
        much = f"{self.size:,} bytes of {self.file}" if self.size else self.file
        return f"{much} {self.why}"


class StoredSegment:
    """A segment on disk. ``end`` is 0 while rows may be added to it."""

    def __init__(self, data: bytes, end: int) -> None:
        self.data = data
        self.end = end


class StoredStream:
    """The segments of one stream that another process left, by number.

    Parameters
    ----------
    files : sequence of (int, Path)
        Number and file of each segment.
    first : int
        The first segment that is expected; those before it were sent and dropped.
    end : tuple of int, optional
        The last segment, and the offset in it that its process got to, where that is known.
    """

    def __init__(
        self,
        files: Sequence[tuple[int, Path]],
        first: int = 0,
        end: tuple[int, int] = (-1, 0),
    ) -> None:
        self.segments: dict[int, StoredSegment] = {}
        self.damage: dict[tuple[str, int], Damage] = {}
        """By file and offset, so that who reads twice tells once."""
        self.segment: StoredSegment | None = None
        self.at = 0
        self._paths = dict(files)
        self._last, self._stop = end
        self._take(last_is_whole=True)
        for number in range(first, max([*self._paths, self._last], default=-1) + 1):
            if number not in self._paths:
                self._note(f"segment {number}", 0, 0, "is missing")

    def _take(self, *, last_is_whole: bool) -> None:
        last = max(self._paths, default=0)
        for number, path in sorted(self._paths.items()):
            known = self.segments.get(number)
            if known is not None and known.end:
                continue
            data = read_regular(path)
            if data is None:
                self._note(path.name, 0, 0, "cannot be read")
                continue
            sealed = number < last or last_is_whole
            if known is not None:
                known.data, known.end = data, len(data) if sealed else 0
            elif version_of(data):
                self.segments[number] = StoredSegment(data, len(data) if sealed else 0)
                if sealed and len(data) < size_of(data):
                    self._note(path.name, len(data), size_of(data) - len(data), "are cut off")
            elif sealed:
                self._note(path.name, 0, len(data), "have no header that can be read")
        self.segment = self.segments.get(last)
        self.at = len(self.segment.data) if self.segment is not None else 0

    def pass_damage(self, number: int, reader: SegmentReader) -> bool:
        """Take a reader to the next whole row of a segment; False when there is none.

        What it passes over is noted. The last row of a stream may lack its check, because
        the process ended while it wrote; that is no damage.
        """
        name, start = self._paths[number].name, reader.at
        lacking = self._stop - start if number == self._last else 0
        if reader.rest_is_blank:
            if lacking > 0:
                self._note(name, start, lacking, "are blank")
            return False
        if number == max(self._paths) and lacking <= 0 and reader.rest_is_unfinished:
            return False
        passed = reader.resume_after_damage()
        left = passed or len(bytes(reader.data[start:]).rstrip(b"\0"))
        self._note(name, start, left, "are damaged")
        return passed > 0

    def _note(self, file: str, at: int, size: int, why: str) -> None:
        self.damage[file, at] = Damage(file, size, why)


class GrowingStream(StoredStream):
    """A stream that another process, a forked child for one, still writes.

    Parameters
    ----------
    folder : Path
        The run's folder.
    name : str
        What the segments' files begin with.
    """

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(())
        self._folder, self._name = folder, name
        self._forgotten = 0

    def look(self, files: Mapping[str, Sequence[tuple[int, Path]]] | None = None) -> None:
        """Take up what was added since the last time; ``files`` are those of the folder now."""
        files = stream_files(self._folder) if files is None else files
        found = files.get(self._name, ())
        self._paths.update((n, path) for n, path in found if n >= self._forgotten)
        self._take(last_is_whole=False)

    def forget(self, before: int) -> None:
        """Let go of the segments before one, which every reader is done with."""
        self._forgotten = max(self._forgotten, before)
        for number in [n for n in self._paths if n < before]:
            del self._paths[number]
            self.segments.pop(number, None)


def stream_files(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """Return number and file of each segment in a run's folder, by stream."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for name in sorted(os.listdir(folder)):
        match = _SEGMENT.fullmatch(name)
        if match is not None:
            found.setdefault(match["stream"], []).append((int(match["number"]), folder / name))
    return found


def read_regular(path: Path) -> bytes | None:
    """Return a file's bytes; None when it is none, or cannot be read.

    A pipe, a device, a folder and a link are not read: what they give would not be ours,
    or would never come.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with open(handle, "rb", closefd=False) as file:
            return file.read()
    except OSError:
        return None
    finally:
        os.close(handle)
