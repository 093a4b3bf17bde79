"""The bootstrap: samples are drawn again with replacement, and a figure is computed of each draw.

A resample is a row of weights, how often each sample was drawn; every figure is computed from
sums that were made once for each sample, for blocks of resamples at a time. Samples that belong
together are drawn together.

Samples are drawn in the order of their ids, whatever order they came in: two evaluations of the
same samples with the same seed draw the same ones, and their replicates can be compared in pairs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.counting import counted, divided
from cvtrack_magics.tasks.units import Sampling, Units
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Replicates

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


def resampled(sampling: Sampling, statistic: Statistic, cost: int = 0) -> Replicates | None:
    """Return a figure in each resample.

    Parameters
    ----------
    sampling : Sampling
        Of N samples; told when fewer resamples were taken.
    statistic : callable
        Returns the figure for each row of weights R × N, or its K terms, R × K.
    cost : int
        How many numbers one resample goes through.

    Returns
    -------
    Replicates or None
        None with fewer than two units or no resamples.
    """
    if not sampling.wanted:
        return None
    units, options = sampling.units, sampling.options
    samples = len(units.of)
    resamples = options.resamples
    if resamples * max(cost, samples) > _WORK:
        resamples = min(resamples, max(_FEWEST, _WORK // max(cost, samples)))
        if resamples < options.resamples:
            sampling.notes.append(
                f"The interval is of {counted(resamples, 'resample')}, not "
                f"{options.resamples:,}: the set is large."
            )
    first, parts = "", []
    for block in draws(units.count, resamples, np.random.default_rng(options.seed)):
        first = first or _digest(block[0], units)
        parts.append(statistic(block[:, units.of]))
    terms = np.concatenate(parts)
    values = terms if terms.ndim == 1 else mean_of_terms(terms)
    return Replicates(values, options.seed, first, terms if terms.ndim > 1 else None)


def _digest(drawn: Floats, units: Units) -> str:
    """Return a digest of how often each unit was drawn, and of which samples each is."""
    whole = hashlib.sha256(drawn.astype("<i4").tobytes())
    if not units.single:
        sizes = np.bincount(units.of, minlength=units.count)
        whole.update(sizes.astype("<i4").tobytes())
    return whole.hexdigest()[:16]


def mean_of_terms(terms: Floats) -> Floats:
    """Return the mean of each row's terms that are not NaN; NaN of none."""
    there = ~np.isnan(terms)
    return divided(np.where(there, terms, 0).sum(axis=1), there.sum(axis=1))


def halves(units: Units, pairs: int, seed: int) -> Floats:
    """Return weights of halves of the units, 2 · pairs × N, each beside the other half."""
    rng, half = np.random.default_rng(seed), units.count // 2
    made = np.zeros((2 * pairs, units.count))
    for pair in range(pairs):
        order = rng.permutation(units.count)
        made[2 * pair, order[:half]] = made[2 * pair + 1, order[half:]] = 1
    return np.asarray(made[:, units.of])


def ratio_of_sums(parts: Array, wholes: Array) -> Statistic:
    """Return the statistic Σ parts / Σ wholes; both float N."""

    def statistic(weights: Floats) -> Floats:
        return divided(weights @ parts, weights @ wholes)

    return statistic


def class_iou(hits: Array, truth: Array, prediction: Array) -> Statistic:
    """Return the IoU of each class, NaN of one that does not occur.

    Parameters
    ----------
    hits, truth, prediction : float, N × K
        Pixels of each sample and class that are right, true and predicted.
    """

    def statistic(weights: Floats) -> Floats:
        right = weights @ hits
        union = weights @ truth + weights @ prediction - right
        return divided(right, union)

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
