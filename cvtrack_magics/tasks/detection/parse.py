"""Boxes and instance masks: torchvision's dicts, ``supervision.Detections``, COCO, arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.class_ids import (
    labels_of,
    refuse_class_first,
    refuse_unlabelled,
    refuse_yolo,
    scores_of,
    whole_labels,
)
from cvtrack_magics.tasks.class_names import as_indices, check_labels, class_names
from cvtrack_magics.tasks.detection.doubts import doubts, of_empty
from cvtrack_magics.tasks.detection.ignored import CROWD_KEYS, IGNORE_KEYS, flag
from cvtrack_magics.tasks.segmentation.soft_masks import Cut, cut_of
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.boxes import Boxes, to_xyxy
from cvtrack_magics.vision.masks import Mask, boxes_of, encode


@dataclass(frozen=True, slots=True)
class Form:
    """How boxes are written, if said, and whether each has a mask."""

    box_format: str | None
    masked: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """The objects of one image, as given."""

    boxes: Array | None
    labels: Any
    scores: Any = None
    masks: Any = None
    column: Callable[[str], Any] = lambda _: None
    box_format: str = ""
    table: Array | None = None  # the rows of an array, as given


def read_boxes(
    items: Any,
    sizes: Array,
    what: str,
    form: Form,
    *,
    scored: bool,
    notes: list[str],
    classes: Any = None,
) -> Boxes:
    """Return the objects of N images; labels are not checked yet.

    Parameters
    ----------
    items : sequence, N
        For each image a dict with ``boxes``, ``labels`` (``scores``, ``masks``), a
        ``supervision.Detections``, a list of COCO annotations, or an M × 5 or M × 6 array:
        4 coordinates, (score,) label.
    sizes : int array, N × 2
        Heights and widths of the images.
    notes : list of str
        Takes what had two readings.
    classes : sequence of str, mapping, int or None
        Labels that are names are looked up there.
    """
    if isinstance(items, Mapping) and len(sizes) == 1:
        items = [items]
    if isinstance(items, Mapping):
        raise UsageProblem(
            f"{what}: one dict for {len(sizes)} images.", "Give a list with a dict for each image."
        )
    if not isinstance(items, Sequence) and not hasattr(items, "__len__"):
        raise UsageProblem(f"{what}: expected a list with an entry for each image.")
    if len(items) != len(sizes):
        raise UsageProblem(f"{what}: {len(items)} entries for {len(sizes)} images.")
    box_format, masked = form.box_format, form.masked
    found = [_found(item, f"{what} of image {at}", scored) for at, item in enumerate(items)]
    stacks = [
        _stack(one.masks, f"{what} of image {at}") if masked or one.boxes is None else None
        for at, one in enumerate(found)
    ]
    cut = cut_of([stack for stack in stacks if isinstance(stack, np.ndarray)], what, notes)
    counts, parts = [], []
    all_masks: list[Mask] = []
    for at, (one, stack, size) in enumerate(zip(found, stacks, sizes, strict=True)):
        where = f"{what} of image {at}"
        masks = _masks(stack, size, where, cut)
        if masked and masks is None:
            if one.boxes is not None and len(one.boxes):
                raise UsageProblem(
                    f"{where}: instance segmentation needs 'masks' beside the boxes."
                )
            masks = []
        boxes = _boxes(one, masks, box_format, size, where)
        count = len(boxes)
        labels = (
            np.zeros(count, np.int64)
            if one.labels is None
            else whole_labels(
                _column(as_indices(one.labels, classes, where), count, where, "labels"), where
            )
        )
        scores = None
        if scored:
            if one.scores is None:
                raise UsageProblem(f"{where}: predictions need 'scores'.")
            scores = _column(one.scores, count, where, "scores")
        flags = [flag(one.column, keys, count, where) for keys in (CROWD_KEYS, IGNORE_KEYS)]
        crowd, ignored = (np.zeros(count, bool) if part is None else part for part in flags)
        if masks is not None and len(masks) != count:
            raise UsageProblem(f"{where}: {count} boxes, but {len(masks)} masks.")
        all_masks += masks or []
        counts.append(count)
        parts.append((boxes, labels, scores, crowd, ignored))
        if one.table is not None:
            refuse_yolo(one.table, boxes, box_format or "", size, where)
    refuse_unlabelled(
        [(one.labels, n) for one, n in zip(found, counts, strict=True)], classes, what
    )
    _refuse_relative(found, parts, box_format, sizes, what)
    refuse_class_first([one.table for one in found], box_format or "", sizes, what)
    notes += doubts(what, items, [part[0] for part in parts], [part[2] for part in parts], sizes)
    notes += of_empty(what, all_masks)
    kind = np.float64 if any(p[0].dtype == np.float64 for p in parts) else np.float32
    score_kind = (
        np.float64
        if any(p[2] is not None and p[2].dtype == np.float64 for p in parts)
        else np.float32
    )
    crowds, passed = (
        np.concatenate([p[at] for p in parts]) if parts else np.zeros(0, bool) for at in (3, 4)
    )
    return Boxes(
        np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        np.concatenate([p[0] for p in parts]).astype(kind) if parts else np.zeros((0, 4), kind),
        np.concatenate([p[1] for p in parts]) if parts else np.zeros(0, np.int64),
        np.concatenate([p[2] for p in parts]).astype(score_kind) if scored and parts else None,
        crowds if crowds.any() else None,
        tuple(all_masks) if masked else None,
        passed if passed.any() and not scored else None,
    )


def read_names(classes: Any, truth: Boxes, said: Boxes) -> tuple[str, ...]:
    """Return the names of the classes, and check every label against them."""
    highest = max(int(part.labels.max()) if len(part.labels) else -1 for part in (truth, said))
    names = class_names(classes, highest + 1)
    check_labels(truth.labels, len(names), "truth")
    check_labels(said.labels, len(names), "predictions")
    return names


def _found(item: Any, what: str, scored: bool) -> _Found:
    if isinstance(item, Mapping):
        return _of_dict(item, what)
    if hasattr(item, "xyxy") and hasattr(item, "class_id"):  # supervision.Detections
        return _Found(
            to_array(item.xyxy, what),
            item.class_id,
            item.confidence,
            item.mask,
            (getattr(item, "data", None) or {}).get,
            "xyxy",
        )
    if isinstance(item, Sequence) and all(isinstance(one, Mapping) for one in item) and item:
        return _of_annotations(item, what, scored)
    if item is None or len(item) == 0:
        none = np.zeros(0)
        return _Found(np.zeros((0, 4), np.float32), none, none, box_format="xyxy")
    table = to_array(item, what)
    columns = 6 if scored else 5
    if table.ndim != 2 or table.shape[1] != columns:
        order = "4 coordinates, score, label" if scored else "4 coordinates, label"
        raise UsageProblem(
            f"{what}: expected a dict with boxes and labels, or M×{columns} ({order}); "
            f"saw {shape_of(table)}."
        )
    return _Found(table[:, :4], table[:, -1], table[:, 4] if scored else None, table=table)


def _of_dict(item: Mapping[str, Any], what: str) -> _Found:
    if "boxes" not in item and "masks" not in item:
        keys = ", ".join(map(str, list(item)[:6])) or "nothing"
        raise UsageProblem(f"{what}: expected the keys boxes and labels, saw {keys}.")
    boxes = item.get("boxes")
    form = "xyxy"  # torchvision's convention for its dicts
    if boxes is not None and hasattr(boxes, "format") and hasattr(boxes.format, "value"):
        form = {"XYXY": "xyxy", "XYWH": "xywh", "CXCYWH": "cxcywh"}.get(boxes.format.value, form)
    return _Found(
        None if boxes is None else to_array(boxes, what),
        labels_of(item, what),
        scores_of(item, what),
        item.get("masks"),
        item.get,
        form,
    )


def _of_annotations(items: Sequence[Mapping[str, Any]], what: str, scored: bool) -> _Found:
    """Read COCO annotations; ``category_id`` is taken as the index of the class.

    Raises
    ------
    UsageProblem
        One lacks its box, its class or, where scored, its score.
    """
    needed = ("bbox", "category_id", "score") if scored else ("bbox", "category_id")
    for at, one in enumerate(items):
        lacking = [key for key in needed if one.get(key) is None]
        if lacking:
            keys = ", ".join(map(str, list(one)[:12])) or "nothing"
            raise UsageProblem(
                f"{what}: object {at} has no {' and no '.join(lacking)}, saw {keys}.",
                "COCO's objects have bbox (x, y, width, height), category_id and, if predicted, "
                "score.",
            )
    return _Found(
        np.array([one["bbox"] for one in items], np.float64).reshape(-1, 4),
        [one["category_id"] for one in items],
        [one["score"] for one in items] if all("score" in one for one in items) else None,
        [one["segmentation"] for one in items] if all("segmentation" in o for o in items) else None,
        lambda key: [one.get(key, 0) for one in items] if any(key in o for o in items) else None,
        "xywh",
    )


def _boxes(
    one: _Found, masks: list[Mask] | None, box_format: str | None, size: Array, what: str
) -> Array:
    if one.boxes is None:
        return boxes_of(masks or [])
    boxes = one.boxes.reshape(-1, 4) if one.boxes.size == 0 else one.boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise UsageProblem(f"{what}: boxes are M×4, saw {shape_of(boxes)}.")
    form = box_format or one.box_format
    if not form:
        raise UsageProblem(
            f"{what}: an array of boxes can be of several formats.",
            "Say box_format='xyxy', 'xywh', 'cxcywh' or one of these with '-rel'.",
        )
    return to_xyxy(boxes, form, int(size[0]), int(size[1]), what)


def _refuse_relative(
    found: list[_Found], parts: list[Any], box_format: str | None, sizes: Array, what: str
) -> None:
    """Refuse boxes of which all lie within 0..1: pixels hardly do."""
    if box_format is not None or not len(sizes) or sizes.min() <= 2:
        return
    several = [one.boxes for one in found if one.boxes is not None and one.boxes.size]
    pixels = any((part[0][:, 2:] > part[0][:, :2]).any() for part in parts)
    if several and pixels and all(box.min() >= 0 and box.max() <= 1 for box in several):
        raise UsageProblem(
            f"{what}: all boxes lie within 0..1: relative, or in pixels?",
            "Say box_format='xyxy-rel' (or 'xyxy'); COCO's bbox is x, y, width and height in "
            "pixels.",
        )


def _column(value: Any, count: int, what: str, name: str) -> Array:
    column = to_array(value, what).reshape(-1)
    if len(column) != count:
        raise UsageProblem(f"{what}: {count} boxes, but {len(column)} {name}.")
    if column.dtype.kind == "f" and column.dtype != np.float64:
        return column.astype(np.float32)
    return column


def _stack(value: Any, what: str) -> Any:
    """Return masks as an array; COCO's forms as they are."""
    if value is None or (
        isinstance(value, Sequence) and value and isinstance(value[0], (Mapping, list))
    ):
        return value
    return to_array(value, what)


def _masks(stack: Any, size: Array, what: str, cut: Cut) -> list[Mask] | None:
    if stack is None:
        return None
    height, width = int(size[0]), int(size[1])
    if not isinstance(stack, np.ndarray):
        from cvtrack_magics.tasks.detection.coco_format import decode

        return [decode(one, height, width, what) for one in stack]
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.size == 0:
        return []
    if stack.ndim != 3 or stack.shape[1:] != (height, width):
        raise UsageProblem(
            f"{what}: masks are M×{height}×{width} as the image, saw {shape_of(stack)}."
        )
    return [encode(cut.apply(one)) for one in stack]
