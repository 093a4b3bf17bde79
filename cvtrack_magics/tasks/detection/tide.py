"""What average precision is lost to: the six kinds of error of TIDE.

Bolya, Foley, Hays and Hoffman, "TIDE: A General Toolbox for Identifying Object Detection Errors",
ECCV 2020. A prediction that found nothing has one kind of error; what a kind costs is how much
the AP at IoU 0.50 would rise if all errors of the kind, and no others, were mended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.detection.coco_metrics import RECALLS, Ints, Matches
from cvtrack_magics.tasks.detection.detection_counts import objects, overlaps
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes

FOUND: Final = 0.5
"""The IoU from which on an object is found."""
NOTHING: Final = 0.1
"""The IoU up to which a prediction lies on the background."""
ERRORS: Final = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
_NONE = -1
_CLS, _LOC, _BOTH, _DUPE, _BKG, _MISS = range(len(ERRORS))
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Predictions:
    """Predictions that count, D, in COCO's order: class, image, falling score.

    Attributes
    ----------
    label, score : D
        Class (int64) and score (float64).
    hit : bool, D
        Whether an object is found.
    error : int64, D
        The place in :data:`ERRORS` of what is wrong with those that found nothing, else -1.
    wanted : int64, D
        The row of the object that one stands for, if only its class or its place were right;
        -1 where there is none, or another prediction has or deserves it.
    """

    label: Ints
    score: Array
    hit: Bools
    error: Ints
    wanted: Ints


def lost_precision(
    matches: Matches, truth: Boxes, prediction: Boxes, count: int, *, masks: bool
) -> dict[str, float]:
    """Return by how much the mean AP50 would rise without each kind of error.

    ``Cls``: found, and called another class. ``Loc``: the right class, with an IoU of 0.1 to
    0.5. ``Both``: neither. ``Dupe``: of an object that a prediction of a higher score has.
    ``Bkg``: of nothing, IoU at most 0.1. ``Miss``: objects that no prediction stands for. The
    kinds do not add up to what is lost, since one error hides others.

    Parameters
    ----------
    matches : Matches
        At an IoU of 0.5 among others.
    truth, prediction : Boxes
        Of N images.
    count : int
        How many classes there are.
    masks : bool
        Whether masks are compared, not boxes.

    Returns
    -------
    dict of str to float
        In the unit of AP (0 to 1); NaN where there is no truth.
    """
    counted = objects(truth)
    positives = np.bincount(truth.labels[counted], minlength=count)
    if not counted.any():
        return dict.fromkeys(ERRORS, float("nan"))
    classes = np.flatnonzero(positives)
    said, missed = _judged(matches, truth, prediction, counted, masks=masks)
    base = _mean(said.label, said.score, said.hit, positives, classes)
    made = {}
    for kind, name in enumerate(ERRORS[:_MISS]):
        of_kind = said.error == kind
        mended = of_kind & (said.wanted != _NONE)
        # of equal scores those that change their class come last
        label = np.where(mended, truth.labels[said.wanted], said.label)
        rows = np.flatnonzero(~of_kind | mended)
        rows = rows[np.argsort(label[rows] != said.label[rows], kind="stable")]
        hit = said.hit | mended
        made[name] = _mean(label[rows], said.score[rows], hit[rows], positives, classes) - base
    left = positives - np.bincount(truth.labels[missed], minlength=count)
    made["Miss"] = _mean(said.label, said.score, said.hit, left, classes) - base
    return made


def _judged(
    matches: Matches, truth: Boxes, prediction: Boxes, counted: Bools, *, masks: bool
) -> tuple[_Predictions, Ints]:
    """Return the predictions with what is wrong with them, and the objects that are missed."""
    at = matches.at(FOUND)
    kept = np.flatnonzero(~matches.ignored[at] & (matches.rank < matches.most))
    hits = matches.truth[at, kept]
    used = np.zeros(len(truth.labels), bool)
    used[hits[hits >= 0]] = True
    error, wanted = np.full(len(kept), _NONE), np.full(len(kept), _NONE)
    wrong = np.flatnonzero(hits < 0)
    wrong = wrong[np.argsort(matches.image[kept[wrong]], kind="stable")]
    images = matches.image[kept[wrong]]
    objects_ = np.flatnonzero(counted)
    starts = np.searchsorted(images, np.arange(len(truth) + 1))
    bounds = np.searchsorted(truth.images[objects_], np.arange(len(truth) + 1))
    for image in np.unique(images):
        rows = wrong[starts[image] : starts[image + 1]]
        there = objects_[bounds[image] : bounds[image + 1]]
        error[rows] = _BKG
        if len(there):
            table = overlaps(prediction, matches.row[kept[rows]], truth, there, masks=masks)
            labels = matches.label[kept[rows]]
            error[rows], wanted[rows] = _errors(table, labels, truth.labels[there], used[there])
            wanted[rows] = np.where(wanted[rows] >= 0, there[wanted[rows]], _NONE)
    score = matches.score[kept]
    covered = np.unique(wanted[wanted >= 0])
    _keep_best(wanted, score)
    missed = np.flatnonzero(counted & ~used)
    said = _Predictions(matches.label[kept], score, hits >= 0, error, wanted)
    return said, np.setdiff1d(missed, covered)


def _errors(table: Array, labels: Ints, true: Ints, used: Bools) -> tuple[Ints, Ints]:
    """Return the error of each of D predictions of an image, and the object that it stands for.

    Parameters
    ----------
    table : float64, D x M
        IoU with each object.
    labels, true : int64, D and M
        Classes.
    used : bool, M
        Which objects are found.
    """
    same = labels[:, None] == true[None, :]
    own = np.where(same, table, -1.0)
    other = np.where(same, -1.0, table)
    taken = np.where(same & used[None, :], table, -1.0)
    near, far = own.max(axis=1), other.max(axis=1)
    kinds = (
        (near >= NOTHING) & (near <= FOUND),
        far >= FOUND,
        taken.max(axis=1) >= FOUND,
        table.max(axis=1) <= NOTHING,
    )
    error = np.select(kinds, (_LOC, _CLS, _DUPE, _BKG), _BOTH)
    best = np.where(error == _LOC, own.argmax(axis=1), other.argmax(axis=1))
    stands = ((error == _LOC) | (error == _CLS)) & ~used[best]
    return error, np.where(stands, best, _NONE)


def _keep_best(wanted: Ints, score: Array) -> None:
    """Leave each object to the prediction of the highest score, of equal ones to the first."""
    rows = np.flatnonzero(wanted >= 0)
    rows = rows[np.argsort(-score[rows], kind="stable")]
    _, first = np.unique(wanted[rows], return_index=True)
    wanted[np.delete(rows, first)] = _NONE


def _mean(label: Ints, score: Array, hit: Bools, positives: Ints, classes: Ints) -> float:
    """Return the mean AP of some classes, COCO's 101 points."""
    order = np.argsort(-score, kind="stable")
    label, hit = label[order], hit[order]
    values = [_average(hit[label == one], int(positives[one])) for one in classes]
    return float(np.mean(values))


def _average(hit: Bools, positives: int) -> float:
    """Return the AP of a class; 0 where all its objects are left out, as in the authors' tool."""
    if not positives:
        return 0.0
    found = np.cumsum(hit)
    precision = found / np.arange(1, len(hit) + 1)
    precision = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(precision[np.searchsorted(found / positives, RECALLS)].mean())
