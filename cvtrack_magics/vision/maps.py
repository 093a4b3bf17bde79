"""Label maps, heat maps and depth maps of many samples, compressed without loss."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtrack_magics.vision.arrays import Array


@dataclass(frozen=True, slots=True)
class Packed:
    """One array, compressed."""

    data: bytes
    dtype: str
    shape: tuple[int, ...]

    def array(self) -> Array:
        """Return the array; it cannot be written to."""
        return np.frombuffer(zlib.decompress(self.data), self.dtype).reshape(self.shape)


def pack(array: Array) -> Packed:
    """Compress an array."""
    array = np.ascontiguousarray(array)
    return Packed(zlib.compress(array.tobytes(), 1), array.dtype.str, array.shape)


@dataclass(frozen=True, slots=True)
class Maps:
    """One H × W array for each sample, of one dtype, each of its own size."""

    items: tuple[Packed, ...]

    @classmethod
    def of(cls, arrays: Iterable[Array]) -> Maps:
        """Compress arrays, one after the other."""
        return cls(tuple(pack(array) for array in arrays))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Array:
        return self.items[index].array()

    def __iter__(self) -> Iterator[Array]:
        return (item.array() for item in self.items)

    def take(self, rows: Any) -> Maps:
        """Return the maps of some samples."""
        return Maps(tuple(self.items[int(row)] for row in rows))

    def __add__(self, other: Maps) -> Maps:
        return Maps(self.items + other.items)


def range_of(maps: Maps, *, positive: bool = False) -> tuple[float, float]:
    """Return the least and the greatest finite value (above 0), never twice the same."""
    low, high = np.inf, -np.inf
    for plane in maps:
        known = plane[np.isfinite(plane) & (plane > 0)] if positive else plane[np.isfinite(plane)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return (low, high) if low < high else (0.0, 1.0) if low > high else (low, low + 1.0)
