"""Figures of a semantic segmentation, from a confusion of its pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Segments
from cvtrack_magics.tasks.bootstrap import class_iou, mean_of_terms, ratio_of_sums, resampled
from cvtrack_magics.tasks.class_names import check_labels
from cvtrack_magics.tasks.counting import (
    MAX_CURVES,
    NAN,
    Options,
    class_names,
    counted,
    divided,
    mean,
    need,
)
from cvtrack_magics.tasks.intervals import interval, of_ratios
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import Sampling, sampling_of
from cvtrack_magics.vision.arrays import Array, shape_of
from cvtrack_magics.vision.evaluation import Evaluation, Interval, Replicates
from cvtrack_magics.vision.metric_catalog import metric_parts


def measure_semantic(predictions: Predictions, options: Options) -> Evaluation:
    """Measure a semantic segmentation.

    Pixels that are ``ignore`` in the truth do not count, whatever was predicted there. Pixels
    that are ``lost`` in the prediction are wrong: no class was predicted. The means are over
    the classes that occur in truth or prediction.

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
    total = np.zeros((count, count + 1), np.int64)
    hits, true, said = (np.zeros((len(predictions), count)) for _ in range(3))
    for row, (truth, prediction) in pairs:
        table = _confusion(truth, prediction, count, data, predictions.ids[row])
        total += table
        hits[row], true[row] = np.diag(table), table.sum(axis=1)
        said[row] = table.sum(axis=0)[:count]

    iou, dice, accuracy = _figures(total)
    _note_lost(data, int(total[:, count].sum()), notes)
    if not total.any():
        notes.append("Every pixel is ignored: nothing was measured.")
    elif not true.any(axis=1).all():
        blank = int((~true.any(axis=1)).sum())
        notes.append(f"In {blank:,} of {len(true):,} samples every pixel is ignored.")
    metrics = {"mIoU": mean(iou), "pixel_acc": accuracy, "mean_dice": mean(dice)}
    parts = metric_parts(names)
    metrics |= {f"per_class_IoU/{part}": float(iou[k]) for k, part in enumerate(parts)}
    sampling = sampling_of(predictions, options, notes)
    replicates = _replicates(hits, true, said, parts, sampling)
    around = _interval(metrics["mIoU"], (hits, true, said), names, sampling)
    return Evaluation(
        "semantic",
        metrics,
        "mIoU",
        around,
        names,
        {"IoU": iou, "dice": dice, "support": total.sum(axis=1)},
        total[:, :count],
        samples={
            "id": np.array(predictions.ids),
            **_samples(hits, true, said),
            **sampling.units.column(),
        },
        notes=tuple(notes),
        replicates=replicates,
    )


def _replicates(
    hits: Array, true: Array, said: Array, parts: list[str], sampling: Sampling
) -> Replicates | None:
    """Return the mean IoU in each resample; beside it Dice, accuracy and the classes' IoU."""
    made = resampled(sampling, class_iou(hits, true, said))
    if made is None or made.terms is None:
        return made
    quiet = replace(sampling, notes=[])
    right = resampled(quiet, ratio_of_sums(hits.sum(axis=1), true.sum(axis=1)))
    others = {
        "mean_dice": mean_of_terms(2 * made.terms / (1 + made.terms)),
        **({"pixel_acc": right.values} if right else {}),
    }
    if len(parts) <= MAX_CURVES:
        others |= {f"per_class_IoU/{part}": made.terms[:, k] for k, part in enumerate(parts)}
    return replace(made, others=others)


def _interval(
    value: float, pixels: tuple[Array, Array, Array], names: tuple[str, ...], sampling: Sampling
) -> Interval | None:
    """Return the interval of the mean over the classes that occur, of N × K sums of pixels."""
    occurs = np.flatnonzero((pixels[1] + pixels[2]).any(axis=0))
    if not (len(occurs) and sampling.wanted):
        return None
    right, true, said = (sampling.units.sums(part[:, occurs]) for part in pixels)
    counts = (true > 0).sum(axis=0).astype(np.float64)
    if sampling.too_few(counts, [names[k] for k in occurs], "with"):
        return None
    spread = of_ratios(right, true + said - right, counts)
    return interval("mIoU", value, [spread], sampling.options.level)


def _count(predictions: Predictions) -> int:
    data = predictions.segments
    top = 0
    for truth, prediction in zip(data.truth, data.prediction, strict=True):
        valid = truth[truth != data.ignore] if data.ignore is not None else truth
        known = prediction[prediction != data.lost] if data.lost is not None else prediction
        top = max(top, int(valid.max(initial=0)), int(known.max(initial=0)))
    return top + 1


def _confusion(
    truth: Array, prediction: Array, count: int, data: Segments, name: str
) -> npt.NDArray[np.int64]:
    """Return K × K + 1 counts of pixels, the last column those of no predicted class."""
    if truth.shape != prediction.shape:
        raise UsageProblem(
            f"{name}: the prediction is of {shape_of(prediction)} pixels, "
            f"the truth of {shape_of(truth)}."
        )
    truth, prediction = (part.reshape(-1).astype(np.int64) for part in (truth, prediction))
    if data.ignore is not None:
        valid = truth != data.ignore
        truth, prediction = truth[valid], prediction[valid]
    check_labels(truth, count, f"{name}: truth")
    lost = prediction == data.lost if data.lost is not None else np.zeros(prediction.shape, bool)
    check_labels(prediction[~lost], count, f"{name}: prediction")
    prediction[lost] = count
    cells = np.bincount(truth * (count + 1) + prediction, minlength=count * (count + 1))
    return cells.reshape(count, count + 1).astype(np.int64)


def _note_lost(data: Segments, wrong: int, notes: list[str]) -> None:
    if data.lost is None:
        return
    lost = sum(int((plane == data.lost).sum()) for plane in data.prediction)
    line = f"{counted(wrong, 'pixel')} of no predicted class (NaN) counted as wrong"
    notes.append(f"{line}; {lost - wrong:,} more ignored." if lost > wrong else f"{line}.")


def _figures(table: npt.NDArray[np.int64]) -> tuple[Array, Array, float]:
    """Return IoU and Dice of each class (NaN where absent) and the accuracy."""
    iou, dice = np.full((2, len(table)), np.nan)
    truth, prediction = np.nonzero(table)
    if not len(truth):
        return iou, dice, NAN
    metrics = need("sklearn.metrics", "scikit-learn")
    occurring = np.union1d(truth, prediction[prediction < len(table)])
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
