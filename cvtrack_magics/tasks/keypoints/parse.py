"""Key points as people have them: torchvision, COCO, Ultralytics, arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Poses
from cvtrack_magics.tasks.detection.parse import Form, read_boxes
from cvtrack_magics.tasks.keypoints.oks import sigmas_for
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.boxes import Boxes

_KEYS = ("keypoints", "gt_keypoints", "pred_keypoints")
_AREAS = ("area", "areas")
_LABELLED = 2.0  # COCO: labelled and visible


def read_poses(
    items: Any, sizes: Array, what: str, *, scored: bool, notes: list[str], classes: Any = None
) -> Boxes:
    """Return the objects of N images with their key points; labels are not checked yet.

    Parameters
    ----------
    items : sequence, N
        For each image torchvision's dict (``keypoints`` M × K × 3 or M × K × 2, ``boxes``,
        ``labels``, ``scores``, ``area``), a list of COCO's annotations or results, or an
        Ultralytics result. Without boxes they are the points' own; without labels there is one
        class.
    sizes : int array, N × 2
        Heights and widths of the images.
    notes : list of str
        Takes what had two readings.
    classes : sequence of str, mapping, int or None
        Labels that are names are looked up there.
    """
    if isinstance(items, Mapping) and len(sizes) == 1:
        items = [items]
    if isinstance(items, Mapping) or not hasattr(items, "__len__"):
        raise UsageProblem(f"{what}: expected a list with an entry for each image.")
    if len(items) != len(sizes):
        raise UsageProblem(f"{what}: {len(items)} entries for {len(sizes)} images.")
    made = [_as_dict(item, f"{what} of image {at}", scored) for at, item in enumerate(items)]
    points = [
        _points(one.pop("keypoints"), f"{what} of image {at}", scored)
        for at, one in enumerate(made)
    ]
    whole = _joined(points, what)
    areas = [one.pop("area") for one in made]
    for one, part in zip(made, points, strict=True):
        if one.get("boxes") is None:
            one["boxes"] = _around(part)
        if one.get("labels") is None:
            one["labels"] = np.zeros(len(part), np.int64)
    form = Form("xyxy", masked=False)
    boxes = read_boxes(made, sizes, what, form, scored=scored, notes=notes, classes=classes)
    if len(whole) != len(boxes.labels):
        raise UsageProblem(
            f"{what}: {len(boxes.labels)} boxes, but key points of {len(whole)} objects."
        )
    placed = replace(boxes, points=whole, ignored=_passed(boxes, whole))
    return replace(placed, areas=_areas(areas, placed, what, scored=scored))


def poses_of(truth: Boxes, prediction: Boxes, sigmas: Any, notes: list[str]) -> Poses:
    """Return objects of both sides, which have the same key points.

    Raises
    ------
    UsageProblem
        They have not, or the sigmas are not theirs.
    """
    assert truth.points is not None
    assert prediction.points is not None
    counts = _counts((truth.points, prediction.points))
    if len(counts) > 1:
        raise UsageProblem(
            f"Objects have {truth.points.shape[1]} key points in the truth and "
            f"{prediction.points.shape[1]} in the predictions."
        )
    found = sigmas_for(next(iter(counts), 0), sigmas, notes)
    return Poses(truth, prediction, found).of_points(len(found))


def _counts(parts: Sequence[Array]) -> set[int]:
    """Return how many key points objects have; where there is none, what the shapes say."""
    known = {part.shape[1] for part in parts if len(part)}
    return known or {part.shape[1] for part in parts} - {0}


def _as_dict(item: Any, what: str, scored: bool) -> dict[str, Any]:
    """Return the objects of an image as columns: boxes in pixels, xyxy."""
    if isinstance(item, Mapping):
        key = next((key for key in _KEYS if item.get(key) is not None), None)
        if key is None:
            seen = ", ".join(map(str, list(item)[:8])) or "nothing"
            raise UsageProblem(f"{what}: there are no keypoints, saw {seen}.")
        area = next((item[name] for name in _AREAS if item.get(name) is not None), None)
        rest = {k: v for k, v in item.items() if k not in (*_KEYS, *_AREAS, "keypoints_scores")}
        return {**rest, "keypoints": item[key], "area": area}
    if hasattr(item, "keypoints") and hasattr(item, "boxes"):  # of Ultralytics
        return _of_result(item, scored)
    if item is None or (isinstance(item, Sequence) and not len(item)):
        none = np.zeros(0)
        made = {"boxes": np.zeros((0, 4)), "labels": none, "area": None}
        return {**made, "keypoints": np.zeros((0, 0, 3)), **({"scores": none} if scored else {})}
    if isinstance(item, Sequence) and all(isinstance(one, Mapping) for one in item):
        return _of_annotations(item, what, scored)
    raise UsageProblem(
        f"{what}: expected a dict with keypoints, a list of COCO's annotations or a pose result; "
        f"saw {type(item).__name__}."
    )


def _of_result(item: Any, scored: bool) -> dict[str, Any]:
    points = getattr(item.keypoints, "data", item.keypoints)
    made = {
        "boxes": item.boxes.xyxy,
        "labels": to_array(item.boxes.cls, "cls").astype(np.int64),
        "keypoints": points,
        "area": None,
    }
    return {**made, "scores": item.boxes.conf} if scored else made


def _of_annotations(items: Sequence[Mapping[str, Any]], what: str, scored: bool) -> dict[str, Any]:
    lacking = [at for at, one in enumerate(items) if one.get("keypoints") is None]
    if lacking:
        raise UsageProblem(f"{what}: object {lacking[0]} has no keypoints.")
    points = [np.asarray(one["keypoints"], np.float64).reshape(-1) for one in items]
    if any(len(one) % 3 or not len(one) for one in points):
        raise UsageProblem(f"{what}: COCO's keypoints are x, y, v for each point.")
    if len({len(one) for one in points}) > 1:
        raise UsageProblem(f"{what}: its objects have different numbers of key points.")
    whole = np.stack(points).reshape(len(points), -1, 3)
    boxes = None
    if all(one.get("bbox") is not None for one in items):
        boxes = np.array([one["bbox"] for one in items], np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
    made: dict[str, Any] = {"keypoints": whole, "boxes": boxes, "area": None}
    if scored and boxes is not None:  # pycocotools takes these before the points' own
        made["area"] = [float(one["bbox"][2]) * float(one["bbox"][3]) for one in items]
    elif all(one.get("area") is not None for one in items) and not scored:
        made["area"] = [one["area"] for one in items]
    for name, key in (("labels", "category_id"), ("scores", "score")):
        if any(one.get(key) is not None for one in items):
            made[name] = [one.get(key) for one in items]
    for key in ("iscrowd", "difficult", "ignore"):
        if any(key in one for one in items):
            made[key] = [one.get(key, 0) for one in items]
    return made


def _points(value: Any, what: str, scored: bool) -> Array:
    """Return M × K × 3; a point of two numbers is labelled unless it is NaN."""
    points = np.asarray(to_array(value, what), np.float64)
    if points.size == 0:
        return np.zeros((0, points.shape[1] if points.ndim == 3 else 0, 3))
    if points.ndim == 2:  # one object
        points = points[None]
    if points.ndim != 3 or points.shape[2] not in (2, 3):
        raise UsageProblem(f"{what}: key points are M×K×3 or M×K×2, saw {shape_of(points)}.")
    if points.shape[2] == 2:
        known = np.isfinite(points).all(axis=2, keepdims=True)
        points = np.concatenate((np.where(known, points, 0), _LABELLED * known), axis=2)
    unlabelled = (points[..., 2] <= 0)[..., None] if not scored else np.zeros((1, 1, 1), bool)
    places = np.where(unlabelled, 0.0, points[..., :2])
    if not np.isfinite(places).all():
        raise UsageProblem(f"{what}: a key point has a place that is NaN or infinite.")
    return np.concatenate((places, points[..., 2:]), axis=2)


def _joined(points: Sequence[Array], what: str) -> Array:
    counts = _counts(points)
    if len(counts) > 1:
        raise UsageProblem(
            f"{what}: objects have {' and '.join(map(str, sorted(counts)))} key points.",
            "All objects of a data set have the same ones.",
        )
    count = counts.pop() if counts else 0
    shaped = [part if len(part) else np.zeros((0, count, 3)) for part in points]
    return np.concatenate(shaped) if shaped else np.zeros((0, count, 3))


def _around(points: Array) -> Array:
    """Return the boxes around labelled points, as COCO's API makes them for results."""
    if not len(points):
        return np.zeros((0, 4))
    known = (points[..., 2] > 0) | ~(points[..., 2] > 0).any(axis=1, keepdims=True)
    low = np.where(known[..., None], points[..., :2], np.inf).min(axis=1)
    high = np.where(known[..., None], points[..., :2], -np.inf).max(axis=1)
    return np.concatenate((low, high), axis=1)


def _passed(boxes: Boxes, points: Array) -> Array | None:
    """Return what is to be ignored; COCO's evaluation writes it to objects without points, too."""
    if boxes.ignored is None:
        return None
    return np.asarray(boxes.ignored & (points[..., 2] > 0).any(axis=1))


def _areas(given: Sequence[Any], boxes: Boxes, what: str, *, scored: bool) -> Array:
    """Return areas in pixels: as given, else of the boxes; of predictions of their points."""
    if scored:
        assert boxes.points is not None
        xy = boxes.points[..., :2]
        sides = xy.max(axis=1) - xy.min(axis=1) if xy.size else np.zeros((len(xy), 2))
    else:
        corners = boxes.xyxy.astype(np.float64)
        sides = corners[:, 2:] - corners[:, :2]
    own = np.asarray(sides[:, 0] * sides[:, 1])
    parts = []
    for at, value in enumerate(given):
        part = own[boxes.rows(at)]
        if value is not None:
            said = np.asarray(to_array(value, what), np.float64).reshape(-1)
            if len(said) != len(part) or not (np.isfinite(said) & (said >= 0)).all():
                raise UsageProblem(f"{what} of image {at}: area is one number of pixels an object.")
            part = said
        parts.append(part)
    return np.concatenate(parts) if parts else own
