"""Percentiles of repeated measurements, what is known of them, and when they are steady."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cvtrack_magics.artifacts.latency import SHARES

__all__ = ["LEVEL", "SHARES", "fewest", "percentile", "ranks", "spread"]

Floats = npt.NDArray[np.float64]
LEVEL = 0.95
_STEADY_BLOCKS = 3


@lru_cache(maxsize=1024)
def ranks(count: int, share: float, level: float = LEVEL) -> tuple[int, int] | None:
    """Return which order statistics enclose a percentile.

    Parameters
    ----------
    count : int
        Size of the sample.
    share : float
        0.99 for the 99th percentile.
    level : float
        Confidence; what is left of 1 is split evenly between the two sides.

    Returns
    -------
    (int, int) or None
        Ranks from 1 to ``count``, from the smallest; None where the sample is too small for
        both ends: below 6 measurements for the median, 72 for the 95th and 368 for the 99th
        percentile at a level of 0.95.

    Notes
    -----
    How many of n independent measurements lie below the percentile q is binomial (n, q),
    whatever their distribution is: H. A. David and H. N. Nagaraja, *Order Statistics*, 3rd
    edition, Wiley 2003, section 7.1.
    """
    if count < 1:
        return None
    below = np.arange(1, count + 1)
    steps = np.log((count - below + 1) / below) + np.log(share / (1 - share))
    logs = count * np.log1p(-share) + np.concatenate(([0.0], np.cumsum(steps)))
    at_most = np.cumsum(np.exp(logs))
    tail = (1 - level) / 2
    # low: the largest rank with P(B < rank) ≤ tail; high: the smallest with P(B ≥ rank) ≤ tail
    low = int(np.searchsorted(at_most, tail, side="right"))
    high = int(np.searchsorted(at_most, 1 - tail, side="left")) + 1
    return (low, high) if low >= 1 and high <= count else None


def fewest(share: float, level: float = LEVEL) -> int:
    """Return how many measurements an interval of a percentile takes at least."""
    count = 1
    while ranks(count, share, level) is None:
        count += 1
    return count


def percentile(
    values: Floats, share: float, level: float = LEVEL
) -> tuple[float, tuple[float, float]] | None:
    """Return a percentile and its interval, in the values' unit.

    Parameters
    ----------
    values : float64, N
        Measurements in any order.
    share, level : float
        See :func:`ranks`.

    Returns
    -------
    (value, (low, high)) or None
        The value is interpolated as ``numpy.percentile`` does. None where the sample is too
        small to enclose it: then it is not known.
    """
    found = ranks(len(values), share, level)
    if found is None:
        return None
    ordered = np.sort(values)
    low, high = float(ordered[found[0] - 1]), float(ordered[found[1] - 1])
    return float(np.quantile(ordered, share)), (low, high)


def is_steady(durations: Sequence[float], block: int, tolerance: float = 0.1) -> bool:
    """Tell whether the last three blocks of a series have about the same median.

    Parameters
    ----------
    durations : sequence of float
        In the order they were measured.
    block : int
        Measurements in a block.
    tolerance : float
        How far the three medians may be apart, as a share of the middle one.
    """
    wanted = block * _STEADY_BLOCKS
    if len(durations) < wanted:
        return False
    last = np.asarray(durations[-wanted:], np.float64).reshape(_STEADY_BLOCKS, block)
    return spread(np.median(last, axis=1)) <= tolerance


def spread(medians: Sequence[float] | Floats) -> float:
    """Return how far medians lie apart, as a share of the middle one; 0 of fewer than two."""
    if len(medians) < 2:
        return 0.0
    middle = float(np.median(medians))
    return float(np.max(medians) - np.min(medians)) / middle if middle else 0.0
