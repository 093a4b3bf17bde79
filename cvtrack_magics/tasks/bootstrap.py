"""Confidence intervals: samples are drawn again with replacement, percentiles are taken.

A share of samples has the exact interval.

A resample is a row of weights, how often each sample was drawn; every figure is computed from
sums that were made once for each sample, for blocks of resamples at a time.

Samples are drawn in the order of their ids, whatever order they came in: two evaluations of the
same samples with the same seed draw the same ones, and their replicates can be compared in pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.counting import Options, counted, divided
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Interval, Replicates

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
_BLOCK = 4_000_000  # numbers in a block of weights: 32 MB
_WORK = 200_000_000  # resamples × items beyond which fewer resamples are taken: about ten seconds
_FEWEST = 100


def draws(samples: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield weights, resamples × samples in blocks; each row adds up to ``samples``.

    The first rows are the same however many are asked for.
    """
    block = max(1, _BLOCK // samples)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(0, samples, (rows, samples))
        drawn += np.arange(rows)[:, None] * samples
        counts = np.bincount(drawn.reshape(-1), minlength=rows * samples)
        yield counts.reshape(rows, samples).astype(np.float64)


def interval(
    metric: str,
    value: float,
    ids: Sequence[str],
    statistic: Statistic,
    *,
    options: Options,
    notes: list[str],
    cost: int = 0,
) -> tuple[Interval | None, Replicates | None]:
    """Return the bootstrap interval of a figure, and the figure in each resample.

    Parameters
    ----------
    metric, value : str, float
        The figure.
    ids : sequence of str, N
        A name for each sample, all different.
    statistic : callable
        Returns the figure for each row of weights.
    options : Options
        ``resamples``, ``level`` and ``seed``.
    notes : list of str
        Told when fewer resamples were taken.
    cost : int
        How many numbers one resample goes through.

    Returns
    -------
    Interval or None, Replicates or None
        None where the figure has no value, with fewer than two samples or no resamples.
    """
    samples = len(ids)
    if not np.isfinite(value) or samples < 2 or options.resamples < 1:
        return None, None
    resamples = options.resamples
    if resamples * max(cost, samples) > _WORK:
        resamples = min(resamples, max(_FEWEST, _WORK // max(cost, samples)))
        if resamples < options.resamples:
            notes.append(
                f"The interval is of {counted(resamples, 'resample')}, not "
                f"{options.resamples:,}: the set is large."
            )
    place, first, parts = _places(ids), "", []
    for block in draws(samples, resamples, np.random.default_rng(options.seed)):
        first = first or hashlib.sha256(block[0].astype("<i4").tobytes()).hexdigest()[:16]
        parts.append(statistic(block[:, place]))
    values = np.concatenate(parts)
    made = Replicates(values, options.seed, first)
    return percentiles(metric, value, values, options.level), made


def _places(ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return where each sample stands in the order of the ids."""
    # not by NumPy, whose strings drop a NUL at the end
    order = sorted(range(len(ids)), key=ids.__getitem__)
    places = np.empty(len(ids), np.int64)
    places[order] = np.arange(len(ids))
    return places


def percentiles(metric: str, value: float, values: Array, level: float) -> Interval | None:
    """Return the interval that holds the middle ``level`` of the values that are not NaN."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(metric, value, float(low), float(high), level, len(values))


def accuracy_interval(metric: str, correct: int, samples: int, options: Options) -> Interval | None:
    """Return the interval of a share of samples, which needs no resamples.

    It holds the true share in at least ``level`` of all sets, however few samples there are
    (Clopper and Pearson, Biometrika 26, 1934). Percentiles of resamples do in 58 % of the sets of
    50 samples where it is 0.98, and have no width where all samples are right.
    """
    if samples < 2 or options.resamples < 1:
        return None
    from scipy import stats  # comes with MLflow

    tail, wrong = (1 - options.level) / 2, samples - correct
    low = float(stats.beta.ppf(tail, correct, wrong + 1)) if correct else 0.0
    high = float(stats.beta.isf(tail, correct + 1, wrong)) if wrong else 1.0
    return Interval(metric, correct / samples, low, high, options.level, 0)


def ratio_of_sums(parts: Array, wholes: Array) -> Statistic:
    """Return the statistic Σ parts / Σ wholes; both float N."""

    def statistic(weights: Floats) -> Floats:
        return divided(weights @ parts, weights @ wholes)

    return statistic


def mean_iou(hits: Array, truth: Array, prediction: Array) -> Statistic:
    """Return the mean over the classes that occur of their IoU.

    Parameters
    ----------
    hits, truth, prediction : float, N × K
        Pixels of each sample and class that are right, true and predicted.
    """

    def statistic(weights: Floats) -> Floats:
        right = weights @ hits
        union = weights @ truth + weights @ prediction - right
        iou = np.nan_to_num(divided(right, union))
        return divided(iou.sum(axis=1), (union > 0).sum(axis=1))

    return statistic


def area_under_roc(truth: Array, scores: Array) -> Statistic:
    """Return the AUROC: of all pairs, the share with the anomaly above; equals count half."""
    order = np.argsort(scores, kind="stable")
    ranked = np.asarray(scores)[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    positive = np.asarray(truth)[order] == 1

    def statistic(weights: Floats) -> Floats:
        drawn = weights[:, order]
        above = np.add.reduceat(np.where(positive, drawn, 0), starts, axis=1)
        below = np.add.reduceat(np.where(positive, 0, drawn), starts, axis=1)
        wins = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
        pairs = above.sum(axis=1) * below.sum(axis=1)
        return divided(wins, pairs)

    return statistic
