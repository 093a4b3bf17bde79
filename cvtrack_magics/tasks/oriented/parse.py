"""Oriented boxes as people have them: corners, centres with angles, Ultralytics, DOTA, YOLO."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.limits import NotRegular, file_bytes
from cvtrack_magics.tasks.detection.parse import Form, read_boxes
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.quads import areas_of, convex, corners_of

_CORNERS = ("corners", "polygons", "xyxyxyxy", "quads")
_TURNED = ("boxes", "xywhr", "rboxes", "obb")
_TURN = 2 * np.pi
_MOST = 64 << 20  # bytes of a label file
_WORDS = 9  # of a line: eight numbers and a name, or a class and eight numbers
_HEADS = ("imagesource", "gsd")


@dataclass(frozen=True, slots=True)
class Side:
    """Which of the two is read: ``what`` it is called, with scores, in which unit its angles."""

    what: str
    scored: bool
    angle: str | None


def read_quads(
    items: Any, sizes: Array, side: Side, notes: list[str], classes: Any = None
) -> Boxes:
    """Return the oriented boxes of N images; labels are not checked yet.

    Parameters
    ----------
    items : sequence, N
        See :meth:`cvtrack_magics.Predictions.oriented`.
    sizes : int array, N × 2
        Heights and widths of the images.
    side : Side
        Truth or predictions.
    notes : list of str
        Takes what had two readings.
    classes : sequence of str, mapping, int or None
        Labels that are names are looked up there.

    Raises
    ------
    UsageProblem
        It cannot be read, or it could be read in two ways.
    """
    what = side.what
    if side.angle not in (None, "radians", "degrees"):
        raise UsageProblem(f"angle={side.angle!r} is neither 'radians' nor 'degrees'.")
    if isinstance(items, (Mapping, str, os.PathLike)) and len(sizes) == 1:
        items = [items]
    if isinstance(items, (Mapping, str, os.PathLike)) or not hasattr(items, "__len__"):
        raise UsageProblem(f"{what}: expected a list with an entry for each image.")
    if len(items) != len(sizes):
        raise UsageProblem(f"{what}: {len(items)} entries for {len(sizes)} images.")
    made = [
        _as_dict(item, f"{what} of image {at}", side, size)
        for at, (item, size) in enumerate(zip(items, sizes, strict=True))
    ]
    _check_unit(made, side)
    quads = [_quads(one.pop("quads"), side, f"{what} of image {at}") for at, one in enumerate(made)]
    for one, part in zip(made, quads, strict=True):
        low = part.min(axis=1) if len(part) else np.zeros((0, 2))
        high = part.max(axis=1) if len(part) else np.zeros((0, 2))
        one["boxes"] = np.concatenate((low, high), axis=1)
    form = Form("xyxy", masked=False)
    boxes = read_boxes(made, sizes, what, form, scored=side.scored, notes=notes, classes=classes)
    whole = np.concatenate(quads) if quads else np.zeros((0, 4, 2))
    return replace(boxes, corners=whole, areas=areas_of(whole))


def _as_dict(item: Any, what: str, side: Side, size: Array) -> dict[str, Any]:
    if isinstance(item, (str, os.PathLike)):
        return _of_file(Path(item), what, side, size)
    if hasattr(item, "obb"):  # of Ultralytics
        obb = item.obb
        made = {"quads": obb.xyxyxyxy, "labels": to_array(obb.cls, what).astype(np.int64)}
        return {**made, "scores": obb.conf} if side.scored else made
    if item is None or (isinstance(item, Sequence) and not len(item)):
        none = np.zeros(0)
        made = {"quads": np.zeros((0, 4, 2)), "labels": none}
        return {**made, "scores": none} if side.scored else made
    if not isinstance(item, Mapping):
        raise UsageProblem(
            f"{what}: expected a dict with corners or boxes, a result with obb or the path of a "
            f"label file; saw {type(item).__name__}."
        )
    key = next((key for key in (*_CORNERS, *_TURNED) if item.get(key) is not None), None)
    if key is None:
        seen = ", ".join(map(str, list(item)[:8])) or "nothing"
        raise UsageProblem(f"{what}: there are no corners and no boxes, saw {seen}.")
    rest = {k: v for k, v in item.items() if k not in (*_CORNERS, *_TURNED)}
    return {**rest, "quads": item[key]}


def _of_file(path: Path, what: str, side: Side, size: Array) -> dict[str, Any]:
    """Read a label file of DOTA (pixels and names) or of YOLO (shares and numbers).

    Raises
    ------
    UsageProblem
        It is neither, or there is none.
    """
    if side.scored:
        raise UsageProblem(f"{what}: a label file has no scores.", "Give a dict with scores.")
    try:
        data = file_bytes(path.expanduser(), _MOST)
    except (OSError, NotRegular) as error:
        raise UsageProblem(f"{what}: {os.fspath(path)!r} cannot be read: {error}.") from error
    if len(data) > _MOST:
        raise UsageProblem(f"{what}: {path.name} is over {_MOST // 2**20} MB, no label file.")
    rows = [
        _row(line.split(), f"{what}: line {number} of {path.name}", size)
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1)
        if line.split() and not line.startswith(_HEADS)
    ]
    return {
        "quads": np.array([row[0] for row in rows]).reshape(-1, 8),
        "labels": [row[1] for row in rows],
        "difficult": [int(row[2]) for row in rows],
    }


def _row(words: Sequence[str], where: str, size: Array) -> tuple[Any, int | str, bool]:
    """Return corners in pixels, class and whether it is difficult of a line."""
    if len(words) == _WORDS and _is_number(words[-1]) and all(map(_is_number, words)):
        shares = np.array([float(word) for word in words[1:]]).reshape(4, 2)
        return (shares * np.asarray(size)[::-1]).reshape(-1), int(float(words[0])), False
    hard = words[_WORDS] if len(words) > _WORDS else "0"
    known = len(words) in (_WORDS, _WORDS + 1) and all(map(_is_number, words[:8]))
    if not known or hard not in ("0", "1", "2"):
        raise UsageProblem(
            f"{where} is no box: DOTA has eight numbers, a name and 0 or 1; YOLO a number and "
            "eight shares."
        )
    return np.array([float(word) for word in words[:8]]), words[8], hard != "0"


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


def _check_unit(made: Sequence[Mapping[str, Any]], side: Side) -> None:
    """Raise where angles may be in radians and in degrees."""
    if side.angle is not None:
        return
    angles = [
        np.asarray(to_array(one["quads"], side.what), np.float64)[:, 4]
        for one in made
        if np.ndim(one["quads"]) == 2 and np.shape(one["quads"])[1] == 5
    ]
    every = np.concatenate(angles) if angles else np.zeros(0)
    if every.size and np.abs(every).max() <= _TURN and np.abs(every).max() > 0:
        raise UsageProblem(
            f"{side.what}: angles up to {np.abs(every).max():.3g}: radians or degrees?",
            "Say angle='radians' or angle='degrees'.",
        )


def _quads(value: Any, side: Side, what: str) -> Array:
    array = np.asarray(to_array(value, what), np.float64)
    if array.size == 0:
        return np.zeros((0, 4, 2))
    if array.ndim == 2 and array.shape[1] == 5:
        if array[:, 2:4].min() < 0:
            raise UsageProblem(f"{what}: a box has a negative width or height.")
        if side.angle != "radians":
            array = np.concatenate((array[:, :4], np.deg2rad(array[:, 4:])), axis=1)
        array = corners_of(array)
    elif array.ndim == 2 and array.shape[1] == 8:
        array = array.reshape(-1, 4, 2)
    if array.ndim != 3 or array.shape[1:] != (4, 2):
        raise UsageProblem(f"{what}: expected M×5, M×8 or M×4×2, saw {shape_of(array)}.")
    if not np.isfinite(array).all():
        raise UsageProblem(f"{what}: a box has a coordinate that is NaN or infinite.")
    return convex(array)
