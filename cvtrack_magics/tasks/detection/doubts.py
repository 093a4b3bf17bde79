"""What in boxes as they were read speaks for another reading; each is one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.tasks.detection.ignored import unknown_flags
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.masks import Mask

_OUTSIDE = 0.1  # of the boxes; a few, or an edge beyond the picture, is usual
_EDGE = 0.05  # of a side
_FEW, _MANY = 5, 2000  # true boxes to tell a form by
_NEAR, _NEARER = 0.4, 0.15  # mean IoU in the other form, and how much more than as read
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
        *(_of_edges(what, boxes, sizes) or _of_places(what, boxes, sizes)),
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


def _of_edges(what: str, boxes: Sequence[Array], sizes: Array) -> list[str]:
    """Say that boxes reach out of their pictures, which read in one other way none does.

    Where both sides are written in another form, or the pictures' sides are swapped, nothing else
    tells: all boxes lie on each other.
    """
    known = [
        (one.astype(np.float64), size)
        for one, size in zip(boxes, sizes, strict=True)
        if len(one) and size.min() > 0
    ]
    count = sum(len(one) for one, _ in known)
    out = sum(int(_beyond(one, size).sum()) for one, size in known)
    if count < _FEW or not out or out < _OUTSIDE / 2 * count:
        return []
    said = f"{what}: {out:,} of {count:,} boxes reach out of their picture, "
    corners = [(_as_corners(one), size) for one, size in known]
    if all((one[:, 2:] > one[:, :2]).all() for one, _ in corners) and _within(corners):
        return [f"{said}and none read as corners; are they x1, y1, x2, y2?"]
    if _within([(one, size[::-1]) for one, size in known]):
        return [f"{said}and none with height and width swapped; are the sizes right?"]
    return []


def _beyond(boxes: Array, size: Array) -> Array:
    """Return which boxes reach out of a picture by more than the usual rounding and padding."""
    far = np.array([size[1], size[0]]) * (1 + _EDGE) + 1
    return np.asarray((boxes[:, 2:] > far).any(axis=1))


def _within(known: Sequence[tuple[Array, Array]]) -> bool:
    return not any(_beyond(one, size).any() for one, size in known)


def of_other_form(truth: Boxes, said: Boxes) -> list[str]:
    """Say that boxes lie on each other only where those of one side are read in another form.

    Corners and a corner with a size are told apart by nothing else where all stay in the picture.
    """
    near = _nearness(truth, said.xyxy, truth.xyxy, said)
    if near is None:
        return []
    for what, boxes in (("predictions", said), ("truth", truth)):
        for name, form in (("x, y, width, height", _as_sizes), ("corners", _as_corners)):
            other = form(boxes.xyxy)
            pair = (other, truth.xyxy) if what == "predictions" else (said.xyxy, other)
            found = _nearness(truth, *pair, said)
            if found is not None and found >= max(_NEAR, near + _NEARER):
                return [
                    f"{what}: read as {name}, the boxes lie on those of the other side (mean "
                    f"IoU {found:.2f}), as they were read they do not ({near:.2f}); is "
                    "box_format right?"
                ]
    return []


def _nearness(truth: Boxes, said_corners: Array, true_corners: Array, said: Boxes) -> float | None:
    """Return the mean of each true box's best IoU, or None where there is little to tell by."""
    best: list[float] = []
    for image in range(len(truth)):
        mine = true_corners[truth.rows(image)].astype(np.float64)
        theirs = said_corners[said.rows(image)].astype(np.float64)
        if not len(mine) or not len(theirs):
            continue
        low = np.maximum(mine[:, None, :2], theirs[None, :, :2])
        high = np.minimum(mine[:, None, 2:], theirs[None, :, 2:])
        both = np.prod(np.clip(high - low, 0, None), axis=2)
        areas = [
            np.prod(np.clip(part[:, 2:] - part[:, :2], 0, None), axis=1) for part in (mine, theirs)
        ]
        either = areas[0][:, None] + areas[1][None] - both
        best += (both / np.where(either > 0, either, 1)).max(axis=1).tolist()
        if len(best) >= _MANY:
            break
    return float(np.mean(best)) if len(best) >= _FEW else None


def _as_sizes(corners: Array) -> Array:
    """Return boxes whose last two numbers were sizes, and were read as corners."""
    return np.concatenate((corners[:, :2], corners[:, :2] + corners[:, 2:]), axis=1)


def _as_corners(corners: Array) -> Array:
    """Return boxes whose last two numbers were corners, and were read as sizes."""
    return np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), axis=1)


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
