"""The other average precisions of a detection in the resamples of its headline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.bootstrap import resampled
from cvtrack_magics.tasks.counting import MAX_CURVES
from cvtrack_magics.tasks.detection.coco_metrics import IOUS, Matches
from cvtrack_magics.tasks.detection.detection_counts import mean_precision
from cvtrack_magics.tasks.units import Sampling, Units
from cvtrack_magics.vision.boxes import Boxes, counted_objects
from cvtrack_magics.vision.evaluation import Replicates

OTHERS = 200
"""Resamples of the other average precisions, of which some take ten times as long."""


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
    points = truth.points is not None
    key = "mask_AP50" if masks else "keypoint_AP50" if points else "AP50"
    asked = {"mAP75": IOUS[5:6], "mAP50-95": IOUS}
    if masks or points:
        asked = {key: IOUS[:1], **({"keypoint_AP75": IOUS[5:6]} if points else {})}
    few = replace(sampling.options, resamples=min(OTHERS, sampling.options.resamples))
    quiet = replace(sampling, options=few, notes=[])
    found = {
        name: resampled(quiet, mean_precision(matches, truth, ious), len(matches.row) * len(ious))
        for name, ious in asked.items()
    }
    others = {name: one.values for name, one in found.items() if one is not None}
    alone = found.get(key, made)
    labels = np.unique(truth.labels[counted_objects(truth)])
    if alone is not None and alone.terms is not None and len(labels) <= MAX_CURVES:
        own = zip(labels, alone.terms.T, strict=True)
        others |= {f"{key}/{parts[label]}": values for label, values in own}
    return replace(made, others=others)


def units_with(truth: Boxes, units: Units) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the classes with true objects, and in how many units each has some."""
    counted = counted_objects(truth)
    pairs = np.unique(np.stack((truth.labels[counted], units.of[truth.images[counted]])), axis=1)
    labels, counts = np.unique(pairs[0], return_counts=True)
    return labels, counts.astype(np.float64)
