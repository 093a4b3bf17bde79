"""Columns of numbers and packs of pictures."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from cvtrack_magics.vision.arrays import Array

Json: TypeAlias = dict[str, Any]
KINDS: Mapping[str, Any] = {
    "u1": np.uint8,
    "i1": np.int8,
    "u2": np.uint16,
    "u4": np.uint32,
    "i4": np.int32,
    "f4": np.float32,
    "f8": np.float64,
}
PACK = 1 << 20


def column(values: Any, kind: str) -> Json:
    """Return numbers as a column of the sheet."""
    array = np.ascontiguousarray(np.asarray(values).reshape(-1), dtype=KINDS[kind])
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return {"dtype": kind, "data": base64.b64encode(little.tobytes()).decode("ascii")}


def exact(values: Any) -> Json:
    """Return real numbers as a column of four bytes each, or of eight where four would round.

    A score that is rounded may fall below a threshold that it lies on.
    """
    array = np.asarray(values)
    with np.errstate(over="ignore"):
        short = array.astype(np.float32)
    kept = array.dtype.itemsize <= 4 or np.array_equal(short, array, equal_nan=True)
    return column(array, "f4" if kept else "f8")


def read_column(value: Mapping[str, str]) -> Array:
    """Return the numbers of a column."""
    kind = np.dtype(KINDS[value["dtype"]]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(value["data"]), kind)


class Packs:
    """Pictures put one after the other into packs of about 1 MB, equal ones once.

    Parameters
    ----------
    limit : int
        The most bytes of pictures; what does not fit any more is left out.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._packs: list[bytearray] = [bytearray()]
        self._known: dict[bytes, tuple[int, int, int]] = {}

    def add(self, data: bytes) -> tuple[int, int, int] | None:
        """Return where a picture lies: pack, start and size; None if it does not fit."""
        known = self._known.get(data)
        if known is not None:
            return known
        if self.size + len(data) > self.limit:
            return None
        if len(self._packs[-1]) and len(self._packs[-1]) + len(data) > PACK:
            self._packs.append(bytearray())
        place = len(self._packs) - 1, len(self._packs[-1]), len(data)
        self._packs[-1] += data
        self.size += len(data)
        self._known[data] = place
        return place

    def done(self) -> list[bytes]:
        """Return the packs."""
        return [bytes(pack) for pack in self._packs if pack]


class Places:
    """Where the pictures of N samples lie."""

    def __init__(self, count: int) -> None:
        self.rows = np.zeros((count, 3), np.uint32)

    def put(self, index: int, place: tuple[int, int, int] | None) -> bool:
        """Note a place; say whether there is one."""
        if place is not None:
            self.rows[index] = place
        return place is not None

    def json(self) -> Json:
        """Return the three columns."""
        return {
            "pack": column(self.rows[:, 0], "u2"),
            "start": column(self.rows[:, 1], "u4"),
            "size": column(self.rows[:, 2], "u4"),
        }
