"""What a benchmark returns, and how two things are timed in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison. Times are medians in seconds; ``bar`` is the goal in words.

    ``met`` is None where the bar is not about this pair.
    """

    name: str
    ours_s: float
    peer: str
    peer_s: float
    bar: str
    met: bool | None

    @property
    def ratio(self) -> float:
        """Ours divided by the peer's."""
        return self.ours_s / self.peer_s


def in_turn(
    ours: Callable[[], object], peer: Callable[[], object], rounds: int = 7
) -> tuple[float, float]:
    """Time two callables one after the other, round by round; return the medians (s)."""
    mine, theirs = [], []
    for _ in range(rounds):
        for work, times in ((ours, mine), (peer, theirs)):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return statistics.median(mine), statistics.median(theirs)
