"""Detections of a model beside those of its export: box by box, in whatever order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.release.export.facts import Check, Tolerance

Array = npt.NDArray[Any]
DETECTION = {"boxes", "labels", "scores"}
_IOU = 0.9


def compared_detections(
    case: str,
    name: str,
    wanted: Mapping[str, Array],
    found: Mapping[str, Array],
    tolerance: Tolerance,
) -> Check:
    """Match the detections of one image and compare the pairs.

    A pair has the same label, an intersection over union of at least 0.9 or equal corners
    within the tolerance, and equal scores within the tolerance. Each detection is in one
    pair at most; the highest scores choose first. Where the model cuts its list off, rounding
    decides what is last: a detection without a partner is not held against the export when
    its score is within ``atol`` of the lowest, for at most a tenth of the list.

    Returns
    -------
    Check
        ``agreement`` is 2 · pairs / (detections of the model + detections of the export).
    """
    shape = tuple(wanted["boxes"].shape)
    none = float("nan")
    if any(not np.isfinite(side[key]).all() for side in (wanted, found) for key in DETECTION):
        return Check(case, name, shape, none, none, None, False, "NaN or infinite")
    scores, others = (side["scores"].astype(np.float64) for side in (wanted, found))
    if not len(scores) and not len(others):
        return Check(case, name, shape, 0.0, 0.0, None, True, "no detections")
    slack = tolerance.atol + tolerance.rtol
    pairs = _pairs(wanted, found, tolerance, slack)
    excused = sum(
        _excused(side, {pair[at] for pair in pairs}, tolerance.atol)
        for at, side in enumerate((scores, others))
    )
    counted = len(scores) + len(others) - excused
    agreement = min(1.0, 2 * len(pairs) / counted) if counted else 1.0
    off, relative, near = _differences(wanted, found, pairs, tolerance)
    return Check(
        case,
        name,
        shape,
        off,
        relative,
        agreement,
        near and agreement == 1.0,
        f"{len(pairs)} pairs of {len(scores)} and {len(others)} detections",
    )


def _excused(scores: Array, paired: set[int], slack: float) -> int:
    alone = [score for index, score in enumerate(scores) if index not in paired]
    low = sum(bool(score <= scores.min() + slack) for score in alone)
    return min(low, max(1, len(scores) // 10))


def _pairs(
    wanted: Mapping[str, Array], found: Mapping[str, Array], tolerance: Tolerance, slack: float
) -> list[tuple[int, int]]:
    boxes, others = (side["boxes"].astype(np.float64) for side in (wanted, found))
    if not len(boxes) or not len(others):
        return []
    corners = np.abs(boxes[:, None] - others[None]).max(axis=2)
    reach = tolerance.atol * max(1.0, float(np.abs(boxes).max())) + tolerance.rtol
    overlap = iou(boxes, others)
    fits = (overlap >= _IOU) | (corners <= reach)
    fits &= wanted["labels"][:, None] == found["labels"][None]
    fits &= np.abs(wanted["scores"][:, None] - found["scores"][None]) <= slack
    pairs: list[tuple[int, int]] = []
    for index in np.argsort(-wanted["scores"], kind="stable"):
        free = np.flatnonzero(fits[index])
        if free.size:
            best = free[np.argmin(corners[index, free])]
            fits[:, best] = False
            pairs.append((int(index), int(best)))
    return pairs


def iou(boxes: Array, others: Array) -> Array:
    """Return the intersection over union of each box with each other one, N × M.

    Parameters
    ----------
    boxes, others : float, N × 4 and M × 4
        Left, top, right, bottom. Two boxes without an area have 0.
    """
    corner = np.maximum(boxes[:, None, :2], others[None, :, :2])
    sides = np.clip(np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - corner, 0, None)
    common = sides.prod(axis=2)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (boxes, others)]
    union = areas[0][:, None] + areas[1][None] - common
    shares: Array = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return shares


def _differences(
    wanted: Mapping[str, Array],
    found: Mapping[str, Array],
    pairs: list[tuple[int, int]],
    tolerance: Tolerance,
) -> tuple[float, float, bool]:
    """Return the largest absolute and relative difference of the pairs, and if all are near."""
    if not pairs:
        return 0.0, 0.0, True
    rows, columns = map(list, zip(*pairs, strict=True))
    worst = relative = 0.0
    near = True
    for key in wanted.keys() & found.keys():
        one, other = wanted[key][rows], found[key][columns]
        if one.dtype.kind != "f":
            continue
        off = np.abs(one.astype(np.float64) - other)
        scale = max(1.0, float(np.abs(one).max()))
        worst = max(worst, float(off.max()))
        relative = max(relative, float(off.max()) / scale)
        near = near and bool((off <= scale * (tolerance.atol + tolerance.rtol)).all())
    return worst, relative, near
