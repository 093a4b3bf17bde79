"""Picture, label and boxes of a sample, in the forms that data sets give them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from cvtrack_magics.capture.data.shapes import is_array, is_image
from cvtrack_magics.capture.pictures.items import Box

_PICTURES = ("image", "img", "pixel_values", "x", "picture", "jpg", "png")
_LABELS = ("label", "labels", "class", "target", "y", "cls", "category")


def picture_of(sample: Any) -> Any:
    """Return the picture of a sample: the first part, or what is called so."""
    if isinstance(sample, Mapping):
        return next((sample[key] for key in _PICTURES if key in sample), sample)
    if isinstance(sample, (list, tuple)) and sample:
        return sample[0]
    return sample


def label_of(value: Any, classes: Mapping[int, str] | None = None, *, whole: bool = False) -> Any:
    """Return a label as text; None where there is none.

    Parameters
    ----------
    value : object
        A number, text, one-hot row, or a dict or list of objects whose classes are taken.
    classes : mapping, optional
        Names of numbers.
    whole : bool
        It is a whole sample, of which the label is a part.
    """
    known = classes or {}
    value = _target(value) if whole else value
    if isinstance(value, Mapping):
        value = next((value[key] for key in _LABELS if key in value), None)
    if value is None or isinstance(value, str):
        return value
    array = _numbers(value)
    if array is None or array.ndim > 1 or (array.ndim and array.dtype.kind == "f"):
        return None  # a mask says nothing of one class, and scores are none
    numbers = [number for number in array.reshape(-1).tolist() if math.isfinite(number)]
    return ", ".join(sorted({_name(number, known) for number in numbers}))


def _name(number: float, known: Mapping[int, str]) -> str:
    whole = int(number) if float(number).is_integer() else number
    return known.get(int(number), str(whole)) if whole == int(number) else str(number)


def boxes_of(sample: Any, classes: Mapping[int, str] | None = None) -> tuple[tuple[str, Box], ...]:
    """Return class and corners of the objects of a sample, where it has any as torchvision's."""
    target = sample if isinstance(sample, Mapping) else _target(sample)
    if not isinstance(target, Mapping) or "boxes" not in target:
        return ()
    boxes = _numbers(target["boxes"])
    if boxes is None or boxes.ndim != 2 or boxes.shape[1] != 4:
        return ()
    labels = _numbers(target.get("labels", [0] * len(boxes)))
    known = classes or {}
    if labels is None or len(labels) != len(boxes):
        return ()
    return tuple(
        (known.get(int(label), str(int(label))), (row[0], row[1], row[2], row[3]))
        for label, row in zip(labels.tolist(), boxes.astype(float).tolist(), strict=True)
    )


def _target(sample: Any) -> Any:
    if isinstance(sample, Mapping):
        return sample if any(key in sample for key in (*_LABELS, "boxes")) else None
    if is_array(sample) or is_image(sample) or not isinstance(sample, (list, tuple)):
        return None
    return sample[1] if len(sample) > 1 else None


def _numbers(value: Any) -> Any:
    with suppress(Exception):  # what is no numbers says nothing
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        return array if array.dtype.kind in "biuf" else None
    return None
