"""Figures of object detection, of instance segmentation and of key points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Poses
from cvtrack_magics.tasks.class_names import check_labels
from cvtrack_magics.tasks.counting import MAX_CURVES, Options, class_names, counted
from cvtrack_magics.tasks.detection.coco_metrics import IOUS, RECALLS, Precision, areas, evaluate
from cvtrack_magics.tasks.detection.detection_counts import (
    at_threshold,
    best_threshold,
    confusion,
    mean_precision,
    objects,
    samples,
)
from cvtrack_magics.tasks.detection.other_precisions import units_with, with_others
from cvtrack_magics.tasks.detection.tide import lost_precision
from cvtrack_magics.tasks.precision_interval import precision_interval
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import sampling_of
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.evaluation import Curve, Evaluation
from cvtrack_magics.vision.metric_catalog import HEADLINES, metric_parts


def measure_detection(predictions: Predictions, options: Options) -> Evaluation:
    """Measure an object detection.

    Precision, recall and F1 are over all classes together, at ``options.iou`` and at the
    threshold; without one, at the score where F1 is best. Boxes whose score is NaN are
    dropped; crowds and ignored objects take predictions without counting them.

    Raises
    ------
    UsageProblem
        A label is out of range, or the predictions have no scores.
    """
    return _measure(predictions, options, masks=False)


def measure_instance(predictions: Predictions, options: Options) -> Evaluation:
    """Measure an instance segmentation as :func:`measure_detection`, by masks instead of boxes.

    Raises
    ------
    UsageProblem
        As :func:`measure_detection`, and where there are no masks.
    """
    return _measure(predictions, options, masks=True)


def measure_keypoints(predictions: Predictions, options: Options) -> Evaluation:
    """Measure key points as :func:`measure_detection`, by OKS instead of IoU.

    Objects of which no point is labelled do not count, as in COCO.

    Raises
    ------
    UsageProblem
        As :func:`measure_detection`.
    """
    return _measure(predictions, options, masks=False)


def measure_oriented(predictions: Predictions, options: Options) -> Evaluation:
    """Measure oriented boxes as :func:`measure_detection`, by the area that turned boxes share.

    Raises
    ------
    UsageProblem
        As :func:`measure_detection`.
    """
    return _measure(predictions, options, masks=False)


def _measure(predictions: Predictions, options: Options, *, masks: bool) -> Evaluation:
    notes: list[str] = []
    data = predictions.boxes
    sigmas = data.sigmas if isinstance(data, Poses) else None
    truth = data.truth
    prediction = _scored(predictions.boxes.prediction, notes)
    labels = np.concatenate((truth.labels, prediction.labels))
    count = len(predictions.classes) or int(labels.max(initial=0)) + 1
    names = class_names(predictions, count)
    check_labels(truth.labels, count, "truth")
    check_labels(prediction.labels, count, "prediction")
    if masks:
        truth, prediction = _masked(truth, "truth"), _masked(prediction, "prediction")
    if truth.ignored is not None and truth.ignored.any():
        left = counted(int(truth.ignored.sum()), "object")
        notes.append(f"{left} to ignore (difficult, ignore): neither found nor missed.")
    every, truth = truth, _of_area(_labelled(truth, notes), options.area, masks=masks)
    if not objects(truth).any():
        notes.append("There is no true object: AP and recall have no value.")
    if not len(prediction.labels):
        notes.append("Nothing was predicted: precision has no value.")

    sizes = predictions.sizes
    area = options.area
    precision, matches = evaluate(
        every, prediction, sizes, count, options.iou, masks=masks, area=area, sigmas=sigmas
    )
    parts = metric_parts(names)
    metrics = _precisions(precision, masks=masks, poses=sigmas is not None)
    if masks:
        boxes, _ = evaluate(every, prediction, sizes, count, 0.5, masks=False, area=area)
        metrics |= {"bbox_AP": boxes.mean(*IOUS), "bbox_AP50": boxes.mean(0.5)}
    ap50 = precision.per_class(0.5)
    key = "mask_AP50" if masks else "AP50" if sigmas is None else "keypoint_AP50"
    metrics |= {f"{key}/{part}": float(ap50[k]) for k, part in enumerate(parts)}

    threshold = options.threshold
    if threshold is not None and prediction.scores is not None:
        # A score of 0.7 lies on 0.7, in however few bits it came.
        threshold = float(prediction.scores.dtype.type(threshold))
    if threshold is None:
        threshold = best_threshold(matches, truth, options.iou)
        metrics["best_threshold"] = threshold
    found = at_threshold(matches, truth, options.iou, threshold)
    metrics |= found.rates
    headline = HEADLINES[predictions.task]
    ious = IOUS if masks or sigmas is not None else IOUS[:1]
    sampling = sampling_of(predictions, options, notes)
    labels, counts = units_with(truth, sampling.units)
    around, replicates = precision_interval(
        headline,
        metrics[headline],
        mean_precision(matches, truth, ious),
        sampling,
        counts=counts,
        names=[names[label] for label in labels],
        cost=len(matches.row) * len(ious),
    )
    lost: dict[str, float] = {}
    if options.others:
        replicates = with_others(replicates, matches, truth, parts, sampling, masks=masks)
    if options.others and sigmas is None:
        lost = lost_precision(matches, truth, prediction, count, masks=masks)
        metrics |= {f"TIDE/{error}": value for error, value in lost.items()}
    return Evaluation(
        predictions.task,
        metrics,
        headline,
        around,
        names,
        {
            "AP50": ap50,
            "support": np.bincount(truth.labels[objects(truth)], minlength=count),
        },
        confusion(
            found,
            matches,
            truth,
            prediction,
            count=count,
            iou=options.iou,
            masks=masks,
            sigmas=sigmas,
        ),
        _curves(precision, names, notes),
        {
            "id": np.array(predictions.ids),
            **_of_samples(samples(found, matches, truth, options.iou), poses=sigmas is not None),
            **sampling.units.column(),
        },
        tuple(notes),
        replicates=replicates,
        lost=lost,
    )


def _of_samples(columns: dict[str, Array], *, poses: bool) -> dict[str, Array]:
    """Return the columns of the samples' table; of key points the overlap is the OKS."""
    return {"oks" if poses and key == "iou" else key: v for key, v in columns.items()}


def _precisions(precision: Precision, *, masks: bool, poses: bool) -> dict[str, float]:
    """Return the average precisions of all classes together, by the names of their task."""
    every, half, strict = precision.mean(*IOUS), precision.mean(0.5), precision.mean(0.75)
    if masks:
        return {"mask_AP": every, "mask_AP50": half}
    if poses:
        named = {"keypoint_AP": every, "keypoint_AP50": half, "keypoint_AP75": strict}
        return {**named, "keypoint_AR": precision.mean_recall()}
    return {"mAP50": half, "mAP75": strict, "mAP50-95": every}


def _labelled(truth: Boxes, notes: list[str]) -> Boxes:
    """Return the truth whose objects without a labelled key point do not count."""
    if truth.points is None:
        return truth
    bare = np.logical_not((truth.points[..., 2] > 0).any(axis=1))
    if not bare.any():
        return truth
    notes.append(f"{counted(int(bare.sum()), 'object')} without a labelled point: do not count.")
    return replace(truth, ignored=bare if truth.ignored is None else truth.ignored | bare)


def _of_area(truth: Boxes, area: tuple[float, float] | None, *, masks: bool) -> Boxes:
    """Return the truth whose objects of another size do not count."""
    if area is None:
        return truth
    size = areas(truth, masks=masks)
    outside = (size < area[0]) | (size > area[1])
    ignored = outside if truth.ignored is None else truth.ignored | outside
    return replace(truth, ignored=ignored)


def _scored(boxes: Boxes, notes: list[str]) -> Boxes:
    """Return the predictions whose score is a number."""
    if boxes.scores is None:
        raise UsageProblem("The predicted boxes have no scores.", "Give one for each box.")
    kept = ~np.isnan(boxes.scores)
    if kept.all():
        return boxes
    dropped = int((~kept).sum())
    notes.append(f"{dropped:,} predicted box{'es' if dropped > 1 else ''} with score NaN dropped.")
    return boxes.only(kept)


def _masked(boxes: Boxes, what: str) -> Boxes:
    masks = boxes.masks or ()
    if len(masks) != len(boxes.labels):
        raise UsageProblem(
            f"{what}: there are {counted(len(masks), 'mask')} for {len(boxes.labels):,} objects.",
            "Instance segmentation needs one mask for each.",
        )
    return replace(boxes, masks=masks)


def _curves(precision: Precision, names: tuple[str, ...], notes: list[str]) -> tuple[Curve, ...]:
    ap50 = precision.per_class(0.5)
    with_truth = np.flatnonzero(~np.isnan(ap50))
    if len(with_truth) > MAX_CURVES:
        notes.append(f"No curves: there are more than {MAX_CURVES} classes.")
        return ()
    at = int(np.argmin(np.abs(precision.ious - 0.5)))
    return tuple(
        Curve(
            "pr",
            names[k],
            RECALLS,
            precision.curves[at, :, k],
            precision.scores[at, :, k],
            float(ap50[k]),
        )
        for k in with_truth
    )
