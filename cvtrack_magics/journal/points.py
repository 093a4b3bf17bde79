"""Where ``log()`` writes: a packed row in mapped memory, which outlives the process."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cvtrack_magics.journal.rows import (
    COMMIT,
    HEADER,
    MOST_SETS,
    Rows,
    SegmentReader,
    definition,
    is_segment,
    row_struct,
)
from cvtrack_magics.journal.segments import FIRST_BYTES, MORE_BYTES, Segment

# what packing says to a set that is new, a step or value that is no number, and a full segment
_NOT_THIS_WAY = (AttributeError, KeyError, TypeError, struct.error)

NoRoom = Callable[[OSError], None]


class MetricSet:
    """The metrics of one call of ``log()``, as a stream knows them.

    ``next`` is the step after that of the newest row, until somebody asked for it.
    """

    __slots__ = ("names", "next", "number", "pack", "size")

    def __init__(self, number: int, names: tuple[str, ...]) -> None:
        layout = row_struct(len(names))
        self.number = number
        self.names = names
        self.pack = layout.pack_into
        self.size = layout.size
        self.next: int | None = None


class Stream:
    """Rows that one thread at a time adds, and that others read meanwhile.

    Parameters
    ----------
    folder : Path or None
        Where the segments are; None keeps them in memory.
    name : str
        What the segments' files begin with.
    no_room : callable
        Told when a segment could not be had on disk, and is kept in memory instead.

    Notes
    -----
    Nothing is locked. A reader that comes at any moment sees whole rows only: ``at``
    moves after a row is packed, and a segment's first bytes are zeros before it is used.
    """

    def __init__(self, folder: Path | None, name: str, no_room: NoRoom) -> None:
        self._folder = folder
        self._name = name
        self._no_room = no_room
        self._shift = 0
        self.sets: dict[tuple[str, ...], MetricSet] = {}
        self.ready: dict[tuple[str, ...], MetricSet] = {}
        """The sets that the current segment has a definition of."""
        self.segments: dict[int, Segment] = {}
        self.segment: Segment | None = None
        self.data: Any = b""
        self.at = 0
        self.limit = -1  # below any offset: the first row makes the first segment
        self.count = 0

    def write(
        self,
        metrics: dict[str, Any],
        step: int,
        _clock: Callable[[], int] = time.monotonic_ns,
        _commit: int = COMMIT,
    ) -> bool:
        """Add a row of floats; False when it needs the longer way (:meth:`write_row`)."""
        try:
            row = self.ready[tuple(metrics)]
            values = metrics.values()
            for value in values:
                if type(value) is not float:
                    return False
            at = self.at
            row.pack(self.data, at, row.number, step, _clock(), *values, _commit)
        except _NOT_THIS_WAY:
            return False
        self.at = at + row.size
        row.next = step + 1
        return True

    def write_row(self, row: MetricSet, values: list[float], step: int, clock: int) -> None:
        """Add a row, making room and naming its set first where that is needed."""
        named = b"" if row.names in self.ready else definition(row.number, row.names)
        if self.at + len(named) + row.size > self.limit:
            named = definition(row.number, row.names)
            self._next_segment(len(named) + row.size)
        if named:
            end = self.at + len(named)
            self.data[self.at : end - 1] = named[:-1]
            self.data[end - 1] = COMMIT  # last: copying bytes has no order of its own
            self.ready[row.names] = row
            self.at = end
        row.pack(self.data, self.at, row.number, step, clock, *values, COMMIT)
        self.at += row.size

    def set_of(self, names: tuple[str, ...]) -> MetricSet:
        """Return the set of some names, numbering it when it is new."""
        row = self.sets.get(names)
        if row is None:
            if len(self.sets) >= MOST_SETS:  # names that never come back: number them anew
                self.sets.clear()
                self.clock_moved()
            row = self.sets[names] = MetricSet(len(self.sets) + 1, names)
        return row

    def clock_moved(self) -> None:
        """Let the next row begin a segment, whose header says the time anew."""
        self.limit = -1
        self.ready = {}

    def _next_segment(self, least: int) -> None:
        self._shift = max(self._shift, time.time_ns() - time.monotonic_ns())
        size = max(FIRST_BYTES if self.count == 0 else MORE_BYTES, HEADER.size + least)
        segment = None
        if self._folder is not None:
            path = self._folder / f"{self._name}-{self.count:06d}.rows"
            try:
                segment = Segment(path, size, self._shift)
            except OSError as error:
                self._no_room(error)
        if segment is None:
            segment = Segment(None, size, self._shift)
        if self.segment is not None:
            self.segment.end = self.at
        self.segments[self.count] = segment
        self.count += 1
        self.ready = {}
        self.data, self.at = segment.data, HEADER.size
        self.segment, self.limit = segment, size


class Cursor:
    """One reader's place in a stream.

    Parameters
    ----------
    stream : Stream or StoredStream
        What to read.
    start : tuple of int
        Segment, and offset in it, that an earlier reader got to.
    """

    def __init__(self, stream: Stream | StoredStream, start: tuple[int, int] = (0, 0)) -> None:
        self._stream = stream
        self._start = start
        self._segment: Segment | StoredSegment | None = None
        self._reader: SegmentReader | None = None
        self.passed = start[0]  # the segments before this one are done with

    def read(self) -> Iterator[Rows]:
        """Yield what was added since the last time; ``passed`` is the segment it is in."""
        stream = self._stream
        while self._segment is not None or self._next():
            segment, reader = self._segment, self._reader
            assert segment is not None
            assert reader is not None
            sealed = segment.end  # looked up before reading: rows may be added meanwhile
            for rows in reader.read(sealed or (stream.at if segment is stream.segment else 0)):
                if self.passed == self._start[0] and rows.end > self._start[1] > 0:
                    rest = rows.after(self._start[1])
                    if len(rest):
                        yield rest
                elif self.passed != self._start[0] or rows.end > self._start[1]:
                    yield rows
            if not sealed:
                return
            self.passed += 1
            self._segment = self._reader = None

    def _next(self) -> bool:
        segments = self._stream.segments
        later = [number for number in list(segments) if number >= self.passed]
        if not later:
            return False
        self.passed = min(later)  # a segment that was in memory only is gone with its process
        self._segment = segments[self.passed]
        self._reader = SegmentReader(self._segment.data)
        return True


class StoredSegment:
    """A segment that another process left."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.end = len(data)


class StoredStream:
    """The segments of one stream that another process left, by number."""

    def __init__(self, files: list[tuple[int, Path]]) -> None:
        self.segments = {}
        for number, path in files:
            data = path.read_bytes()
            if is_segment(data):
                self.segments[number] = StoredSegment(data)
        self.segment: StoredSegment | None = None
        self.at = 0
