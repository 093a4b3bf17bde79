"""Segments as another process left them, or still writes them."""

from __future__ import annotations

import re
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.journal.rows import HEADER_ROOM, VERSION, SegmentReader, header_of, version_said
from cvtrack_magics.system import os

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
    made, sent : collection of int
        Which segments there were, and which of them were deleted since the store has them.
    name : str, optional
        The stream's, for files that lie under other names than they should.
    """

    def __init__(
        self,
        files: Sequence[tuple[int, Path]],
        first: int = 0,
        end: tuple[int, int] = (-1, 0),
        *,
        made: Collection[int] = (),
        sent: Collection[int] = (),
        name: str = "",
    ) -> None:
        self._name = name
        self.segments: dict[int, StoredSegment] = {}
        self.damage: dict[tuple[str, int], Damage] = {}
        """By file and offset, so that who reads twice tells once."""
        self.segment: StoredSegment | None = None
        self.at = 0
        self._paths = dict(files)
        self._last, self._stop = end
        self._take(last_is_whole=True)
        for number in range(first, max([*self._paths, *made, self._last], default=-1) + 1):
            if number not in self._paths and number not in sent:
                which = f"{self._name}-{number:06d}" if self._name else str(number)
                self._note(f"segment {which}", 0, 0, "is missing")

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
            else:
                self._begin(number, path, data, len(data) if sealed else 0)
        self.segment = self.segments.get(last)
        self.at = len(self.segment.data) if self.segment is not None else 0

    def _begin(self, number: int, path: Path, data: bytes, end: int) -> None:
        """Take a segment up, if it is one that belongs here."""
        head = header_of(data)
        if head is not None:
            expected = f"{self._name}-{number:06d}" if self._name else path.stem
            if head.place not in ("", f"{path.parent.name}/{expected}"):
                self._note(path.name, 0, 0, _whose(head.place, path))
                return
            self.segments[number] = StoredSegment(data, end)
            if end and len(data) < head.size:
                self._note(path.name, len(data), head.size - len(data), "are cut off")
        elif version_said(data) > VERSION:
            why = f"are of a newer format ({version_said(data)}), which this version cannot read"
            self._note(path.name, 0, len(data), why)
        elif end or not data:
            self._note(path.name, 0, len(data), "have no header that can be read")

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
        super().__init__((), name=name)
        self._folder = folder
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


def _whose(place: str, path: Path) -> str:
    """Say whose a segment is that does not belong where it lies."""
    folder, _, name = place.rpartition("/")
    if folder != path.parent.name:
        return f"is a segment of another run ({folder}: {name})"
    return f"is a copy of segment {name}"


def segment_of(name: str) -> tuple[str, int] | None:
    """Return stream and number of a segment by its file's name; None of what is none."""
    match = _SEGMENT.fullmatch(name)
    return None if match is None else (match["stream"], int(match["number"]))


def stream_files(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """Return number and file of each segment in a run's folder, by stream."""
    found: dict[str, list[tuple[int, Path]]] = {}
    for name in sorted(os.listdir(folder)):
        segment = segment_of(name)
        if segment is not None:
            found.setdefault(segment[0], []).append((segment[1], folder / name))
    return found


def files_by_header(folder: Path) -> dict[str, list[tuple[int, Path]]]:
    """Return the segments of a folder that nobody writes any more, by stream.

    One that lies under another name is taken for what its header says, unless the segment of
    that name is there itself.
    """
    # others are not opened: closing the claim's file would end the claim itself
    names = [name for name in sorted(os.listdir(folder)) if ".rows" in name]
    said = {name: _named_by_header(folder / name) for name in names}
    at_home = {name for name in names if said[name] in (name, "") and segment_of(name)}
    taken: dict[tuple[str, int], Path] = {}
    for name in sorted(names, key=lambda name: name not in at_home):
        for segment in (segment_of(said[name]), segment_of(name)):
            if segment is not None and segment not in taken:
                taken[segment] = folder / name
                break
    found: dict[str, list[tuple[int, Path]]] = {}
    for (stream, number), path in sorted(taken.items()):
        found.setdefault(stream, []).append((number, path))
    return found


def _named_by_header(path: Path) -> str:
    """Return the name that a segment of this run says it has; empty for anything else."""
    head = header_of(read_regular(path, HEADER_ROOM) or b"")
    if head is None:
        return ""
    folder, _, name = head.place.rpartition("/")
    return f"{name}.rows" if folder == path.parent.name else ""


def read_regular(path: Path, most: int = -1) -> bytes | None:
    """Return a file's bytes, all or the first; None when it is none, or cannot be read.

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
            return file.read(most)
    except OSError:
        return None
    finally:
        os.close(handle)
