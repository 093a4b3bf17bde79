"""A picture as 64 × 64 grey values, and what of it is left when it is stored or lit otherwise.

Their cosine transform is compared: without its mean (brightness), as a direction (contrast), and
with fine structure weighted up, for all pictures have much of the coarse. A mirrored picture has
the same values with other signs. The coarse part finds what may be the same, the fine part decides.

One picture at a time through a library of hashes takes a hash for each flip and each place of a
crop; here all pictures go through one product of matrices for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Grey: TypeAlias = npt.NDArray[np.uint8]

SIDE = 64
COARSE, FINE = 8, 16
"""Frequencies along each side."""
PLAIN = 2.0
"""Standard deviation of the grey values below which there is nothing to compare."""
_PARTS = 4
_HUES = 0.85  # cosine of the colours of two pictures from which on they are the same
_COLOURLESS = 6.0  # length for each part, below which a picture is grey
_SLOPES = 1.5  # frequencies below are slopes, which all pictures of a sky have
_NOISE = 0.15  # grey values: what storing changes, and so what says nothing


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture: its side as a share, and its corner."""

    side: float
    top: float
    left: float


WHOLE = Window(1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A picture in few bytes.

    Attributes
    ----------
    grey : uint8, 64 × 64
        Its sides stretched to a square.
    colours : uint8, 4 × 4 × 3
        Red, green and blue of its parts.
    """

    grey: Grey
    colours: Grey


def sketch_of(image: Any) -> Sketch:
    """Return the sketch of a PIL image."""
    from PIL import Image

    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        image = _of_deep(image)
    if image.mode in ("P", "PA", "LA", "RGBA", "La", "RGBa"):
        image = _on_white(image)
    grey = image if image.mode == "L" else image.convert("L")
    small = grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    # from few pixels more: no detail of the colours counts
    parts = image.resize((_PARTS * 4,) * 2, Image.Resampling.BOX).convert("RGB")
    colours = parts.resize((_PARTS, _PARTS), Image.Resampling.BOX)
    return Sketch(np.asarray(small, np.uint8), np.asarray(colours, np.uint8))


def colours_fit(first: Grey, second: Grey, *, parts: bool) -> npt.NDArray[np.bool_]:
    """Say which of N pairs have the same colours, or have lost them.

    Parameters
    ----------
    first, second : uint8, N × 4 × 4 × 3
        As in :class:`Sketch`, turned alike.
    parts : bool
        Whether each part must have its colour, and not the whole alone.
    """
    one, other = _chroma(first), _chroma(second)
    if not parts:
        one, other = one.mean(axis=1, keepdims=True), other.mean(axis=1, keepdims=True)
    size = one.shape[1] ** 0.5
    both = np.linalg.norm(one, axis=(1, 2)), np.linalg.norm(other, axis=(1, 2))
    alike = (one * other).sum(axis=(1, 2)) >= _HUES * both[0] * both[1]
    return np.asarray(alike | (np.minimum(*both) < _COLOURLESS * size), np.bool_)


def _chroma(colours: Grey) -> Floats:
    red, green, blue = np.moveaxis(colours.astype(np.float32), -1, 0)
    parts = np.stack([red - green, (red + green) / 2 - blue], axis=-1)
    return np.asarray(parts.reshape(len(parts), _PARTS**2, 2), np.float32)


def _of_deep(image: Any) -> Any:
    from PIL import Image

    values = np.nan_to_num(np.asarray(image, np.float32), posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255 / (high - low or 1))
    return Image.fromarray(scaled.astype(np.uint8))


def _on_white(image: Any) -> Any:
    from PIL import Image

    whole = image.convert("RGBA")
    ground = Image.new("RGBA", whole.size, "white")
    return Image.alpha_composite(ground, whole)


def is_plain(sketch: Sketch) -> bool:
    """Say whether a picture has nothing in it that would tell it from another."""
    return float(sketch.grey.std()) < PLAIN


def coarse_of(sketches: Grey, window: Window = WHOLE) -> Floats:
    """Return the coarse parts of N sketches, or of a window of each, N × 64 of length 1."""
    count = len(sketches)
    made = np.empty((count, COARSE * COARSE), np.float32)
    for start in range(0, count, 1024):
        part = _transformed(sketches[start : start + 1024], COARSE, window)
        made[start : start + 1024] = (part * _weights(COARSE, 1.0, 0.5)).reshape(len(part), -1)
    length = np.linalg.norm(made, axis=1, keepdims=True)
    return np.asarray(made / np.maximum(length, 1e-6), np.float32)


def fine_of(sketches: Grey, power: float, window: Window = WHOLE) -> Floats:
    """Return the fine parts of N sketches, N × 256, shorter than 1 by what may be noise.

    Parameters
    ----------
    sketches : uint8, N × 64 × 64
    power : float
        How much fine structure counts: weights are frequencies to this power.
    window : Window
        The part of each that is looked at.
    """
    weights = _weights(FINE, power, _SLOPES)
    made = (_transformed(sketches, FINE, window) * weights).reshape(len(sketches), -1)
    noise = _NOISE**2 * float((weights**2).sum())
    length = np.sqrt((made * made).sum(axis=1, keepdims=True) + noise)
    return np.asarray(made / length, np.float32)


def mirrored(parts: Floats, up_down: bool, left_right: bool) -> Floats:
    """Return what :func:`coarse_of` or :func:`fine_of` gives of the mirrored pictures."""
    side = round(parts.shape[1] ** 0.5)
    signs = np.where(np.arange(side) % 2, -1, 1).astype(np.float32)
    rows = signs if up_down else np.ones(side, np.float32)
    columns = signs if left_right else np.ones(side, np.float32)
    return np.asarray(parts * np.outer(rows, columns).ravel(), np.float32)


def _transformed(sketches: Grey, count: int, window: Window) -> Floats:
    basis = _basis(count)
    rows, columns = basis, basis
    if window != WHOLE:
        rows = basis @ _sampled(window.side, window.top)
        columns = basis @ _sampled(window.side, window.left)
    return np.asarray(rows @ sketches.astype(np.float32) @ columns.T, np.float32)


@cache
def _basis(count: int) -> Floats:
    places = 2 * np.arange(SIDE) + 1
    made = np.cos(np.pi * np.arange(count)[:, None] * places / (2 * SIDE)) * np.sqrt(2 / SIDE)
    made[0] /= np.sqrt(2)
    return np.asarray(made, np.float32)


@cache
def _weights(count: int, power: float, least: float) -> Floats:
    far = np.hypot(*np.mgrid[:count, :count])
    return np.asarray(np.where(far < least, 0, far**power), np.float32)


def _sampled(side: float, start: float) -> Floats:
    """Return the matrix that reads a part of a line between its values."""
    places = (start + side * (np.arange(SIDE) + 0.5) / SIDE) * SIDE - 0.5
    below = np.floor(places).astype(int)
    share = places - below
    made = np.zeros((SIDE, SIDE), np.float32)
    rows = np.arange(SIDE)
    made[rows, below.clip(0, SIDE - 1)] += 1 - share
    made[rows, (below + 1).clip(0, SIDE - 1)] += share
    return made
