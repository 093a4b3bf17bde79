"""The classes of objects, under the names that data sets and libraries give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.detection.ignored import CROWD_KEYS, IGNORE_KEYS
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import to_xyxy

LABEL_KEYS = (
    "labels",
    "class_labels",
    "gt_classes",
    "pred_classes",
    "category_ids",
    "category_id",
    "class_ids",
    "class_id",
    "label",
    "cls",
)
"""torchvision, Hugging Face, Detectron2, COCO, supervision, Ultralytics."""
SCORE_KEYS = ("scores", "score", "conf", "confidence", "confidences", "pred_scores")
"""torchvision, COCO, Ultralytics, supervision, MMDetection."""
_OTHERS = {
    *("boxes", "masks", *SCORE_KEYS, "area", "image_id", "size", "orig_size"),
    *CROWD_KEYS,
    *IGNORE_KEYS,
}


def labels_of(item: Mapping[str, Any], what: str) -> Any:
    """Return the labels of one image's dict, under whichever known key they are.

    Raises
    ------
    UsageProblem
        Two known keys are there, or none beside keys that may hold them. Boxes alone are of
        one class.
    """
    seen = [key for key in LABEL_KEYS if item.get(key) is not None]
    if "labels" in seen:
        return item["labels"]
    if len(seen) == 1:
        return item[seen[0]]
    objects = item.get("boxes") if item.get("boxes") is not None else item.get("masks")
    if objects is None or len(objects) == 0 or (set(item) <= {*_OTHERS, *LABEL_KEYS} and not seen):
        return None
    if seen:
        raise UsageProblem(
            f"{what}: labels could be {' or '.join(seen)}.", "Give the right one as labels."
        )
    keys = ", ".join(map(str, list(item)[:12]))
    raise UsageProblem(
        f"{what}: no labels among the keys {keys}.",
        "Give the class of each object as labels.",
    )


def refuse_unlabelled(found: Sequence[tuple[Any, int]], classes: Any, what: str) -> None:
    """Refuse objects without a class where there is more than one.

    Parameters
    ----------
    found : sequence of (labels, int)
        Of each image what it says of the classes, and how many objects it has.
    classes : sequence of str, mapping, int or None
        As given beside them.
    what : str
        Whose they are, for the message.

    Raises
    ------
    UsageProblem
        Objects have no labels, and there are several classes, or other images have labels:
        all of them would be of class 0.
    """
    bare = next((at for at, (labels, count) in enumerate(found) if labels is None and count), None)
    if bare is None:
        return
    known = classes if isinstance(classes, int) else 0 if classes is None else len(classes)
    others = any(labels is not None and count for labels, count in found)
    if known > 1 or others:
        why = f"there are {known} classes" if known > 1 else "other images have them"
        raise UsageProblem(
            f"{what} of image {bare}: its objects have no labels, and {why}.",
            "Give the class of each object as labels.",
        )


def refuse_bare(items: Any, what: str, labels: Array, others: Array) -> None:
    """Refuse boxes or masks alone where what they are compared with is of several classes.

    Parameters
    ----------
    items : sequence
        What each image has.
    what : str
        Whose they are: ``truth`` or ``predictions``.
    labels, others : int array
        The labels of all of them, and of what they are compared with.

    Raises
    ------
    UsageProblem
        All objects would be of class 0, though there are more.
    """
    if not labels.size or labels.any() or not others.size or others.max() <= 0:
        return
    for at, item in enumerate([items] if isinstance(items, Mapping) else items):
        if _is_bare(item, what):
            refuse_unlabelled([*[(None, 0)] * at, (None, 1)], int(others.max()) + 1, what)


def _is_bare(item: Any, what: str) -> bool:
    if isinstance(item, Mapping):
        objects = item.get("boxes") if item.get("boxes") is not None else item.get("masks")
        return objects is not None and len(objects) > 0 and labels_of(item, what) is None
    objects = getattr(item, "xyxy", None)  # supervision.Detections
    return objects is not None and len(objects) > 0 and getattr(item, "class_id", 0) is None


def scores_of(item: Mapping[str, Any], what: str) -> Any:
    """Return the scores of one image's dict, under whichever known key they are, or None.

    Raises
    ------
    UsageProblem
        Two keys may hold them.
    """
    seen = [key for key in SCORE_KEYS if item.get(key) is not None]
    if "scores" in seen or not seen:
        return item.get("scores")
    if len(seen) > 1:
        raise UsageProblem(
            f"{what}: scores could be {' or '.join(seen)}.", "Give the right one as scores."
        )
    return item[seen[0]]


def whole_labels(column: Array, what: str) -> npt.NDArray[np.int64]:
    """Return labels as whole numbers; a fraction or NaN is refused."""
    fits = np.isfinite(column) & (column == np.round(column))
    if not fits.all():
        bad = column[~fits][0]
        raise UsageProblem(
            f"{what}: labels are whole numbers, saw {bad:.4g}.",
            "Rows are 4 coordinates, (score,) label; YOLO's rows begin with the class: move it.",
        )
    return column.astype(np.int64)


def refuse_yolo(table: Array, boxes: Array, box_format: str, size: Array, what: str) -> None:
    """Refuse rows that fit the picture only as YOLO's ``class cx cy w h (conf)``."""
    height, width = int(size[0]), int(size[1])
    if not len(table) or not box_format.startswith("cxcywh") or _inside(boxes, height, width):
        return
    first = table[:, 0]
    if (first != np.round(first)).any() or first.min() < 0:
        return
    try:
        other = to_xyxy(table[:, 1:5], box_format, height, width, what)
    except UsageProblem:
        return
    if _inside(other, height, width):
        raise UsageProblem(
            f"{what}: the rows look like YOLO's, class first.",
            "Give 4 coordinates, (score,) label: move the first column to the end.",
        )


def refuse_class_first(
    tables: Sequence[Array | None], box_format: str, sizes: Array, what: str
) -> None:
    """Ask where all rows of all pictures can be ``class``, then a box in whole pixels.

    As they are taken, box first and class last, their first column would be the left edges, and
    their last one, the bottom edges or heights, the classes.
    """
    known = [(table, size) for table, size in zip(tables, sizes, strict=True) if table is not None]
    known = [(table, size) for table, size in known if len(table)]
    if not known or any(table.shape[1] != 5 for table, _ in known):
        return
    first, last = (np.concatenate([table[:, at] for table, _ in known]) for at in (0, 4))
    if (first != np.round(first)).any() or first.min() < 0 or first.max() >= last.max():
        return
    if box_format != "xyxy" and len(np.unique(first)) >= len(np.unique(last)):
        return
    for table, (height, width) in known:
        try:
            other = to_xyxy(table[:, 1:], box_format, int(height), int(width), what)
        except UsageProblem:
            return
        if min(height, width) > 0 and not _inside(other, int(height), int(width)):
            return
    raise UsageProblem(
        f"{what}: the rows can be 4 coordinates and the class, or the class and 4 coordinates.",
        "Give each image as {'boxes': M×4, 'labels': M}.",
    )


def _inside(boxes: Array, height: int, width: int) -> bool:
    edge = np.array([width, height]) + 1
    return bool((boxes[:, :2] >= -1).all() and (boxes[:, 2:] <= edge).all())
