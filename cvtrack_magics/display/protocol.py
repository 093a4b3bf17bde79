"""Points on their way to the browser: packed as buffers, and never more than gets through."""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.delivery.series import Series

REPLAY_POINTS = 24_000
"""Points of all metrics together that a page gets when it asks for everything."""

Parts = Mapping[str, tuple[int, Series]]
"""New points by metric, each with the place of the first in the metric's whole series."""


class Allowance:
    """How many points may be sent now.

    A Jupyter server drops a kernel's messages beyond 3 MB within three seconds. A point
    takes up to 32 bytes, so all plots of a kernel together send at most 2.2 MB of them.
    """

    RATE = 12_000.0  # points a second
    BURST = 32_000.0
    FLOOR = 2_000  # a message may always have so many

    def __init__(self) -> None:
        self._left = self.BURST
        self._when = time.monotonic()
        self._lock = forks.rlock()

    def take(self, wanted: int) -> int:
        """Return how many of the wanted points may go."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self.BURST, self._left + (now - self._when) * self.RATE)
            self._when = now
            granted = min(wanted, max(self.FLOOR, int(self._left)))
            self._left = max(-self.BURST, self._left - granted)
            return granted


def points_message(
    parts: Parts, ends: Mapping[str, int], limit: int
) -> tuple[dict[str, Any], list[bytes]]:
    """Pack points into one message.

    Parameters
    ----------
    parts : mapping of str to (int, Series)
        The points, by metric, and where they begin in the metric's series.
    ends : mapping of str to int
        How many points each metric has.
    limit : int
        The most points to send. Where there are more, each metric keeps its share: the
        first and the last, lows, highs and gaps.

    Returns
    -------
    dict and list of bytes
        The JSON part, and the columns ``steps`` (int64), ``values`` and ``times``
        (float64, Unix seconds). Where points were left out ``thinned`` is true and a
        fourth column, ``rows`` (int64), has each point's place in its metric's series.
    """
    total = sum(len(part) for _, part in parts.values())
    thinned = total > limit or not all(part.is_whole for _, part in parts.values())
    steps, values, times, rows = (bytearray() for _ in range(4))
    entries = []
    for name, (start, part) in parts.items():
        few = part.decimated(limit * len(part) // total) if total > limit else part
        steps += few.steps.tobytes()
        values += few.values.tobytes()
        times += few.times.tobytes()
        if thinned:
            rows += array("q", (start + place for place in few.places())).tobytes()
        entries.append({"name": name, "start": start, "count": len(few), "end": ends[name]})
    shape = [len(steps) // 8]
    kinds = [("steps", "int64"), ("values", "float64"), ("times", "float64"), ("rows", "int64")]
    sent = kinds if thinned else kinds[:3]
    message = {
        "kind": "points",
        "thinned": thinned,
        "series": entries,
        "columns": [{"name": name, "dtype": dtype, "shape": shape} for name, dtype in sent],
    }
    return message, [bytes(column) for column in (steps, values, times, rows)[: len(sent)]]
