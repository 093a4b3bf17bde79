"""The points that a victim logs: the same in the victim and in whoever checks it."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.schedule import RunPlan

ODD = (math.nan, math.inf, -math.inf, 5e-324, -2.5e-310, 1.7976931348623157e308, 0.0, 1e-17)
PREFIX = "p/"
"""All keys of the tests start so; what the product records of its own does not."""


@dataclass(frozen=True)
class Call:
    """One call of ``log()``."""

    metrics: dict[str, float]
    step: int | None
    points: tuple[tuple[str, int, float], ...]
    """What the store must have of it: (key, step, value)."""


def calls_of(seed: int, run: RunPlan, thread: int) -> Iterator[Call]:
    """Yield the calls of one thread of a run."""
    draw = random.Random(f"calls {seed} {run.name} {thread}")
    # one for all threads of a run: no two calls of a run have the same step
    first = random.Random(f"first {seed} {run.name}").choice((0, 0, 0, -50, 2**40))
    counts: dict[str, int] = {}
    for n in range(run.calls):
        metrics = {f"{PREFIX}t{thread}/every": _value(draw)}
        if n % 3 == 0:
            metrics[f"{PREFIX}t{thread}/third step"] = _value(draw)
        if draw.random() < 0.2:
            metrics[f"{PREFIX}t{thread}/now.and-then"] = _value(draw)
        step = None if run.counted else first + n * run.threads + thread
        if not run.counted and n % 2:
            metrics[f"{PREFIX}of all threads"] = _value(draw)
        points = []
        for key, value in metrics.items():
            at = counts.get(key, 0) if step is None else step
            counts[key] = at + 1
            points.append((key, at, value))
        yield Call(metrics, step, tuple(points))


def _value(draw: random.Random) -> float:
    if draw.random() < 0.1:
        return draw.choice(ODD)
    return draw.gauss(0, 1) * 10.0 ** draw.randint(-12, 12)


def as_stored(value: float) -> float | str:
    """Return a value as MLflow's SQL stores keep it, ready to be compared."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return math.copysign(1.7976931348623157e308, value)
    return value + 0.0
