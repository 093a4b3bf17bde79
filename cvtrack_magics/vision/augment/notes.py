"""What a look at augmented samples should not leave unsaid: counts, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.augment.apply import Applied
from cvtrack_magics.vision.augment.items import Item
from cvtrack_magics.vision.images import Image, to_images

_NEAR = 0.5  # pixels a box may reach beyond the image; rotations round


@dataclass(frozen=True, slots=True)
class Normalise:
    """The normalisation at a transform's end; ``mean`` and ``std`` are float64, one a channel."""

    mean: Array
    std: Array

    def undo(self, image: Array) -> Array | None:
        """Return the image before it, or None where the channels do not fit."""
        channels = image.shape[2] if image.ndim == 3 else 1
        if image.dtype.kind != "f" or self.mean.size not in (1, channels):
            return None
        return np.asarray(image * self.std + self.mean)


def normalise_of(applied: Applied) -> Normalise | None:
    """Return the normalisation of a transform, if it has one, in every draw, and only one."""
    found = [(step, sure) for step, sure in applied.steps if type(step).__name__ == "Normalize"]
    if len(found) != 1 or not found[0][1]:
        return None
    step: Any = found[0][0]
    if getattr(step, "normalization", "standard") != "standard":
        return None
    try:
        mean, std = (np.atleast_1d(np.array(v, np.float64)) for v in (step.mean, step.std))
    except (AttributeError, TypeError, ValueError):
        return None
    return Normalise(mean, std) if mean.size == std.size else None


def pictures(
    arrays: Sequence[Array], normalise: Normalise | None, notes: list[str], what: str
) -> list[Image]:
    """Return images of one range as 8-bit pictures.

    Parameters
    ----------
    arrays : sequence of arrays, H × W or H × W × C
        The values.
    normalise : Normalise or None
        Undone first.
    notes : list of str
        Gets a line where the pictures are not true to the values.
    what : str
        The images, for the notes.
    """
    undone = [None if normalise is None else normalise.undo(array) for array in arrays]
    back = [image for image in undone if image is not None]
    if len(back) == len(arrays) and back:
        _, high = _extremes(back)
        if high > 1.5:
            notes.append(f"Normalize was given values up to {high:.4g}: its mean is for 0..1")
        notes.append("Normalize is undone in the pictures")
        return to_images(back, layout="HWC", value_range=(0, 255 if high > 1.5 else 1))
    low, high = _extremes(arrays)
    # noise and changes of contrast leave 0..1 a little; other ranges begin or end elsewhere
    if low >= -0.3 and 0.8 < high <= 1.5 and all(array.dtype.kind == "f" for array in arrays):
        return to_images(arrays, layout="HWC", value_range=(0, 1))
    try:
        return to_images(arrays, layout="HWC")
    except UsageProblem:
        if any(array.ndim == 3 and array.shape[2] not in (3, 4) for array in arrays):
            raise
    notes.append(f"{what} have values {low:.4g}..{high:.4g} of no known range: drawn stretched")
    return to_images(arrays, layout="HWC", value_range=(low, high if high > low else low + 1))


def observe(
    applied: Applied,
    items: Sequence[Item],
    drawn: Sequence[Sequence[Item]],
    shown: Sequence[Image],
    shown_draws: Sequence[Sequence[Image]],
) -> list[str]:
    """Return what is to be said of the draws.

    Parameters
    ----------
    applied : Applied
        The transform.
    items, drawn
        The samples, and the draws of each.
    shown, shown_draws
        The same as pictures.
    """
    notes = _unmoved(applied, items)
    if applied.moves_boxes():
        notes += _boxes(items, drawn)
    flat = [draw for row in drawn for draw in row]
    notes += _values([item.pixels for item in items], [draw.pixels for draw in flat])
    return notes + _sameness(shown, shown_draws)


def _unmoved(applied: Applied, items: Sequence[Item]) -> list[str]:
    why = "the transform takes images only"
    if applied.kind == "albumentations":
        why = "the pipeline has no bbox_params"
    notes = []
    if not applied.moves_boxes() and any(item.boxes is not None for item in items):
        notes.append(f"boxes are drawn unmoved: {why}")
    if not applied.moves_masks() and any(item.mask is not None for item in items):
        notes.append(f"masks are drawn unmoved: {why}")
    return notes


def _boxes(items: Sequence[Item], drawn: Sequence[Sequence[Item]]) -> list[str]:
    flat = [draw for row in drawn for draw in row]
    kinds = [_outside(draw) for draw in flat]
    boxes = sum(len(out) for out, _ in kinds)
    notes = []
    for name, at in (("outside the image or without area", 0), ("partly outside the image", 1)):
        bad = sum(int(kind[at].sum()) for kind in kinds)
        if bad:
            where = _of(sum(bool(kind[at].any()) for kind in kinds), len(flat))
            notes.append(f"{bad} of {boxes} boxes lie {name}, {where}")
    pairs = [(item, draw) for item, row in zip(items, drawn, strict=True) for draw in row]
    lost = sum(bool(len(_rows(item))) and bool(_outside(draw)[0].all()) for item, draw in pairs)
    if lost:
        notes.append(f"all boxes are lost {_of(lost, len(flat))}")
    differ = sum(
        draw.labels is not None and draw.boxes is not None and len(draw.labels) != len(draw.boxes)
        for draw in flat
    )
    if differ:
        notes.append(f"boxes and labels differ in number {_of(differ, len(flat))}")
    before = sum(bool(np.any(_outside(item))) for item in items)
    if before:
        notes.append(f"boxes reach outside the image already in {before} of {len(items)} originals")
    return notes


def _rows(item: Item) -> Array:
    return np.zeros((0, 4)) if item.boxes is None else item.boxes


def _outside(item: Item) -> tuple[Array, Array]:
    """Return which boxes lie wholly outside the image, or have no area, and which partly."""
    boxes = _rows(item)
    height, width = item.size
    limits = np.array([width, height] * 2)
    inside = np.clip(boxes, 0, limits)
    gone = (inside[:, 2:] - inside[:, :2] <= 0).any(axis=1)
    reach = ((boxes < -_NEAR) | (boxes > limits + _NEAR)).any(axis=1)
    return gone, reach & ~gone


def _values(before: Sequence[Array], after: Sequence[Array]) -> list[str]:
    notes = []
    types = {array.dtype for array in before}
    other = [array for array in after if array.dtype not in types]
    if other:
        was, now = (" or ".join(sorted({str(a.dtype) for a in part})) for part in (before, other))
        notes.append(f"the dtype is {now} instead of {was} {_of(len(other), len(after))}")
    was, now = _range(before), _range(after)
    if was != now:
        notes.append(f"the values are {now} instead of {was}")
    broken = sum(not np.isfinite(array).all() for array in after)
    if broken:
        notes.append(f"values are NaN or infinite {_of(broken, len(after))}")
    return notes


def _range(arrays: Sequence[Array]) -> str:
    low, high = _extremes(arrays)
    whole = all(array.dtype.kind in "iu" for array in arrays)
    if low >= -1e-3 and high <= 255 + 1e-3 and (whole or high > 1.5):
        return "0..255"
    if low >= -1e-3 and high <= 1 + 1e-3:
        return "0..1"
    return f"{low:.3g}..{high:.3g}"


def _extremes(arrays: Sequence[Array]) -> tuple[float, float]:
    parts = [array[np.isfinite(array)] for array in arrays]
    parts = [part for part in parts if part.size]
    if not parts:
        return 0.0, 1.0
    return min(float(p.min()) for p in parts), max(float(p.max()) for p in parts)


def _sameness(shown: Sequence[Image], draws: Sequence[Sequence[Image]]) -> list[str]:
    count = sum(len(row) for row in draws)
    if all(_same(image, draw) for image, row in zip(shown, draws, strict=True) for draw in row):
        return [f"the transform did nothing: all {count} draws equal their originals"]
    if min(len(row) for row in draws) > 1 and all(
        _same(row[0], draw) for row in draws for draw in row[1:]
    ):
        return ["the draws of each sample are alike: the transform leaves nothing to chance"]
    return []


def _same(one: Image, other: Image) -> bool:
    if one.shape != other.shape:
        return False
    # one step of 255 is what a way to floats and back may cost
    return bool(np.all(np.abs(one.astype(np.int16) - other.astype(np.int16)) <= 1))


def _of(count: int, total: int) -> str:
    return f"in {count} of {total} draws"
