"""What in boxes as they were read speaks for another reading; each is one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.tasks.detection.ignored import unknown_flags
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.masks import Mask

_OUTSIDE = 0.1  # of the boxes; a few, or an edge beyond the picture, is usual
_UNREAD = {
    **dict.fromkeys(("keypoints", "gt_keypoints", "pred_keypoints", "pose_keypoints"), "points"),
    **dict.fromkeys(("angle", "angles", "obb", "rboxes", "xyxyxyxy", "rotated_boxes"), "angles"),
}
"""Keys of what says more of an object than its box: Torchvision, Detectron2, supervision."""


def doubts(
    what: str, items: Sequence[Any], boxes: Sequence[Array], scores: Sequence[Any], sizes: Array
) -> list[str]:
    """Return a line for each doubt about the objects of N images.

    Parameters
    ----------
    what : str
        ``truth`` or ``predictions``.
    items : sequence, N
        The objects as they were given.
    boxes : sequence of M × 4 arrays, N
        As they were read, xyxy in pixels.
    scores : sequence of M arrays or None, N
        The scores of predictions.
    sizes : int array, N × 2
        Heights and widths of the images.
    """
    return [
        *_of_flags(what, items),
        *_of_unread(what, items),
        *_of_canvas(what, items, sizes),
        *_of_places(what, boxes, sizes),
        *_of_scores(scores),
        *_of_nothing(what, boxes),
    ]


def _of_flags(what: str, items: Sequence[Any]) -> list[str]:
    keys = dict.fromkeys(
        key for item in items if isinstance(item, Mapping) for key in unknown_flags(item)
    )
    if not keys:
        return []
    return [
        f"{what}: {', '.join(keys)} was not read; objects that do not count are said by iscrowd, "
        "difficult or ignore, 0 or 1 for each."
    ]


def _of_unread(what: str, items: Sequence[Any]) -> list[str]:
    """Say that objects have key points or an angle, which nothing here compares."""
    keys = dict.fromkeys(
        key
        for item in items
        for one in (item if isinstance(item, (list, tuple)) else [item])
        for key, value in _columns(one).items()
        if key in _UNREAD and value is not None and np.size(value)
    )
    if not keys:
        return []
    return [f"{what}: {', '.join(keys)} not read; objects are compared without them."]


def _columns(item: Any) -> Mapping[Any, Any]:
    """Return what an image's objects have beside their boxes."""
    if not isinstance(item, Mapping) and hasattr(item, "xyxy"):  # supervision.Detections
        item = getattr(item, "data", None)
    return item if isinstance(item, Mapping) else {}


def _of_canvas(what: str, items: Sequence[Any], sizes: Array) -> list[str]:
    """Say that Torchvision's boxes know another size of their picture."""
    count = 0
    for item, size in zip(items, sizes, strict=True):
        canvas = getattr(_columns(item).get("boxes"), "canvas_size", None)
        count += canvas is not None and size.min() > 0 and tuple(canvas) != tuple(size.tolist())
    if not count:
        return []
    return [
        f"{what}: the boxes of {count:,} of {len(sizes):,} pictures say another size of it "
        "(canvas_size); are they in the pixels of another size?"
    ]


def of_empty(what: str, masks: Sequence[Mask]) -> list[str]:
    """Say that masks have no pixel; of predictions, some below their threshold are usual."""
    empty = sum(mask.area == 0 for mask in masks)
    if not empty or (what == "predictions" and empty < _OUTSIDE * len(masks)):
        return []
    return [f"{what}: {empty:,} of {len(masks):,} masks have no pixel, and match nothing."]


def _of_places(what: str, boxes: Sequence[Array], sizes: Array) -> list[str]:
    """Say that boxes lie off their pictures: those of an input that was resized."""
    count = outside = 0
    for mine, (height, width) in zip(boxes, sizes, strict=True):
        if not len(mine) or min(height, width) <= 0:
            continue
        middle = (mine[:, :2] + mine[:, 2:]) / 2
        off = (middle < 0) | (middle > np.array([width, height]))
        count, outside = count + len(mine), outside + int(off.any(axis=1).sum())
    if not outside or outside < _OUTSIDE * count:
        return []
    return [
        f"{what}: {outside:,} of {count:,} boxes have their centre outside of their picture; are "
        "they in the pixels of another size?"
    ]


def _of_scores(scores: Sequence[Any]) -> list[str]:
    given = [part for part in scores if part is not None and len(part)]
    unknown = sum(int(np.isnan(part).sum()) for part in given)
    if unknown:
        count = sum(map(len, given))
        return [
            f"predictions: {unknown:,} of {count:,} scores are NaN; such a box is never counted."
        ]
    known = [part[np.isfinite(part)] for part in scores if part is not None and len(part)]
    known = [part for part in known if len(part)]
    low = min((float(part.min()) for part in known), default=0.0)
    high = max((float(part.max()) for part in known), default=0.0)
    if low >= -1e-6 and high <= 1 + 1e-3:
        return []
    return [
        f"predictions: scores from {low:.3g} to {high:.3g} are no probabilities; thresholds are in "
        "their unit."
    ]


def _of_nothing(what: str, boxes: Sequence[Array]) -> list[str]:
    """Say that true boxes have no area: rows that fill a batch up, which nobody can find."""
    if what != "truth":
        return []
    flat = sum(int((part[:, 2:] <= part[:, :2]).any(axis=1).sum()) for part in boxes if len(part))
    if not flat:
        return []
    count = sum(map(len, boxes))
    return [
        f"truth: {flat:,} of {count:,} boxes have no area and count as objects that nothing finds; "
        "leave out rows that only fill up a batch."
    ]
