r"""The bytes of logged points: one packed row for each call of ``log()``.

A segment is a header and rows. The first row of each set of metrics is preceded by a
definition that numbers the set, so every segment can be read without the others. All
numbers are little-endian, and nothing is aligned::

    header      8s  b"CVTRACK\x01" (the last byte is the version of this format)
                q   nanoseconds to add to a row's clock to get Unix time
    definition  H   0xFFFF
                H   the set's number, from 1
                I   length of what follows
                s   the names as a JSON list, in UTF-8
                B   0xA5
    row         H   the set's number
                q   step
                q   monotonic clock, nanoseconds
                d…  one value for each name
                B   0xA5

A row is there when its last byte is: a process that is killed while it writes leaves
zeros, and a reader stops at the first row that is not whole.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAGIC = b"CVTRACK\x01"
HEADER = struct.Struct("<8sq")
DEFINITION = struct.Struct("<HHI")
DEFINES = 0xFFFF
COMMIT = 0xA5
MOST_SETS = 0xFFFE
_FEW = 8  # below this many rows in a row of one set, NumPy's overhead costs more than it saves


def row_struct(names: int) -> struct.Struct:
    """Return the layout of a row with that many values."""
    return struct.Struct(f"<Hqq{names}dB")


def definition(number: int, names: tuple[str, ...]) -> bytes:
    """Return the bytes that number a set of names."""
    text = json.dumps(names).encode()
    return DEFINITION.pack(DEFINES, number, len(text)) + text + bytes([COMMIT])


def is_segment(data: Any) -> bool:
    """Say whether bytes are a segment of the format that this version reads."""
    return len(data) >= HEADER.size and bytes(data[: len(MAGIC)]) == MAGIC


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


class SegmentReader:
    """Reads one segment from its beginning, at once or as it grows.

    Parameters
    ----------
    data : buffer
        The segment's bytes, of which :func:`is_segment` is true.
    """

    def __init__(self, data: Any) -> None:
        _, self._shift = HEADER.unpack_from(data)
        self._data = data
        self._sets: dict[int, tuple[tuple[str, ...], struct.Struct, Any]] = {}
        self.at = HEADER.size

    def read(self, end: int | None = None) -> Iterator[Rows]:
        """Yield the rows up to an offset (or to the first that is not whole)."""
        data = self._data
        end = len(data) if end is None else min(end, len(data))
        while self.at + 2 <= end:
            number = data[self.at] | data[self.at + 1] << 8
            if number == DEFINES:
                if not self._define(end):
                    return
                continue
            if number not in self._sets:
                return
            rows = self._rows(number, end)
            if rows is None:
                return
            yield rows

    def _define(self, end: int) -> bool:
        start = self.at + DEFINITION.size
        if start > end:
            return False
        _, number, length = DEFINITION.unpack_from(self._data, self.at)
        if start + length + 1 > end or self._data[start + length] != COMMIT:
            return False
        names = tuple(json.loads(bytes(self._data[start : start + length])))
        self._sets[number] = (names, row_struct(len(names)), None)
        self.at = start + length + 1
        return True

    def _rows(self, number: int, end: int) -> Rows | None:
        import numpy as np

        names, layout, dtype = self._sets[number]
        if dtype is None:
            fields = [("set", "<u2"), ("step", "<i8"), ("time", "<i8")]
            dtype = np.dtype([*fields, ("values", "<f8", (len(names),)), ("commit", "u1")])
            self._sets[number] = (names, layout, dtype)
        most = (end - self.at) // layout.size
        count = self._alike(number, layout.size, min(most, _FEW))
        if count == 0:
            return None
        table = np.frombuffer(self._data, dtype, count if count < _FEW else most, self.at)
        if count == _FEW:
            other = np.flatnonzero((table["set"] != number) | (table["commit"] != COMMIT))
            table = table[: int(other[0]) if len(other) else most]
        self.at += len(table) * layout.size
        values = table["values"].copy().reshape(len(table), len(names))
        steps, times = table["step"].copy(), table["time"] + self._shift
        return Rows(names, steps, times, values, self.at, layout.size)

    def _alike(self, number: int, size: int, most: int) -> int:
        data = self._data
        low, high = number & 0xFF, number >> 8
        for count in range(most):
            at = self.at + count * size
            if data[at] != low or data[at + 1] != high or data[at + size - 1] != COMMIT:
                return count
        return most
