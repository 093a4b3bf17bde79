"""The points that every tracker logs, and the page it shares with who measures it."""

from __future__ import annotations

import mmap
import struct
import time
from pathlib import Path

KEYS = ("a", "b", "c", "d")

Points = dict[tuple[str, int], float]
"""Value by key and step."""


def values(step: int) -> dict[str, float]:
    """Return a step's four values: all differ, and 32-bit floats hold them exactly."""
    return {"a": step * 0.25, "b": step + 0.5, "c": -step * 0.5, "d": 3.0 - step}


def wrong(points: Points, steps: int) -> int:
    """Count the points below ``steps`` that are missing or are not what was logged."""
    count = 0
    for step in range(steps):
        for key, value in values(step).items():
            count += points.get((key, step)) != value
    return count


class Board:
    """How many steps were logged, and when the first began: what survives a kill.

    Parameters
    ----------
    path : Path
        A file that both processes map; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(16))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 16)

    def begin(self) -> None:
        """Note the time; both processes read the same clock."""
        struct.pack_into("<q", self._page, 8, time.monotonic_ns())

    def note(self, steps: int) -> None:
        """Note that the call that logged the last of so many steps has returned."""
        struct.pack_into("<q", self._page, 0, steps)

    @property
    def steps(self) -> int:
        """Steps noted so far."""
        return int(struct.unpack_from("<q", self._page, 0)[0])

    @property
    def began_ns(self) -> int:
        """When the first step began; 0 before."""
        return int(struct.unpack_from("<q", self._page, 8)[0])
