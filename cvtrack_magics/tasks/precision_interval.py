"""The interval of a mean average precision.

An AP is too high where there are few objects: the precision at a recall is the best of many, and
the best of many uncertain figures is a lucky one. How much, halves of the samples tell: the excess
falls with the power 0.4 of their number (simulated: from 0.052 with 50 images to 0.021 with 500),
so that of all is 1 / (2⁰·⁴ - 1) times what halving adds. The interval covers both the figure and
the figure less its excess.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cvtrack_magics.tasks.bootstrap import Statistic, halves, mean_of_terms, resampled
from cvtrack_magics.tasks.intervals import Floats, freed_of_bias, interval, of_terms
from cvtrack_magics.tasks.units import Sampling
from cvtrack_magics.vision.evaluation import Interval, Replicates

PAIRS = 40
"""Pairs of halves; a tenth of the resamples where those are fewer."""
_GROWTH = 1 / (2**0.4 - 1)


def precision_interval(
    metric: str,
    value: float,
    statistic: Statistic,
    sampling: Sampling,
    *,
    counts: Floats,
    names: Sequence[str],
    cost: int,
) -> tuple[Interval | None, Replicates | None]:
    """Return the interval of a mean AP, and its replicates.

    Parameters
    ----------
    metric, value : str, float
        The figure: the mean of the statistic's terms.
    statistic : callable
        Returns the AP of each of K classes with truth, for each row of weights.
    sampling : Sampling
        Of N samples.
    counts : float64, K
        In how many units each of the classes has true objects.
    names : sequence of str, K
        Of these classes.
    cost : int
        How many numbers one resample goes through.
    """
    if not math.isfinite(value):
        return None, None
    units, options = sampling.units, sampling.options
    made = resampled(sampling, statistic, cost)
    if made is None or made.terms is None:
        return None, None
    if sampling.too_few(counts, names, "with"):
        return None, made
    if (~np.isnan(made.terms)).sum(axis=0).min() < 2:
        return None, made  # of one resample
    terms = statistic(np.ones((1, len(units.of))))[0]
    factor = units.count / (units.count - 1)
    each = factor * np.nanvar(made.terms, axis=0, ddof=1)
    spread = of_terms(terms, each, factor * float(np.nanvar(made.values, ddof=1)), counts)
    pairs = max(1, min(PAIRS, len(made.values) // 10))
    half = np.nanmean(mean_of_terms(statistic(halves(units, pairs, options.seed)) - terms))
    freed = freed_of_bias(spread, _GROWTH * float(half))
    return interval(metric, value, (spread, freed), options.level, len(made.values)), made
