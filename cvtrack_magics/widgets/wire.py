"""Points on their way to the browser: packed as buffers, and never more than gets through."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Mapping
from typing import Any

from cvtrack_magics.metrics.series import Series
from cvtrack_magics.widgets.decimate import rows_to_keep

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
        self._lock = threading.RLock()

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
    thinned = total > limit
    steps, values, times, rows = (bytearray() for _ in range(4))
    entries = []
    for name, (start, part) in parts.items():
        count = len(part)
        if not thinned or count <= 8:
            steps += memoryview(part.steps).cast("B") if count else b""
            values += memoryview(part.values).cast("B") if count else b""
            times += memoryview(part.times).cast("B") if count else b""
            if thinned:
                rows += array("q", range(start, start + count)).tobytes()
        else:
            import numpy as np

            logged = np.frombuffer(part.values, dtype=np.float64)
            chosen = rows_to_keep(logged, limit * count // total)
            steps += np.frombuffer(part.steps, dtype=np.int64)[chosen].tobytes()
            values += logged[chosen].tobytes()
            times += np.frombuffer(part.times, dtype=np.float64)[chosen].tobytes()
            rows += (start + chosen).astype(np.int64).tobytes()
            count = len(chosen)
        entries.append({"name": name, "start": start, "count": count, "end": ends[name]})
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
