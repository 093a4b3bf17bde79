"""What follows from the matches at one IoU and one score: counts, confusion, per-image scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.bootstrap import Floats, Statistic
from cvtrack_magics.tasks.counting import NAN, divided, need, ratio
from cvtrack_magics.tasks.detection.coco_metrics import RECALLS, Ints, Matches
from cvtrack_magics.tasks.keypoints.oks import oks
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes, counted_objects
from cvtrack_magics.vision.quads import ious as ious_of_quads

_BLOCK = 2_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """What a score threshold leaves; all but ``threshold`` and ``counted`` is about D predictions.

    Attributes
    ----------
    threshold : float
        Predictions of this score and above count; NaN where there are none.
    hit, miss : bool, D
        True and false positives.
    counted : bool, M
        The true objects that count (crowds and ignored ones do not).
    """

    threshold: float
    hit: npt.NDArray[np.bool_]
    miss: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]

    @property
    def rates(self) -> dict[str, float]:
        """Precision, recall and F1 over all classes."""
        tp, fp, objects = self.hit.sum(), self.miss.sum(), self.counted.sum()
        return {
            "precision": ratio(tp, tp + fp),
            "recall": ratio(tp, objects),
            "F1": ratio(2 * tp, tp + fp + objects),
        }


def objects(truth: Boxes) -> npt.NDArray[np.bool_]:
    """Return which true objects count."""
    return counted_objects(truth)


def at_threshold(matches: Matches, truth: Boxes, iou: float, threshold: float) -> Found:
    """Return what counts at a score."""
    at = matches.at(iou)
    kept = (matches.score >= threshold) & ~matches.ignored[at]
    matched = matches.truth[at] >= 0
    return Found(threshold, kept & matched, kept & ~matched, objects(truth))


def best_threshold(matches: Matches, truth: Boxes, iou: float) -> float:
    """Return the score with the best F1 over all classes, of equal ones the highest."""
    at = matches.at(iou)
    counts = ~matches.ignored[at]
    order = np.argsort(-matches.score[counts], kind="stable")
    score = matches.score[counts][order]
    if not len(score):
        return NAN
    tp = np.cumsum((matches.truth[at] >= 0)[counts][order])
    # 2 TP / (TP + FP + objects), where TP + FP are all predictions down to this one
    f1 = 2 * tp / (np.arange(1, len(score) + 1) + objects(truth).sum())
    last_of_equals = np.append(score[1:] != score[:-1], True)
    return float(score[last_of_equals][np.argmax(f1[last_of_equals])])


def samples(found: Found, matches: Matches, truth: Boxes, iou: float) -> dict[str, Array]:
    """Return one row for each image.

    ``iou`` is the mean over the true positives, NaN without any; ``confidence`` the highest
    score, NaN without predictions; an image with nothing to find and nothing found is correct
    and has an F1 of 1.
    """
    count = len(truth)
    tp = np.bincount(matches.image[found.hit], minlength=count)
    fp = np.bincount(matches.image[found.miss], minlength=count)
    fn = np.bincount(truth.images[found.counted], minlength=count) - tp
    overlap = matches.overlap[matches.at(iou)]
    total = np.bincount(matches.image[found.hit], overlap[found.hit], count)
    confidence = np.full(count, -np.inf)
    np.maximum.at(confidence, matches.image, matches.score)
    seen = np.bincount(matches.image, minlength=count) > 0
    some = 2 * tp + fp + fn > 0
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "f1": np.where(some, divided(2 * tp, 2 * tp + fp + fn), 1.0),
        "iou": divided(total, tp),
        "confidence": np.where(seen, confidence, np.nan),
        "correct": (fp == 0) & (fn == 0),
    }


def confusion(
    found: Found,
    matches: Matches,
    truth: Boxes,
    prediction: Boxes,
    *,
    count: int,
    iou: float,
    masks: bool,
    sigmas: Sequence[float] | None = None,
) -> Ints:
    """Return K + 1 × K + 1 counts, the last row and column being "nothing".

    True positives are on the diagonal. What is left of predictions and truth is matched once
    more, whatever its class, by falling score with the highest IoU of at least ``iou``.
    """
    table = np.zeros((count + 1, count + 1), np.int64)
    np.add.at(table, (matches.label[found.hit],) * 2, 1)
    missed = found.counted.copy()
    missed[matches.truth[matches.at(iou)][found.hit]] = False
    left, lost = np.flatnonzero(found.miss), np.flatnonzero(missed)
    left = left[np.lexsort((-matches.score[left], matches.image[left]))]
    starts = np.searchsorted(matches.image[left], np.arange(len(truth) + 1))
    bounds = np.searchsorted(truth.images[lost], np.arange(len(truth) + 1))
    for image in range(len(truth)):
        given = left[starts[image] : starts[image + 1]]
        wanted = lost[bounds[image] : bounds[image + 1]]
        hits = np.full(len(given), -1)
        if len(given) and len(wanted):
            found_by = overlaps(
                prediction, matches.row[given], truth, wanted, masks=masks, sigmas=sigmas
            )
            hits = _greedy(found_by, iou)
        rows = np.where(hits >= 0, truth.labels[wanted[hits]] if len(wanted) else count, count)
        np.add.at(table, (rows, matches.label[given]), 1)
        alone = np.setdiff1d(np.arange(len(wanted)), hits)
        np.add.at(table, (truth.labels[wanted[alone]], np.full(len(alone), count)), 1)
    return table


def _greedy(overlaps: Array, iou: float) -> Ints:
    """Return the column each row takes, -1 for none; the rows choose in their order."""
    free = overlaps.copy()
    hits = np.full(len(free), -1, np.int64)
    for row in range(len(free)):
        column = int(np.argmax(free[row]))
        if free[row, column] >= iou:
            hits[row] = column
            free[:, column] = -1
    return hits


def overlaps(
    prediction: Boxes,
    rows: Ints,
    truth: Boxes,
    wanted: Ints,
    *,
    masks: bool,
    sigmas: Sequence[float] | None = None,
) -> npt.NDArray[np.float64]:
    """Return the IoU of some predictions with some objects, by boxes or masks; or the OKS."""
    if sigmas is not None:
        return oks(prediction, rows, truth, wanted, np.array(sigmas))
    if truth.corners is not None and prediction.corners is not None:
        return ious_of_quads(prediction.corners[rows], truth.corners[wanted])
    tools = need("pycocotools.mask", "pycocotools")
    plain = np.zeros(len(wanted), np.uint8)
    return np.asarray(
        tools.iou(_shapes(prediction, rows, masks), _shapes(truth, wanted, masks), plain)
    )


def _shapes(boxes: Boxes, rows: Ints, masks: bool) -> Any:
    if not masks:
        corners = boxes.xyxy[rows].astype(np.float64)
        corners[:, 2:] -= corners[:, :2]
        return corners
    tools = need("pycocotools.mask", "pycocotools")
    given = [(boxes.masks or ())[row] for row in rows]
    return [tools.frPyObjects(mask.coco(), mask.height, mask.width) for mask in given]


def mean_precision(matches: Matches, truth: Boxes, ious: Array) -> Statistic:
    """Return the statistic of the AP of each class with truth: COCO's 101 points, mean over IoUs.

    In order of the classes; NaN of a class of which no object was drawn.

    A prediction of an image that was drawn twice counts twice. That gives the figure of the
    set in which the image is there twice, but for the order among predictions of one image
    that have equal scores, which COCO's figure depends on as well.
    """
    counted = objects(truth)
    positions = [matches.at(iou) for iou in ious]
    classes = []
    for label in np.unique(truth.labels[counted]):
        rows = np.flatnonzero((matches.label == label) & (matches.rank < matches.most))
        rows = rows[np.argsort(-matches.score[rows], kind="stable")]
        own = counted & (truth.labels == label)
        per_image = np.bincount(truth.images[own], minlength=len(truth)).astype(np.float64)
        classes.append((rows, np.flatnonzero(per_image), per_image[per_image > 0]))

    def statistic(weights: Floats) -> Floats:
        total = np.zeros((len(weights), len(classes)))
        for column, (rows, images, numbers) in enumerate(classes):
            positives = weights[:, images] @ numbers
            step = max(1, _BLOCK // max(1, len(rows)))
            for start in range(0, len(weights), step):
                part = slice(start, start + step)
                drawn = weights[part][:, matches.image[rows]]
                for at in positions:
                    hit = (matches.truth[at, rows] >= 0) & ~matches.ignored[at, rows]
                    miss = (matches.truth[at, rows] < 0) & ~matches.ignored[at, rows]
                    value = _average_precision(drawn, hit, miss, positives[part])
                    total[part, column] += value / len(positions)
        return total

    return statistic


def _average_precision(drawn: Floats, hit: Array, miss: Array, positives: Floats) -> Floats:
    """Return the AP of each resample; NaN for one without positives."""
    tp = np.cumsum(drawn * hit, axis=1)
    fp = np.cumsum(drawn * miss, axis=1)
    # As COCOeval does: the precision at a recall is the best at that recall and beyond.
    precision = tp / (tp + fp + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    precision = np.append(precision, np.zeros((len(drawn), 1)), axis=1)
    value = np.full(len(drawn), np.nan)
    for row in np.flatnonzero(positives > 0):
        reached = np.searchsorted(tp[row] / positives[row], RECALLS)
        value[row] = precision[row, reached].mean()
    return value
