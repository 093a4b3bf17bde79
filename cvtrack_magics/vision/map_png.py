"""Label maps, heat maps and depths as small grey pictures."""

from __future__ import annotations

import io

import numpy as np

from cvtrack_magics.vision.arrays import Array


def _png(array: Array) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", compress_level=6)
    return file.getvalue()


def _fitting(plane: Array, side: int) -> Array:
    """Leave out rows and columns of a plane that is larger than asked for."""
    step = -(-max(plane.shape) // side)
    return plane[::step, ::step] if step > 1 else plane


def label_png(plane: Array, *, wide: bool, ignore: int | None, side: int) -> bytes:
    """Return a label map as a PNG; see the format in the package."""
    plane = _fitting(plane, side)
    labels = plane.astype(np.int64)
    nothing = 65535 if wide else 255
    if ignore is not None:
        labels = np.where(labels == ignore, nothing, labels)
    if not wide:
        return _png(labels.astype(np.uint8))
    return _png(np.stack((labels % 256, labels // 256, np.zeros_like(labels)), -1).astype(np.uint8))


def grey_png(plane: Array, low: float, high: float, *, side: int, gaps: bool) -> bytes:
    """Return a map as a PNG: from low to high 0 … 255, or 1 … 255 with 0 for what is not finite."""
    plane = _fitting(np.asarray(plane, np.float32), side)
    first = 1 if gaps else 0
    scale = (255 - first) / (high - low) if high > low else 0.0
    known = np.isfinite(plane)
    levels = np.clip(np.where(known, (plane - low) * scale, 0), 0, 255 - first) + first
    levels = np.where(known, levels + 0.5, 0)
    return _png(levels.astype(np.uint8))
