"""Pictures that a network's normalisation made: by which mean and deviation, if it can be told.

Several data sets' statistics give values in one range. What came from 8 bits falls on 256 levels
under the right ones and between them under all others; that tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array, shape_of

Statistics = tuple[tuple[float, ...], tuple[float, ...]]

KNOWN: Mapping[str, Statistics] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""Means and deviations of red, green and blue: torchvision's, OpenAI CLIP's, those of CIFAR's
training sets as their common recipes write them, and what maps 0..1 to -1..1."""
_SLACK = 1e-2
_OFF_LEVEL, _OFF_LEVEL_HALF = 0.05, 0.12  # levels; the latter for floats of 16 bits
_PIXELS = 4096  # of an image that are looked at


def statistics_of(value: Any) -> Statistics:
    """Return means and deviations, given by a name or by two sequences.

    Raises
    ------
    UsageProblem
        They are no numbers, or a deviation is 0.
    """
    if isinstance(value, str):
        if value not in KNOWN:
            raise UsageProblem(
                f"value_range={value!r} is not known.",
                f"There are {', '.join(map(repr, KNOWN))}, and (means, deviations).",
            )
        return KNOWN[value]
    try:
        mean, deviation = (tuple(float(one) for one in part) for part in value)
    except (TypeError, ValueError):
        mean, deviation = (), ()
    usable = mean and len(mean) == len(deviation) and np.isfinite([*mean, *deviation]).all()
    if not usable or 0 in deviation:
        raise UsageProblem(
            f"value_range={value!r}: expected (black, white), a name, or (means, deviations)."
        )
    return mean, deviation


def undone(image: Array, statistics: Statistics) -> npt.NDArray[np.float32]:
    """Return an image of 0..1; raises :class:`UsageProblem` for another number of channels."""
    mean, deviation = (np.array(part, np.float32) for part in statistics)
    channels = image.shape[-1] if image.ndim == 3 else 1
    if channels != len(mean):
        raise UsageProblem(
            f"images: this normalisation has {len(mean)} channels, saw {shape_of(image)}."
        )
    return np.asarray(image * deviation + mean, np.float32)


def told_by(images: Sequence[Array]) -> tuple[str, list[str]]:
    """Return whose statistics these images have, empty where that is not certain, and all that fit.

    That values lie within what some statistics can make is no evidence that these made them:
    those of a data set of one's own do, too. That they fall on 8 bits' levels is.
    """
    if any(image.ndim != 3 or image.shape[-1] != 3 for image in images):
        return "", []
    finite = [image for image in images if np.isfinite(image).all()]
    if not finite:
        return "", []
    fitting = [name for name in KNOWN if all(fits(image, KNOWN[name]) for image in finite)]
    exact = [name for name in fitting if all(_on_levels(one, KNOWN[name]) for one in finite[:8])]
    return (exact[0] if len(exact) == 1 else ""), fitting


def normalisation_of(transform: Any) -> Statistics | None:
    """Return what a transform normalises by at its end, where it says so and surely does.

    Parameters
    ----------
    transform : object
        torchvision's or Albumentations', or whatever has ``transforms`` in order.
    """
    steps = list(_steps(transform))
    while steps and type(steps[-1]).__name__ in _HARMLESS:
        steps.pop()
    found = [step for step in steps if type(step).__name__ == "Normalize"]
    if len(found) != 1 or found[0] is not steps[-1]:
        return None
    step: Any = found[0]
    said = (getattr(step, "p", 1), getattr(step, "normalization", "standard"))
    if said != (1, "standard") or getattr(step, "max_pixel_value", 255) != 255:
        return None
    try:
        return statistics_of((np.ravel(step.mean), np.ravel(step.std)))
    except (AttributeError, TypeError, ValueError, UsageProblem):
        return None


def _steps(transform: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the steps that a transform takes each time, one after the other."""
    kind = type(transform).__name__
    inner = getattr(transform, "transforms", None)
    if kind == "Sequential":
        inner = list(transform)
    elif kind == "StandardTransform":  # torchvision's pair of those of image and target
        inner = [transform.transform]
    if not isinstance(inner, (list, tuple)):
        if transform is not None:
            yield transform
    elif kind in _IN_TURN and depth < _DEEPEST:  # others take one of several, or none
        for step in inner:
            yield from _steps(step, depth + 1)


_IN_TURN = ("Compose", "Sequential", "StandardTransform")
_HARMLESS = ("ToTensorV2", "ToPureTensor", "ToDtype", "ConvertImageDtype", "RandomErasing")
"""What may follow a normalisation and leaves the values, or most of them, as they are."""
_DEEPEST = 8


def fits(image: Array, statistics: Statistics) -> bool:
    """Whether every channel lies within what these statistics make of 0..1."""
    mean, deviation = map(np.array, statistics)
    planes = image.reshape(*image.shape[:2], -1)
    if planes.shape[-1] != len(mean) or image.dtype.kind != "f":
        return False
    black, white = -mean / deviation - _SLACK, (1 - mean) / deviation + _SLACK
    low, high = planes.min(axis=(0, 1)), planes.max(axis=(0, 1))
    return bool(np.all(low >= black) and np.all(high <= white))


def _on_levels(image: Array, statistics: Statistics) -> bool:
    """Whether every value is one of 256 levels under these statistics."""
    mean, deviation = (np.array(part, np.float64) for part in statistics)
    pixels = image.reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // _PIXELS)].astype(np.float64)
    levels = (pixels * deviation + mean) * 255
    off = np.abs(levels - np.round(levels)).max()
    half = np.array_equal(pixels, pixels.astype(np.float16))
    return bool(off <= (_OFF_LEVEL_HALF if half else _OFF_LEVEL))
