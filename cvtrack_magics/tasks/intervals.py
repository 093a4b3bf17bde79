"""Confidence intervals that hold the true figure as often as they say, of few samples too.

A figure is made of parts: the classes of a mean IoU or a mean AP, the two kinds of samples of an
AUROC, or one part alone. Of each part its variance is known and in how many independent *units*
it was measured: samples, or groups of samples that belong together.

From variance and degrees of freedom (Satterthwaite, Biometrics Bulletin 2, 1946) follows how many
plain yes-or-no samples would tell as much, and for those there is the exact interval of a share
(Korn and Graubard, Survey Methodology 24, 1998). What no sample has shown may still be there: at
the lower end the variance of each part is that with one more unit that fails wholly, at the upper
end with one more that is wholly right. So an interval has width where all samples are right.

``benchmarks/INTERVALS.md`` has how often they hold the true figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.units import Sampling
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Interval

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How much a figure may differ from the true one.

    Attributes
    ----------
    value : float
        The figure, from 0 to ``most``.
    variance : float
        Of the figure.
    parts : float64, K
        Variances of what each part adds to the figure.
    units : float64, K
        How many independent units each part was measured in, above 0.
    down, up : float64, K
        By how much the figure falls where a part fails wholly, and rises where it is wholly
        right.
    most : float
        The greatest value that the figure could have.
    """

    value: float
    variance: float
    parts: Floats
    units: Floats
    down: Floats
    up: Floats
    most: float = 1.0


def ends(spread: Spread, level: float) -> tuple[float, float]:
    """Return the lower and the upper end of an interval."""
    most = spread.most
    low = _lower(spread.value / most, spread, spread.down / most, level)
    return low * most, (1 - _lower(1 - spread.value / most, spread, spread.up / most, level)) * most


def _lower(share: float, spread: Spread, loss: Floats, level: float) -> float:
    from scipy import special  # comes with MLflow

    one_more = loss / (spread.units + 1)
    expected = share - one_more.sum()
    if expected <= 0:
        return 0.0
    parts = spread.parts / spread.most**2 + one_more**2
    variance = spread.variance / spread.most**2 + (one_more**2).sum()
    if variance <= 0:
        return share
    freedom = max(1.0, parts.sum() ** 2 / (parts**2 / spread.units).sum())
    shrunk = (special.ndtri((1 + level) / 2) / special.stdtrit(freedom, (1 + level) / 2)) ** 2
    size = expected * (1 - expected) / variance * shrunk
    right = min(share, 1.0) * size
    return float(special.betaincinv(right, size - right + 1, (1 - level) / 2))


def of_terms(terms: Floats, each: Floats, variance: float, units: Floats) -> Spread:
    """Return the spread of the mean of K terms between 0 and 1.

    Parameters
    ----------
    terms, each : float64, K
        The terms and their variances.
    variance : float
        Of the mean.
    units : float64, K
        How many units each term was measured in.
    """
    count = len(terms)
    down, up = terms / count, (1 - terms) / count
    return Spread(float(terms.mean()), variance, each / count**2, units, down, up)


def of_ratios(parts: Floats, wholes: Floats, units: Floats) -> Spread:
    """Return the spread of the mean over K of Σ parts / Σ wholes, by the jackknife.

    Parameters
    ----------
    parts, wholes : float64, G × K
        Sums over each of G units, every column of ``wholes`` with a sum above 0.
    units : float64, K
        How many of the units each ratio depends on.
    """
    groups = len(parts)
    total = wholes.sum(axis=0)
    ratios = parts.sum(axis=0) / total
    left = total - wholes
    # by how much each ratio changes without each unit; a unit alone says nothing of the others
    change = np.divide(parts - ratios * wholes, left, out=np.zeros_like(parts), where=left > 0)
    factor = (groups - 1) / groups
    each = factor * (change**2).sum(axis=0)
    variance = factor * float((change.mean(axis=1) ** 2).sum())
    return of_terms(ratios, each, variance, units)


def of_share(right: Floats, sizes: Floats) -> Spread:
    """Return the spread of a share of samples that come in G units; both float64 G."""
    return of_ratios(right[:, None], sizes[:, None], np.array([float(len(sizes))]))


def of_pairs(truth: Array, scores: Array, unit: npt.NDArray[np.int64]) -> Spread:
    """Return the spread of the AUROC.

    The variance is that of DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), of samples
    in units that of Obuchowski (Biometrics 53, 1997). A part that fails wholly is no better than
    chance.

    Parameters
    ----------
    truth : int, N
        1 of an anomalous sample, 0 of a normal one; both occur.
    scores : float, N
        Higher is more anomalous; no NaN.
    unit : int64, N
        Which unit each sample belongs to, from 0.
    """
    positive = np.asarray(truth) == 1
    place = np.empty(len(scores))
    place[positive] = _placed(scores[positive], scores[~positive])
    place[~positive] = 1 - _placed(scores[~positive], scores[positive])
    area = float(place[positive].mean())
    groups = int(unit.max()) + 1
    sums, parts, units = np.zeros(groups), [], []
    for kind in (positive, ~positive):
        share = np.zeros(groups)
        np.add.at(share, unit[kind], (place[kind] - area) / kind.sum())
        count = len(np.unique(unit[kind]))
        share *= math.sqrt(count / (count - 1)) if count > 1 else 0.0
        sums += share
        parts.append(float((share**2).sum()))
        units.append(float(count))
    down = np.full(2, max(area - 0.5, area / 4))
    up = np.full(2, 1 - area)
    variance = float((sums**2).sum())
    return Spread(area, variance, np.array(parts), np.array(units), down, up)


def _placed(scores: Array, among: Array) -> Floats:
    """Return the share of others below each score, equal ones by half."""
    order = np.sort(among)
    below = np.searchsorted(order, scores, "left") + np.searchsorted(order, scores, "right")
    return np.asarray(below / 2 / len(order), np.float64)


def of_errors(errors: Floats, pixels: Floats) -> Spread:
    """Return the spread of a mean relative error Σ errors / Σ pixels.

    A unit that fails wholly has an error of 1, as if 0 was predicted everywhere, or the worst
    that was seen.

    Parameters
    ----------
    errors, pixels : float64, G
        Sums over each of G units.
    """
    found = of_ratios(errors[:, None], pixels[:, None], np.array([float((pixels > 0).sum())]))
    worst = np.divide(errors, pixels, out=np.zeros_like(errors), where=pixels > 0).max()
    most = max(1.0, float(worst))
    return replace(found, up=np.array([most - found.value]), most=most)


def freed_of_bias(spread: Spread, bias: float) -> Spread:
    """Return the spread about the figure less its bias; of a mean of terms."""
    moved = min(max(spread.value - bias, 0.0), 1.0)
    count = len(spread.parts)
    down = np.clip(spread.down - bias / count, 0, 1 / count)
    return replace(spread, value=moved, down=down, up=1 / count - down)


def interval(
    metric: str, value: float, spreads: Sequence[Spread], level: float, resamples: int = 0
) -> Interval:
    """Return what the intervals of all spreads cover together, and the value."""
    found = [ends(spread, level) for spread in spreads]
    low = min(value, *(one[0] for one in found))
    high = max(value, *(one[1] for one in found))
    return Interval(metric, value, low, high, level, resamples)


def share_interval(
    metric: str, right: npt.NDArray[np.bool_], sampling: Sampling
) -> Interval | None:
    """Return the interval of a share of N samples.

    Where each is a unit of its own it is exact: it holds the true share in at least ``level`` of
    all sets, however few samples there are (Clopper and Pearson, Biometrika 26, 1934).
    """
    if not sampling.wanted:
        return None
    samples, level, units = len(right), sampling.options.level, sampling.units
    if not units.single:
        if sampling.too_few([units.count], ["samples"], "of"):
            return None
        spread = of_share(units.sums(right), units.sums(np.ones(samples)))
        return interval(metric, float(right.mean()), [spread], level)
    from scipy import special  # comes with MLflow

    tail, correct = (1 - level) / 2, int(right.sum())
    wrong = samples - correct
    low = float(special.betaincinv(correct, wrong + 1, tail)) if correct else 0.0
    high = 1 - float(special.betaincinv(wrong, correct + 1, tail)) if wrong else 1.0
    return Interval(metric, correct / samples, low, high, level, 0)
