"""A piece of real work, of the same size for every tracker."""

from __future__ import annotations

import time


def work(rounds: int) -> float:
    """Compute something in Python; it keeps the interpreter from a tracker's threads."""
    total = 0.0
    for number in range(rounds):
        total += number * 0.5
    return total


def rounds_for(seconds: float) -> int:
    """Return how many rounds take so long on this machine when nothing disturbs."""
    rounds, best = 100_000, float("inf")
    for _ in range(20):
        start = time.perf_counter()
        work(rounds)
        best = min(best, time.perf_counter() - start)
    return round(rounds * seconds / best)
