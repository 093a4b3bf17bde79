"""Label maps of a semantic segmentation, from labels or logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Segments
from cvtrack_magics.tasks.class_names import class_names, one_ignored
from cvtrack_magics.tasks.segmentation.parse import read_planes
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.maps import Maps

Labels = npt.NDArray[np.int64]
_LOST = -(2**31)  # of a prediction while it is read; no data set has such a label
_FAR = 50  # labels that nothing has before the next: void, an id, grey values
_MANY = 1000  # classes that no data set has without names
_UNUSUAL = (254, 253, 99, 100)
"""Labels that some tools and data sets give to such pixels."""
_VOIDS = (255, 65535)
"""Labels that data sets give to pixels of no class (an unsigned -1)."""


def read_segments(
    truth: Any,
    count: int,
    classes: Any,
    *,
    predictions: Any,
    logits: Any,
    ignore: int | None,
    notes: list[str],
) -> tuple[Segments, tuple[str, ...]]:
    """Return label maps of N samples, and the names of the classes."""
    ignore = one_ignored(ignore)
    if (predictions is None) == (logits is None):
        raise UsageProblem("semantic: give either predictions= (label maps) or logits=.")
    if logits is not None:
        table = to_array(logits, "logits")
        if table.ndim != 4 or len(table) != count:
            raise UsageProblem(f"logits: expected {count}×K×H×W, saw {shape_of(table)}.")
        if table.shape[1] == 1:  # one logit a pixel is the second class's
            table = _of_two(table, notes)
        known, predictions = table.shape[1], _likeliest(table)
        classes = class_names(classes, known)
        if len(classes) != known:
            raise UsageProblem(f"logits: {known} channels, but {len(classes)} class names.")
    true_maps = [_labels(plane, "truth") for plane in read_planes(truth, count, "truth", None)]
    said_maps = [
        _said(plane, _void(classes, ignore))
        for plane in read_planes(predictions, count, "predictions", None)
    ]
    _check_sizes(true_maps, said_maps)
    _check_least(true_maps, ignore)
    if ignore is None and (classes is None or len(class_names(classes, 0)) <= 2):
        _refuse_white(true_maps, "truth")
        _refuse_white(said_maps, "predictions")
    names = _names(classes, true_maps, said_maps, ignore)
    if classes is None:
        used = _used(true_maps, said_maps, len(names), ignore)
        _refuse_ids(used)
        notes += _of_gaps(used, ignore)
    void = 255 if len(names) <= 255 and (ignore or 0) < 256 else 65535
    lost = any((plane == _LOST).any() for plane in said_maps)
    stored = void if ignore is not None and ignore < 0 else ignore
    return (
        Segments(
            _packed(true_maps, ignore, stored, void),
            _packed(said_maps, _LOST, void, void),
            stored,
            void if lost else None,
        ),
        names,
    )


def _refuse_white(maps: Sequence[Labels], what: str) -> None:
    """Refuse maps of 0 and 255 alone: a mask's white, or pixels that do not count."""
    seen = {label for plane in maps for label in (0, 255) if (plane == label).any()}
    if 255 in seen and all(np.isin(plane, (0, 255, _LOST)).all() for plane in maps):
        raise UsageProblem(
            f"{what}: the labels are 0 and 255 alone: white of a mask, or pixels that do not "
            "count?",
            "Give mask > 0 for two classes, or say ignore=255.",
        )


def _of_two(table: Array, notes: list[str]) -> Array:
    """Return the logits of two classes from one channel; 0..1 is what a sigmoid made of them.

    A pixel of NaN has no class.
    """
    known = table[np.isfinite(table)] if table.dtype.kind == "f" else table
    cut = 0.0
    if known.size and known.min() >= 0 and known.max() <= 1:
        notes.append("logits: one channel within 0..1 was read as after a sigmoid, cut at 0.5.")
        cut = 0.5
    first = np.where(np.isnan(table), np.nan, cut) if table.dtype.kind == "f" else table * 0 + cut
    return np.concatenate((first, table), axis=1)


def _used(
    true_maps: Sequence[Labels], said_maps: Sequence[Labels], count: int, ignore: int | None
) -> list[int]:
    """Return the labels that occur, rising, without that to ignore."""
    seen = np.zeros(count, bool)
    for plane in (*true_maps, *said_maps):
        seen[plane[(plane >= 0) & (plane < count) & (plane != _or(ignore))]] = True
    return [int(label) for label in np.flatnonzero(seen)]


def _refuse_ids(used: Sequence[int]) -> None:
    """Refuse labels of which few occur and one is beyond a thousand: ids of objects."""
    if used and used[-1] >= _MANY and len(used) < used[-1] / 2:
        raise UsageProblem(
            f"semantic: {len(used)} labels occur, up to {used[-1]:,}: ids of objects (panoptic), "
            "or classes?",
            "Give the class of each pixel, for example ids // 1000, or say classes=.",
        )


def _of_gaps(used: Sequence[int], ignore: int | None) -> list[str]:
    """Say which labels lie so far above all others that they may be no classes."""
    last = max((at for at in range(1, len(used)) if used[at] - used[at - 1] > _FAR), default=0)
    if not last:
        return []
    if last == len(used) - 1:
        high = used[last]
        how = f"say ignore={high}" if ignore is None else f"give them the label {ignore} too"
        return [f"Label {high} was read as a class; if its pixels do not count, {how}."]
    return [
        f"Labels from {used[last]} on were read as classes, {used[last - 1]} comes before; "
        "if they are none, give the class of each pixel."
    ]


def _likeliest(table: Array) -> Labels:
    """Return the class of each pixel; none where the highest logit is NaN or infinite."""
    labels: Labels = np.argmax(table, axis=1)
    if table.dtype.kind == "f" and table.size:
        labels[~np.isfinite(table.max(axis=1))] = _LOST
    return labels


def _void(classes: Any, ignore: int | None) -> int | None:
    """Return the label to ignore where it is none of the classes."""
    known = min(_VOIDS) if classes is None else len(class_names(classes, 0))
    return ignore if ignore is not None and not 0 <= ignore < known else None


def _said(plane: Array, void: int | None) -> Labels:
    """Return predicted labels; a pixel of NaN or of the label of no class has none."""
    if plane.dtype.kind == "f":
        plane = np.where(np.isfinite(plane), plane.astype(np.float64), _LOST)
    labels = _labels(plane, "predictions")
    if void is not None:
        labels[labels == void] = _LOST
    low = labels[(labels < 0) & (labels != _LOST)]
    if low.size:
        raise UsageProblem(f"predictions: label {low.min()} is below 0.", "Labels begin at 0.")
    return labels


def _labels(plane: Array, what: str) -> Labels:
    if plane.dtype.kind == "f" and not np.array_equal(plane, np.round(plane)):
        raise UsageProblem(f"{what}: label maps hold whole numbers, saw {plane.dtype} fractions.")
    return plane.astype(np.int64)


def _check_sizes(true_maps: Sequence[Labels], said_maps: Sequence[Labels]) -> None:
    for index, (mine, theirs) in enumerate(zip(true_maps, said_maps, strict=True)):
        if mine.shape != theirs.shape:
            raise UsageProblem(
                f"semantic: sample {index} has a truth of {shape_of(mine)} and a prediction of "
                f"{shape_of(theirs)}.",
                "Resize one to the other (nearest neighbour).",
            )


def _check_least(true_maps: Sequence[Labels], ignore: int | None) -> None:
    for plane in true_maps:
        low = plane[(plane < 0) & (plane != _or(ignore))]
        if low.size:
            raise UsageProblem(
                f"truth: label {low.min()} is below 0.",
                f"If these pixels do not count, say ignore={low.min()}.",
            )


def _names(
    classes: Any, true_maps: Sequence[Labels], said_maps: Sequence[Labels], ignore: int | None
) -> tuple[str, ...]:
    highest = -1
    for plane in true_maps:
        highest = max(highest, int(np.max(plane, where=plane != _or(ignore), initial=-1)))
    predicted = max((int(plane.max()) for plane in said_maps), default=-1)
    if classes is None and max(highest, predicted) >= _VOIDS[-1]:
        raise UsageProblem(
            f"semantic: label {max(highest, predicted)} is beyond {_VOIDS[-1]:,} classes.",
            "If pixels of this label do not count, say ignore=65535.",
        )
    highest = max(highest, predicted)
    names = class_names(classes, highest + 1)
    if highest >= len(names):
        lone = not any((plane == highest - 1).any() for plane in true_maps)
        void = highest in _VOIDS or (highest in _UNUSUAL and lone)
        how = f"Say ignore={highest}." if ignore is None else f"Give its pixels the label {ignore}."
        hint = how if void else "Labels begin at 0."
        if highest >= _MANY and not void:
            hint = "Give the class of each pixel where these are ids of objects, as ids // 1000."
        raise UsageProblem(f"semantic: label {highest} is beyond the {len(names)} classes.", hint)
    return names


def _packed(planes: Sequence[Labels], label: int | None, stored: int | None, void: int) -> Maps:
    kind: Any = np.uint8 if void == 255 else np.uint16
    if label == stored or label is None or stored is None:
        return Maps.of(plane.astype(kind) for plane in planes)
    return Maps.of(np.where(plane == label, stored, plane).astype(kind) for plane in planes)


def _or(ignore: int | None) -> int:
    return _LOST if ignore is None else ignore
