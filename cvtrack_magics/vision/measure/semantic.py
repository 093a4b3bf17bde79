"""Figures of a semantic segmentation, from a confusion of its pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array, shape_of
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.measure.bootstrap import interval, mean_iou
from cvtrack_magics.vision.measure.common import (
    NAN,
    Options,
    class_names,
    divided,
    mean,
    need,
)
from cvtrack_magics.vision.measure.scheme import metric_parts
from cvtrack_magics.vision.predictions import Predictions
from cvtrack_magics.vision.reading.names import check_labels


def measure_semantic(predictions: Predictions, options: Options) -> Evaluation:
    """Measure a semantic segmentation.

    Pixels that are ``ignore`` in the truth do not count, whatever was predicted there. The
    means are over the classes that occur in truth or prediction.

    Raises
    ------
    UsageProblem
        A label is out of range, or a prediction is not of its truth's size.
    """
    notes: list[str] = []
    data = predictions.segments
    pairs = enumerate(zip(data.truth, data.prediction, strict=True))
    count = len(predictions.classes) or _count(predictions)
    names = class_names(predictions, count)
    total = np.zeros((count, count), np.int64)
    hits, true, said = (np.zeros((len(predictions), count)) for _ in range(3))
    for row, (truth, prediction) in pairs:
        table = _confusion(truth, prediction, count, data.ignore, predictions.ids[row])
        total += table
        hits[row], true[row], said[row] = np.diag(table), table.sum(axis=1), table.sum(axis=0)

    iou, dice, accuracy = _figures(total)
    if not total.any():
        notes.append("Every pixel is ignored: nothing was measured.")
    elif not true.any(axis=1).all():
        blank = int((~true.any(axis=1)).sum())
        notes.append(f"In {blank:,} of {len(true):,} samples every pixel is ignored.")
    metrics = {"mIoU": mean(iou), "pixel_acc": accuracy, "mean_dice": mean(dice)}
    parts = metric_parts(names)
    metrics |= {f"per_class_IoU/{part}": float(iou[k]) for k, part in enumerate(parts)}
    around, replicates = interval(
        "mIoU",
        metrics["mIoU"],
        predictions.ids,
        mean_iou(hits, true, said),
        options=options,
        notes=notes,
    )
    return Evaluation(
        "semantic",
        metrics,
        "mIoU",
        around,
        names,
        {"IoU": iou, "dice": dice, "support": total.sum(axis=1)},
        total,
        samples={"id": np.array(predictions.ids), **_samples(hits, true, said)},
        notes=tuple(notes),
        replicates=replicates,
    )


def _count(predictions: Predictions) -> int:
    data = predictions.segments
    top = 0
    for truth, prediction in zip(data.truth, data.prediction, strict=True):
        valid = truth[truth != data.ignore] if data.ignore is not None else truth
        top = max(top, int(valid.max(initial=0)), int(prediction.max(initial=0)))
    return top + 1


def _confusion(
    truth: Array, prediction: Array, count: int, ignore: int | None, name: str
) -> npt.NDArray[np.int64]:
    if truth.shape != prediction.shape:
        raise UsageProblem(
            f"{name}: the prediction is of {shape_of(prediction)} pixels, "
            f"the truth of {shape_of(truth)}."
        )
    truth, prediction = truth.reshape(-1).astype(np.int64), prediction.reshape(-1)
    if ignore is not None:
        valid = truth != ignore
        truth, prediction = truth[valid], prediction[valid]
    check_labels(truth, count, f"{name}: truth")
    check_labels(prediction, count, f"{name}: prediction")
    cells = np.bincount(truth * count + prediction, minlength=count * count)
    return cells.reshape(count, count).astype(np.int64)


def _figures(table: npt.NDArray[np.int64]) -> tuple[Array, Array, float]:
    """Return IoU and Dice of each class (NaN where absent) and the accuracy."""
    iou, dice = np.full((2, len(table)), np.nan)
    truth, prediction = np.nonzero(table)
    if not len(truth):
        return iou, dice, NAN
    metrics = need("sklearn.metrics", "scikit-learn")
    occurring = np.union1d(truth, prediction)
    weights = table[truth, prediction]
    asked = {"labels": occurring, "average": None, "sample_weight": weights, "zero_division": 0}
    iou[occurring] = metrics.jaccard_score(truth, prediction, **asked)
    dice[occurring] = metrics.f1_score(truth, prediction, **asked)
    return iou, dice, float(metrics.accuracy_score(truth, prediction, sample_weight=weights))


def _samples(hits: Array, true: Array, said: Array) -> dict[str, Array]:
    union = true + said - hits
    iou = np.nan_to_num(divided(hits, union)).sum(axis=1)
    return {
        "iou": divided(iou, (union > 0).sum(axis=1)),
        "pixel_acc": divided(hits.sum(axis=1), true.sum(axis=1)),
    }
