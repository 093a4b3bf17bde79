"""Where ``log()`` writes: a packed row in mapped memory, which outlives the process."""

from __future__ import annotations

import itertools
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from cvtrack_magics.journal.rows import (
    CHECK,
    HEADER_ROOM,
    MOST_SETS,
    MetricLayout,
    Rows,
    SegmentReader,
    body_struct,
    definition,
)
from cvtrack_magics.journal.segments import FIRST_BYTES, MORE_BYTES, Segment, of_the_system
from cvtrack_magics.journal.stored import StoredSegment, StoredStream
from cvtrack_magics.standard import BUILTINS
from cvtrack_magics.system import time

__all__ = ["Cursor", "MetricSet", "StoredSegment", "StoredStream", "Stream", "UnixTime"]

globals()["__builtins__"] = BUILTINS  # whatever a test of the user's own has put in their places

# what packing says to a set that is new, a step or value that is no number, and a full segment
_NOT_THIS_WAY = (AttributeError, IndexError, KeyError, TypeError, struct.error)

READINGS = 5  # of two clocks, of which the best is taken

NoRoom = Callable[[OSError], None]


class UnixTime(int):
    """A time that was said, in Unix nanoseconds: it is kept to the digit, whatever clocks do."""


class MetricSet:
    """The metrics of one call of ``log()``, as a stream knows them.

    ``next`` is the step after that of the newest row, until somebody asked for it. ``is_own``
    says whether whoever logs by these names means these metrics: only then the short way is
    theirs.
    """

    __slots__ = ("definition", "is_own", "names", "next", "number", "pack", "seed", "size")

    def __init__(self, number: int, names: tuple[str, ...], is_own: bool = True) -> None:
        layout = body_struct(len(names))
        self.number = number
        self.names = names
        self.is_own = is_own
        self.pack = layout.pack
        self.size = layout.size + CHECK.size
        self.definition = definition(number, names)
        self.seed = 0  # that of the segment's definition, once it has one
        self.next: int | None = None

    def defined_in(self, segment: Segment) -> bytes:
        """Return the definition for a segment, to which it binds the rows that follow."""
        self.seed = crc32(self.definition, segment.seed)
        return self.definition + CHECK.pack(self.seed)


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
    moves after a row is copied, and a segment's first bytes are zeros before it is used.

    A signal handler, a finaliser or a callback may call ``log()`` while a row is being
    written: it finds ``busy`` set, and its row waits in a queue that the outer call writes.
    An exception may arrive between any two calls: a row is copied by one, and no call
    stands between the copy and the moving of ``at``, so it is there whole or not at all.
    """

    _make: Callable[[Path, int, int], Segment] = Segment

    def __init__(self, folder: Path | None, name: str, no_room: NoRoom) -> None:
        self._folder = folder
        self._name = name
        self._no_room = no_room
        self._shift = 0
        self._numbers = itertools.count(1)
        self.sets: dict[tuple[str, ...], MetricSet] = {}
        self.ready: dict[tuple[str, ...], MetricSet] = {}
        """The sets of the current segment that the short way may take by their names."""
        self.defined: dict[tuple[str, ...], MetricSet] = {}
        """The sets that the current segment has a definition of."""
        self.are_own: Callable[[tuple[str, ...]], bool] = lambda _: True
        self.segments: dict[int, Segment] = {}
        self.segment: Segment | None = None
        self.data: Any = b""
        self.at = 0
        self.limit = -1  # below any offset: the first row makes the first segment
        self.count = 0
        self.busy = False
        self._short = True
        self.nested: deque[tuple[tuple[str, ...], list[float], int, int]] = deque()

    def write(
        self,
        metrics: dict[str, Any],
        step: int,
        _clock: Callable[[], int] = time.monotonic_ns,
        _crc: Callable[[bytes, int], int] = crc32,
        _check: Callable[[int], bytes] = CHECK.pack,
    ) -> bool:
        """Add a row of floats; False when it needs the longer way (:meth:`add`)."""
        if self.busy:
            return False
        try:
            self.busy = True
            row = self.ready[tuple(metrics)]
            values = metrics.values()
            for value in values:
                if type(value) is not float:
                    return False
            body = row.pack(row.number, step, _clock(), *values)
            body += _check(_crc(body, row.seed))
            at = self.at
            end = at + row.size
            self.data[at:end] = body
            self.at = end
            row.next = step + 1
        except _NOT_THIS_WAY:
            return False
        finally:
            self.busy = False
        if self.nested:
            self._write_nested()
        return True

    def add(self, names: tuple[str, ...], values: list[float], step: int, clock: int) -> None:
        """Add a row; one that comes while another is written is written after it.

        ``clock`` is what the monotonic clock said, in nanoseconds, or a :class:`UnixTime`.
        """
        if self.busy and self._is_below():
            self.nested.append((names, values, step, clock))
            return
        try:
            self.busy = True
            self._write_row(self._set_of(names), values, step, clock)
        finally:
            self.busy = False
        if self.nested:
            self._write_nested()

    def _is_below(self) -> bool:
        """Whether a call below on the stack writes a row; ``busy`` may have outlived its own."""
        frame = sys._getframe(1).f_back
        while frame is not None:
            if frame.f_code in _WRITERS and frame.f_locals.get("self") is self:
                return True
            frame = frame.f_back
        return False

    def _write_nested(self) -> None:
        while self.nested and not self.busy:
            try:
                self.busy = True
                if self.nested:  # a handler between the two lines above has written them along
                    names, values, step, clock = self.nested[0]
                    self._write_row(self._set_of(names), values, step, clock)
                    self.nested.popleft()
            finally:
                self.busy = False

    def _write_row(self, row: MetricSet, values: list[float], step: int, clock: int) -> None:
        """Add a row, making room and naming its set first where that is needed."""
        with_name = len(row.definition) + CHECK.size + row.size
        is_new = row.names not in self.defined
        if self.at + (with_name if is_new else row.size) > self.limit:
            is_new = True
            self._next_segment(with_name)
        assert self.segment is not None
        named = row.defined_in(self.segment) if is_new else b""
        if isinstance(clock, UnixTime):
            clock -= self.segment.shift
        body = row.pack(row.number, step, clock, *values)
        body += CHECK.pack(crc32(body, row.seed))
        if named:
            end = self.at + len(named)
            self.data[self.at : end] = named
            self.at = end
            self.defined[row.names] = row
            if row.is_own and self._short:
                self.ready[row.names] = row
        end = self.at + row.size
        self.data[self.at : end] = body
        self.at = end

    def short(self, *, allowed: bool) -> None:
        """Let rows take the short way, or have all of them take the longer one."""
        self._short = allowed
        own = [row for row in self.defined.values() if row.is_own]
        self.ready = {row.names: row for row in own} if allowed else {}

    def set_of(self, names: tuple[str, ...]) -> MetricSet | None:
        """Return the set of some names, where a row of it was written."""
        return self.sets.get(names)

    def _set_of(self, names: tuple[str, ...]) -> MetricSet:
        row = self.sets.get(names)
        if row is None:
            if len(self.sets) >= MOST_SETS:  # names that never come back: number them anew
                self.sets.clear()
                self._numbers = itertools.count(1)
                self.clock_moved()
            row = self.sets[names] = MetricSet(next(self._numbers), names, self.are_own(names))
        return row

    def on_disk(self) -> int:
        """Return the offset in the current segment up to which its file has the rows."""
        return self.at

    def clock_moved(self) -> None:
        """Let the next row begin a segment, whose header says the time anew."""
        self.limit = -1
        self.ready, self.defined = {}, {}

    def _next_segment(self, least: int) -> None:
        self._shift = max(self._shift, _shift_now())
        size = max(FIRST_BYTES if self.count == 0 else MORE_BYTES, HEADER_ROOM + least)
        segment = None
        number = self.count
        if self._folder is not None:
            try:
                number, segment = self._on_disk(self._folder, number, size)
            except OSError as error:
                if not of_the_system(error):
                    raise
                self._no_room(error)
        if segment is None:
            segment = Segment(None, size, self._shift)
        # from here on no call: an exception leaves the old segment in use, or the new one
        if self.segment is not None:
            self.segment.end = self.at
        self.segments[number] = segment
        self.count = number + 1
        self.ready, self.defined = {}, {}
        self.data = segment.data
        self.at = segment.first
        self.segment = segment
        self.limit = size

    def _on_disk(self, folder: Path, number: int, size: int) -> tuple[int, Segment]:
        while True:
            try:
                path = folder / f"{self._name}-{number:06d}.rows"
                return number, self._make(path, size, self._shift)
            except FileExistsError:  # an earlier try was interrupted
                number += 1


def _shift_now() -> int:
    """Return by how much the wall clock is ahead of the monotonic one, in ns.

    A pause between the two readings makes it look less; never more.
    """
    return max(time.time_ns() - time.monotonic_ns() for _ in range(READINGS))


_WRITERS = {way.__code__ for way in (Stream.write, Stream.add, Stream._write_nested)}


class Cursor:
    """One reader's place in a stream.

    Parameters
    ----------
    stream : Stream or StoredStream
        What to read. Of one that another process writes, or left, each row's check is
        looked at, and what is damaged is passed over and told to the stream.
    start : tuple of int
        Segment, and offset in it, that an earlier reader got to.
    """

    def __init__(self, stream: Stream | StoredStream, start: tuple[int, int] = (0, 0)) -> None:
        self._stream = stream
        self._start = start
        self._segment: Segment | StoredSegment | None = None
        self._reader: SegmentReader | None = None
        self._layouts: dict[int, MetricLayout] = {}
        self.passed = start[0]  # the segments before this one are done with

    def read(self) -> Iterator[Rows]:
        """Yield what was added since the last time; ``passed`` is the segment it is in."""
        stream = self._stream
        while self._segment is not None or self._next():
            segment, reader = self._segment, self._reader
            assert segment is not None
            assert reader is not None
            if isinstance(segment, StoredSegment):
                reader.data = segment.data
            sealed = segment.end  # looked up before reading: rows may be added meanwhile
            end = sealed or (stream.at if segment is stream.segment else 0)
            yield from self._new_rows(reader, end)
            if not sealed:
                return
            while isinstance(stream, StoredStream) and stream.pass_damage(self.passed, reader):
                yield from self._new_rows(reader, end)
            self.passed += 1
            self._segment = self._reader = None

    def _new_rows(self, reader: SegmentReader, end: int) -> Iterator[Rows]:
        """Yield the rows that the earlier reader did not get to."""
        segment, offset = self._start
        for rows in reader.read(end):
            if self.passed != segment:
                yield rows
            elif rows.end > offset:
                rest = rows.after(offset) if offset > 0 else rows
                if len(rest):
                    yield rest

    def _next(self) -> bool:
        segments = self._stream.segments
        later = [number for number in list(segments) if number >= self.passed]
        if not later:
            return False
        self.passed = min(later)  # a segment that was in memory only is gone with its process
        self._segment = segments[self.passed]
        stored = isinstance(self._stream, StoredStream)
        self._reader = SegmentReader(self._segment.data, verify=stored, layouts=self._layouts)
        return True
