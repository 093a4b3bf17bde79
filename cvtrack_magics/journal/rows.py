r"""The bytes of logged points: one packed row for each call of ``log()``.

A segment is a header and rows. The first row of each set of metrics is preceded by a
definition that numbers the set, so every segment can be read without the others. All
numbers are little-endian, and nothing is aligned. Format 3::

    header      8s  b"CVTRACK\x03" (the last byte is the version of this format)
                q   nanoseconds to add to a row's clock to get Unix time
                Q   bytes of the whole segment
                H   length of what follows
                s   the segment's place in UTF-8: the run's folder, "/", the file without ".rows"
                I   CRC-32 of the above
    definition  H   0xFFFF
                H   the set's number, from 1
                I   length of what follows
                s   the names as a JSON list, in UTF-8
                I   CRC-32 of the above, begun with that of the header
    row         H   the set's number
                q   step
                q   monotonic clock, nanoseconds
                d…  one value for each name
                I   CRC-32 of the above, begun with that of the set's definition

The CRC-32 is zlib's, and decides whether a row is there: a process that is killed while it
writes leaves zeros in its place. Beginning a row's with that of its definition binds the row
to its names, so a definition that was damaged can be had from another segment; beginning a
definition's with that of the header binds both to their segment, whatever copies them elsewhere.

Formats 1 and 2 are still read. Format 2 has no place in its header, and begins the CRC of a
definition with nothing. Format 1 has no size and no CRC in the header either, and ends
definitions and rows with one byte 0xA5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from cvtrack_magics.plainjson import dumps, loads

NAME = b"CVTRACK"
VERSION = 3
HEADER_1 = struct.Struct("<8sq")
HEADER_2 = struct.Struct("<8sqQI")
HEADER = struct.Struct("<8sqQH")
HEADER_ROOM = 1024  # bytes; more than any header takes
DEFINITION = struct.Struct("<HHI")
CHECK = struct.Struct("<I")
DEFINES = 0xFFFF
COMMIT = 0xA5
MOST_SETS = 0xFFFE
_FEW = 8  # below this many rows in a row of one set, NumPy's overhead costs more than it saves


def body_struct(names: int) -> struct.Struct:
    """Return the layout of a row with that many values, up to its check."""
    return struct.Struct(f"<Hqq{names}d")


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment's header says.

    ``place`` is empty and ``size`` 0 where the format does not say. ``length`` is that of the
    header in bytes, ``seed`` what the checks of its definitions begin with.
    """

    version: int
    shift: int
    size: int
    place: str
    length: int
    seed: int


def header(shift: int, size: int, place: str) -> tuple[bytes, int]:
    """Return the bytes that a segment begins with, and what its definitions' checks begin with."""
    named = place.encode("utf-8", "surrogateescape")
    head = HEADER.pack(NAME + bytes([VERSION]), shift, size, len(named)) + named
    check = crc32(head)
    return head + CHECK.pack(check), check


def definition(number: int, names: tuple[str, ...]) -> bytes:
    """Return the bytes that number a set of names, up to their check."""
    text = dumps(names).encode()
    return DEFINITION.pack(DEFINES, number, len(text)) + text


def header_of(data: Any) -> Header | None:
    """Return what the header of a segment's bytes says; None when it cannot be read."""
    version = version_said(data)
    if version == 1 and len(data) >= HEADER_1.size:
        return Header(1, HEADER_1.unpack_from(data)[1], 0, "", HEADER_1.size, 0)
    if version == 2 and len(data) >= HEADER_2.size:
        _, shift, size, check = HEADER_2.unpack_from(data)
        whole = check == crc32(bytes(data[: HEADER_2.size - CHECK.size]))
        return Header(2, shift, size, "", HEADER_2.size, 0) if whole else None
    if version == VERSION and len(data) >= HEADER.size:
        _, shift, size, length = HEADER.unpack_from(data)
        head = bytes(data[: HEADER.size + length])
        check = crc32(head)
        end = len(head) + CHECK.size
        if len(data) >= end and CHECK.unpack_from(data, len(head))[0] == check:
            place = head[HEADER.size :].decode("utf-8", "surrogateescape")
            return Header(VERSION, shift, size, place, end, check)
    return None


def version_said(data: Any) -> int:
    """Return the format that a segment's first bytes name, which may be a newer one; 0 if none."""
    return int(data[len(NAME)]) if len(data) > len(NAME) and data[: len(NAME)] == NAME else 0


def version_of(data: Any) -> int:
    """Return the format of a segment's bytes; 0 when they are none that can be read."""
    found = header_of(data)
    return found.version if found is not None else 0


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one set of metrics, in the order of logging.

    ``steps`` (int64) and ``times`` (int64, Unix nanoseconds) have shape (rows,),
    ``values`` (float64) has shape (rows, names). ``end`` is the offset behind the last row,
    ``size`` the bytes of one row.
    """

    names: tuple[str, ...]
    steps: Any
    times: Any
    values: Any
    end: int
    size: int

    def __len__(self) -> int:
        return len(self.steps)

    def after(self, offset: int) -> Rows:
        """Return the rows that begin at an offset or behind it."""
        left = min(len(self), -(-(self.end - offset) // self.size))
        cut = len(self) - max(0, left)
        return Rows(
            self.names,
            self.steps[cut:],
            self.times[cut:],
            self.values[cut:],
            self.end,
            self.size,
        )

    @property
    def points(self) -> int:
        """How many points that is."""
        return len(self.steps) * len(self.names)


@dataclass(frozen=True, slots=True)
class MetricLayout:
    """A set of metrics as a segment defines it: its names, and how its rows lie there."""

    definition: bytes
    names: tuple[str, ...]
    check: int
    size: int
    dtype: Any


class SegmentReader:
    """Reads one segment from its beginning, at once or as it grows.

    Parameters
    ----------
    data : buffer
        The segment's bytes, whose header can be read (:func:`header_of`).
    verify : bool
        Whether each row's check is looked at. The process that writes the rows knows where
        they end, and need not.
    layouts : dict, optional
        Definitions of the stream's earlier segments, by number; those that are read here
        are added.
    """

    def __init__(
        self, data: Any, *, verify: bool = True, layouts: dict[int, MetricLayout] | None = None
    ) -> None:
        head = header_of(data)
        if head is None:
            raise ValueError("The header of a segment cannot be read.")
        self.version = head.version
        self._shift, self._seed = head.shift, head.seed
        self.data = data
        self._verify = verify
        self._layouts = {} if layouts is None else layouts
        for number, layout in self._layouts.items():  # as this segment would define them
            check = crc32(layout.definition, self._seed)
            self._layouts[number] = replace(layout, check=check)
        self._tail = 1 if self.version == 1 else CHECK.size
        self.at = head.length

    def read(self, end: int | None = None) -> Iterator[Rows]:
        """Yield the rows up to an offset (or to the first that is not whole)."""
        data = self.data
        end = len(data) if end is None else min(end, len(data))
        while self.at + 2 <= end:
            number = data[self.at] | data[self.at + 1] << 8
            if number == DEFINES:
                if not self._define(end):
                    return
                continue
            layout = self._layouts.get(number)
            rows = self._rows(number, layout, end) if layout is not None else None
            if rows is None:
                return
            yield rows

    def resume_after_damage(self) -> int:
        """Go on at the next whole row or definition; return how many bytes were passed over.

        0 when there is none: what is left is then zeros, or damaged to the end.
        """
        data, start = self.data, self.at
        layouts = self._layouts
        for at in range(start + 1, len(data) - 2):
            number = data[at] | data[at + 1] << 8
            if number == DEFINES:
                whole = self._definition_at(at, len(data)) is not None
            else:
                layout = layouts.get(number)
                whole = layout is not None and self._whole(at, number, layout)
            if whole:
                self.at = at
                return at - start
        return 0

    @property
    def rest_is_blank(self) -> bool:
        """Whether nothing was written behind the last row that was read."""
        return not any(bytes(self.data[self.at :]))

    @property
    def rest_is_unfinished(self) -> bool:
        """Whether what follows is one row or definition whose check was not written yet."""
        data, at = self.data, self.at
        if at + 2 > len(data):
            return True
        number = data[at] | data[at + 1] << 8
        layout = self._layouts.get(number)
        if number == DEFINES and at + DEFINITION.size <= len(data):
            end = at + DEFINITION.size + DEFINITION.unpack_from(data, at)[2]
        else:
            end = at + (layout.size - self._tail if layout else DEFINITION.size)
        return not any(bytes(data[end:]))

    def _define(self, end: int) -> bool:
        found = self._definition_at(self.at, end)
        if found is None:
            return False
        number, layout, stop = found
        self._layouts[number] = layout
        self.at = stop
        return True

    def _definition_at(self, at: int, end: int) -> tuple[int, MetricLayout, int] | None:
        start, data = at + DEFINITION.size, self.data
        if start > end:
            return None
        _, number, length = DEFINITION.unpack_from(data, at)
        stop = start + length + self._tail
        if stop > end:
            return None
        head = bytes(data[at : start + length])
        check = crc32(head, self._seed)
        said = data[stop - 1] if self.version == 1 else CHECK.unpack_from(data, stop - 4)[0]
        if said != (COMMIT if self.version == 1 else check):
            return None
        try:
            names = tuple(map(str, loads(head[DEFINITION.size :])))
        except (ValueError, TypeError, RecursionError):
            return None
        return number, self._layout(head, names, check), stop

    def _layout(self, head: bytes, names: tuple[str, ...], check: int) -> MetricLayout:
        import numpy as np

        fields = [("set", "<u2"), ("step", "<i8"), ("time", "<i8")]
        last = ("check", "u1" if self.version == 1 else "<u4")
        dtype = np.dtype([*fields, ("values", "<f8", (len(names),)), last])
        return MetricLayout(head, names, check, int(dtype.itemsize), dtype)

    def _rows(self, number: int, layout: MetricLayout, end: int) -> Rows | None:
        import numpy as np

        most = (end - self.at) // layout.size
        count = self._alike(number, layout, min(most, _FEW))
        if count == 0:
            return None
        table = np.frombuffer(self.data, layout.dtype, count if count < _FEW else most, self.at)
        if count == _FEW:
            table = table[: self._count(table, number, layout)]
        self.at += len(table) * layout.size
        values = table["values"].copy().reshape(len(table), len(layout.names))
        steps, times = table["step"].copy(), table["time"] + self._shift
        return Rows(layout.names, steps, times, values, self.at, layout.size)

    def _count(self, table: Any, number: int, layout: MetricLayout) -> int:
        """Return how many of the rows that follow are of one set, and whole."""
        import numpy as np

        other = table["set"] != number
        if self.version == 1:
            other |= table["check"] != COMMIT
        ends = np.flatnonzero(other)
        count = int(ends[0]) if len(ends) else len(table)
        if self.version == 1 or not self._verify:
            return count
        size, seed, view = layout.size, layout.check, memoryview(self.data)
        body = size - CHECK.size
        at = self.at
        for place, check in enumerate(table["check"][:count].tolist()):
            if crc32(view[at : at + body], seed) != check:
                return place
            at += size
        return count

    def _alike(self, number: int, layout: MetricLayout, most: int) -> int:
        for count in range(most):
            if not self._whole(self.at + count * layout.size, number, layout):
                return count
        return most

    def _whole(self, at: int, number: int, layout: MetricLayout) -> bool:
        data, end = self.data, at + layout.size
        if end > len(data) or data[at] != number & 0xFF or data[at + 1] != number >> 8:
            return False
        if self.version == 1:
            return bool(data[end - 1] == COMMIT)
        if not self._verify:
            return True
        body = bytes(data[at : end - CHECK.size])
        return bool(CHECK.unpack_from(data, end - CHECK.size)[0] == crc32(body, layout.check))
