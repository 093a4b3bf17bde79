"""Maps, masks and boxes drawn over a picture with NumPy and Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.colours import colours
from cvtrack_magics.vision.images import Image

ALPHA = 0.5


def fit(plane: Array, image: Image) -> Array:
    """Bring a map to the size of the picture, without mixing its values."""
    if plane.shape == image.shape[:2]:
        return plane
    ys = np.arange(image.shape[0]) * plane.shape[0] // image.shape[0]
    xs = np.arange(image.shape[1]) * plane.shape[1] // image.shape[1]
    fitted: Array = plane[ys][:, xs]
    return fitted


def mix(image: Array, other: Array, alpha: float = ALPHA) -> Image:
    """Lay one picture over another."""
    return np.asarray(image * (1 - alpha) + other * alpha, np.uint8)


def shades(classes: Sequence[str]) -> Array:
    """Return the colours of the classes, uint8 K + 1 × 3; the last is for no class."""
    named = [tuple(bytes.fromhex(colour[1:])) for colour in colours(classes)]
    return np.array([*named, (128, 128, 128)], np.uint8)


def ramp(plane: Array, low: float | None = None, high: float | None = None) -> Image:
    """Colour a map from low (dark) to high (light), as matplotlib's *inferno* does."""
    from matplotlib import colormaps

    values = np.asarray(plane, np.float32)
    known = np.isfinite(values)
    if low is None or high is None:
        low = float(values[known].min()) if known.any() else 0.0
        high = float(values[known].max()) if known.any() else 1.0
    scaled = np.where(known, (values - low) / ((high - low) or 1.0), 0)
    table = np.array(colormaps["inferno"].resampled(256)(np.arange(256)))[:, :3] * 255
    levels = np.clip(scaled * 255, 0, 255).astype(np.uint8)
    return np.asarray(table.astype(np.uint8)[levels], np.uint8)


def rectangle(pen: Any, box: Array, colour: Any, width: int) -> None:
    """Draw the outline of a box, x0 y0 x1 y1 in pixels."""
    left, top, right, bottom = (float(side) for side in box)
    pen.rectangle(
        (left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=width
    )
