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
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.bootstrap import Statistic, halves, mean_of_terms, resampled
from cvtrack_magics.tasks.counting import MAX_CURVES
from cvtrack_magics.tasks.detection.coco_metrics import IOUS, Matches
from cvtrack_magics.tasks.detection.detection_counts import mean_precision
from cvtrack_magics.tasks.intervals import freed_of_bias, interval, of_terms
from cvtrack_magics.tasks.units import Sampling, Units
from cvtrack_magics.vision.boxes import Boxes, counted_objects
from cvtrack_magics.vision.evaluation import Interval, Replicates

OTHERS = 200
"""Resamples of the other average precisions, of which some take ten times as long."""
PAIRS = 40
"""Pairs of halves; a tenth of the resamples where those are fewer."""
_GROWTH = 1 / (2**0.4 - 1)


def precision_interval(
    metric: str,
    value: float,
    statistic: Statistic,
    sampling: Sampling,
    *,
    truth: Boxes,
    names: tuple[str, ...],
    cost: int,
) -> tuple[Interval | None, Replicates | None]:
    """Return the interval of a mean AP, and its replicates.

    Parameters
    ----------
    metric, value : str, float
        The figure: the mean of the statistic's terms.
    statistic : callable
        Returns the AP of each class with truth, for each row of weights.
    sampling : Sampling
        Of N samples.
    truth : Boxes
        Their true objects.
    names : tuple of str
        Of all classes.
    cost : int
        How many numbers one resample goes through.
    """
    if not math.isfinite(value):
        return None, None
    units, options = sampling.units, sampling.options
    made = resampled(sampling, statistic, cost)
    if made is None or made.terms is None:
        return None, None
    found, counts = _units_with(truth, units)
    if sampling.too_few(counts, [names[label] for label in found], "with"):
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


def with_others(
    made: Replicates | None,
    matches: Matches,
    truth: Boxes,
    parts: Sequence[str],
    sampling: Sampling,
    *,
    masks: bool,
) -> Replicates | None:
    """Return replicates of a headline with those of the other average precisions.

    Parameters
    ----------
    made : Replicates or None
        Of the headline.
    matches, truth
        The predictions, and the true objects of N samples.
    parts : sequence of str
        What stands for each class in a metric's name.
    sampling : Sampling
        Of the samples.
    masks : bool
        Whether these are masks.
    """
    if made is None or made.terms is None:
        return made
    asked = {"mask_AP50": IOUS[:1]} if masks else {"mAP75": IOUS[5:6], "mAP50-95": IOUS}
    few = replace(sampling.options, resamples=min(OTHERS, sampling.options.resamples))
    quiet = replace(sampling, options=few, notes=[])
    found = {
        name: resampled(quiet, mean_precision(matches, truth, ious), len(matches.row) * len(ious))
        for name, ious in asked.items()
    }
    others = {name: one.values for name, one in found.items() if one is not None}
    alone = found["mask_AP50"] if masks else made
    labels = np.unique(truth.labels[counted_objects(truth)])
    if alone is not None and alone.terms is not None and len(labels) <= MAX_CURVES:
        key = "mask_AP50" if masks else "AP50"
        own = zip(labels, alone.terms.T, strict=True)
        others |= {f"{key}/{parts[label]}": values for label, values in own}
    return replace(made, others=others)


def _units_with(
    truth: Boxes, units: Units
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the classes with true objects, and in how many units each has some."""
    counted = counted_objects(truth)
    pairs = np.unique(np.stack((truth.labels[counted], units.of[truth.images[counted]])), axis=1)
    labels, counts = np.unique(pairs[0], return_counts=True)
    return labels, counts.astype(np.float64)
