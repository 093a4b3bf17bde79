"""Masks of grey values as masks of truth values, by one rule for all tasks and types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array

_FEW = 128  # labels of a map are fewer; a mask of grey values goes on to 255
_LEAST = 32.0  # fractions up to here are neither of 0..1 nor of 0..255


@dataclass(frozen=True, slots=True)
class Cut:
    """Above which value a pixel counts, and between which values it is grey."""

    above: float
    grey: tuple[float, float] | None = None
    note: str = ""

    def apply(self, mask: Array) -> npt.NDArray[np.bool_]:
        """Return where a mask is set; NaN is not."""
        return np.asarray(mask if mask.dtype == bool else mask > self.above, bool)


def cut_of(masks: Sequence[Array], what: str, notes: list[str]) -> Cut:
    """Return where the masks of a set are cut, and note what had two readings.

    Masks of 0 and one other value are as they are. Values of 0..1, 0..255 or beyond are cut
    at half of the range, as from interpolation; values below 0 are logits, cut at 0; small
    whole numbers (0, 1, 2 …) are labels of which each but 0 counts.

    Raises
    ------
    UsageProblem
        Fractions that are of none of these ranges.
    """
    grey = [mask for mask in masks if mask.dtype != bool and mask.size]
    if any(mask.dtype.kind == "f" and np.isnan(mask).any() for mask in grey):
        notes.append(f"{what}: pixels of NaN in masks belong to no object.")
    cut = _cut(grey, what)
    if cut.note:
        notes.append(f"{what}: {cut.note}")
    elif cut.grey is not None:
        low, high = cut.grey
        if any(((mask > low) & (mask < high)).any() for mask in grey):
            notes.append(f"{what}: masks with grey edges were cut at {cut.above:g}.")
    return cut


def _cut(masks: Sequence[Array], what: str) -> Cut:
    low, high = _range(masks)
    top = 1.0 if high <= 1.3 else 255.0 if high <= 330 else high
    if low < 0:
        if _overshoots(low, high):
            return Cut(top / 2, (top * 1e-6, top * (1 - 1e-6)))
        return Cut(0.0, note="masks with values below 0 were read as logits, cut at 0.")
    if high <= 1:
        return Cut(0.5, (1e-6, 1 - 1e-6))
    if all(((mask == 0) | (mask == high)).all() for mask in masks):
        return Cut(0.0)
    labels = _labels(masks, high)
    if labels is not None:
        few = f"masks of whole numbers up to {high:g}: all but 0 was read as the object."
        return Cut(0.0, note="" if labels[: int(high) + 1].all() else few)
    fractions = any(mask.dtype.kind == "f" and (mask != np.round(mask)).any() for mask in masks)
    if fractions and 1.3 < high < _LEAST:
        raise UsageProblem(
            f"{what}: masks of {low:.3g} to {high:.3g} are neither of 0..1, nor of 0..255, nor "
            "logits.",
            "Give masks of truth values: mask > threshold.",
        )
    return Cut(top / 2, (top * 1e-6, top * (1 - 1e-6)))


def _range(masks: Sequence[Array]) -> tuple[float, float]:
    low = high = 0.0
    for mask in masks:
        known = mask[np.isfinite(mask)] if mask.dtype.kind == "f" else mask
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return low, high


def _overshoots(low: float, high: float) -> bool:
    """Whether values go beyond 0..1 or 0..255 by as much as a cubic interpolation does."""
    return -low <= 0.2 * high and (0.8 <= high <= 1.3 or 200 <= high <= 330)


def _labels(masks: Sequence[Array], high: float) -> npt.NDArray[np.bool_] | None:
    """Return which small whole numbers occur, or None where there are other values."""
    if high >= _FEW:
        return None
    seen = np.zeros(_FEW, bool)
    for mask in masks:
        known = mask[np.isfinite(mask)] if mask.dtype.kind == "f" else mask
        if (known != np.round(known)).any():
            return None
        seen[known.astype(np.int64).reshape(-1)] = True
    return seen
