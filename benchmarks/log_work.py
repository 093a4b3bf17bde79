"""A piece of real work, of the same size for every tracker."""

from __future__ import annotations

import time
from collections.abc import Callable


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


def python_steps(rounds: int) -> Callable[[], object]:
    """Return a step that is Python alone, and keeps the interpreter."""
    return lambda: work(rounds)


def conv_steps(_: int) -> Callable[[], object]:
    """Return a step of a small network on one core: it lets the interpreter go, and comes back."""
    import torch

    torch.set_num_threads(1)
    conv = torch.nn.Conv2d(8, 8, 3, padding=1)
    images = torch.randn(4, 8, 64, 64)

    def step() -> float:
        return float(conv(torch.relu(conv(images))).mean())

    return step
