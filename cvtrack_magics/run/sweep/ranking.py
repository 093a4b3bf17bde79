"""Which trials are worth repeating, and which is best by its values over several seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

CONFIDENCE = 0.95
SHARE, LEAST = 4, 3
"""The best quarter is promising, and the best three at least."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a trial is worth by its values over seeds.

    Attributes
    ----------
    mean : float
        Of the values.
    bound : float
        The worse end of the 95 % t interval of the mean; infinitely bad of a single value.
    n : int
        How many values there are.
    """

    mean: float
    bound: float
    n: int


def estimate(values: Sequence[float], sign: int) -> Estimate:
    """Return what values over seeds are worth.

    Parameters
    ----------
    values : sequence of float
        One for each seed, at least one.
    sign : int
        1 where less is better, -1 where more is.
    """
    count = len(values)
    same = min(values) == max(values)
    mean = values[0] if same else math.fsum(values) / count
    if count < 2 or not all(map(math.isfinite, values)):
        return Estimate(mean, sign * math.inf, count)
    from scipy import stats  # comes with MLflow

    spread = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return Estimate(mean, mean + sign * quantile * math.sqrt(spread / count), count)


def promising(ranked: Iterable[T], same: Callable[[T], object]) -> list[T]:
    """Return which of the trials are worth repeating: the best quarter, three at least.

    Parameters
    ----------
    ranked : iterable
        Those that gave a value and keep all rules, the best first.
    same : callable
        Returns what two trials of the same parameters share: only the better is repeated.
    """
    trials = list(ranked)
    wanted = max(LEAST, -(-len(trials) // SHARE))
    first: dict[object, T] = {}
    for one in trials:
        first.setdefault(same(one), one)
    return list(first.values())[:wanted]


def front(values: Sequence[Sequence[float]], signs: Sequence[int]) -> list[int]:
    """Return the places of the values that no others beat: the Pareto front.

    Parameters
    ----------
    values : sequence of sequences of float
        Of each trial, one for each metric.
    signs : sequence of int
        1 for each metric of which less is better, -1 where more is.
    """
    costs = [[s * v for s, v in zip(signs, one, strict=True)] for one in values]
    found: list[int] = []
    best: list[list[float]] = []
    for at in sorted(range(len(costs)), key=lambda at: (costs[at], at)):
        # sorted so, only what came before can beat it
        if not any(_beats(other, costs[at]) for other in best):
            best.append(costs[at])
            found.append(at)
    return found


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    better = all(a <= b for a, b in zip(one, other, strict=True))
    return better and any(a < b for a, b in zip(one, other, strict=True))
