"""Measure predictions: one call for all tasks, figures as the reference libraries give them."""

from __future__ import annotations

import math
from dataclasses import replace

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.counting import Options
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import Cluster
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.metric_catalog import (
    HEADLINES,
    SCHEME,
    Metric,
    metric_part,
    metric_parts,
)

__all__ = ["HEADLINES", "SCHEME", "Metric", "measure", "metric_part", "metric_parts"]


def measure(
    predictions: Predictions,
    *,
    threshold: float | None = None,
    iou: float = 0.5,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    cluster: Cluster | None = None,
) -> Evaluation:
    """Measure predictions against their truth.

    Parameters
    ----------
    predictions : Predictions
        At least one sample, of any task.
    threshold : float, optional
        The score from which on a box counts, a sample is anomalous, or the second of two
        classes is predicted; of several labels (multilabel) each that is predicted. Without it,
        the one of the best F1, or the likeliest class; of several labels 0.5.
    iou : float
        From which overlap on a box or a mask is found, above 0 and up to 1. The average
        precisions have thresholds of their own.
    resamples : int
        How often the samples are drawn again for the interval of a mean AP and to compare two
        evaluations; 0 for no interval. Fewer are taken where it would be slow, and a note says
        so.
    level : float
        In how many sets of samples the interval of the headline metric holds its true value.
    seed : int
        Of the resamples; the same seed gives the same interval.
    cluster : sequence, mapping or callable, optional
        A key of each sample, in order or by its id: the video a frame is of, the patient.
        Samples of one key are no independent witnesses, so that the interval counts keys.
        Samples with the same picture and truth are found without it.

    Returns
    -------
    Evaluation
        Its metrics are named as in ``SCHEME``. A figure that has no value is NaN, and
        ``notes`` say why.

    Raises
    ------
    UsageProblem
        There are no samples, a label is out of range, or an option cannot be used.
    CvtrackError
        scikit-learn or pycocotools is not installed.
    """
    if not len(predictions):
        raise UsageProblem("There are no samples to measure.")
    check_iou(iou)
    if not 0 < level < 1:
        raise UsageProblem(f"level={level!r} is not between 0 and 1.")
    if threshold is not None and math.isnan(threshold):
        raise UsageProblem("threshold=nan is no score.")
    options = Options(threshold, iou, resamples, level, seed, cluster)
    return measured_by(predictions, options)


def check_iou(iou: float) -> None:
    """Raise unless an object can be found from this IoU on.

    Raises
    ------
    UsageProblem
        It is not above 0 and up to 1.
    """
    if not 0 < iou <= 1:
        raise UsageProblem(f"iou={iou!r} is not above 0 and up to 1.")


def measured_by(predictions: Predictions, options: Options) -> Evaluation:
    """Return what :func:`measure` does, by options that were looked at."""
    kind = kind_of(predictions.task)
    found = kind.measure(predictions, options)
    settings = {
        "threshold": options.threshold,
        "iou": options.iou,
        **kind.settings(predictions),
    }
    found = replace(found, settings=settings, notes=(*predictions.notes, *found.notes))
    if predictions.seconds <= 0:
        return found
    return replace(found, metrics={**found.metrics, "FPS": len(predictions) / predictions.seconds})
