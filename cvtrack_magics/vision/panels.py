"""Pictures of pictures: tiles in rows, each with a caption, drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cvtrack_magics.palette import BOXES
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.images import Image, rgb
from cvtrack_magics.vision.text_layout import font_of, shortened, wrapped

SIDE = 224  # pixels of a tile
_GAP = 12
_TEXT = 14
_LINE = 20
_INK, _SOFT, _PAPER = (26, 26, 26), (90, 90, 90), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a panel.

    Attributes
    ----------
    image : uint8 array, H × W or H × W × C
        Fitted into the tile, never cropped.
    caption : str
        Any text; shortened to the tile's width.
    tail : str
        What follows the caption and is not shortened.
    boxes : float array, M × 4, or None
        xyxy in the image's pixels.
    labels : int array, M, or None
        Colours and captions of the boxes.
    mask : array, H × W (label map) or M × H × W (one for each object), or None
        Drawn as contours.
    """

    image: Image
    caption: str = ""
    tail: str = ""
    boxes: Array | None = None
    labels: Array | None = None
    mask: Array | None = None
    names: Sequence[str] = field(default=())


def compose(rows: Sequence[Sequence[Tile]], foot: Sequence[str] = (), side: int = SIDE) -> Image:
    """Return rows of tiles as one picture on white.

    Parameters
    ----------
    rows : sequence of sequences of Tile
        From the top; rows may differ in length.
    foot : sequence of str
        Lines below, wrapped to the picture's width.
    side : int
        Width and greatest height of a tile.

    Returns
    -------
    uint8 array, height × width × 3
    """
    from PIL import Image as pil
    from PIL import ImageDraw

    font = font_of(_TEXT)
    across = max((len(row) for row in rows), default=1)
    width = max(across, 2) * (side + _GAP) + _GAP
    heights = [max((_fitted(t.image, side)[1] for t in row), default=0) for row in rows]
    lines = [line for text in foot for line in wrapped(text, width - 2 * _GAP, font)]
    height = _GAP + sum(heights) + len(rows) * (_LINE + _GAP) + len(lines) * _LINE
    sheet = pil.new("RGB", (width, height + (_GAP if lines else 0)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for row, tall in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left = _GAP + column * (side + _GAP)
            caption = shortened(tile.caption, tile.tail, side, font)
            draw.text((left, top), caption, fill=_INK, font=font)
            picture = _drawn(tile, side)
            sheet.paste(picture, (left + (side - picture.width) // 2, top + _LINE))
        top += _LINE + tall + _GAP
    for line in lines:
        draw.text((_GAP, top), line, fill=_SOFT, font=font)
        top += _LINE
    return np.asarray(sheet)


def _fitted(image: Image, side: int) -> tuple[int, int]:
    """Return the width and height that an image has in a tile."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _drawn(tile: Tile, side: int) -> Any:
    from PIL import Image as pil

    picture = pil.fromarray(np.ascontiguousarray(rgb(tile.image)))
    size = _fitted(tile.image, side)
    # single pixels of small pictures are to be seen as they are
    way = pil.Resampling.NEAREST if size[0] >= 2 * picture.width else pil.Resampling.LANCZOS
    picture = picture.resize(size, way)
    if tile.mask is not None and tile.mask.size:
        picture = _contours(picture, tile.mask, tile.labels)
    if tile.boxes is not None and len(tile.boxes):
        _boxes(picture, tile)
    return picture


def _contours(picture: Any, mask: Array, labels: Array | None) -> Any:
    from PIL import Image as pil

    if mask.ndim == 2:  # 255 stands for "no class" in most label maps
        values = [int(v) for v in np.unique(mask) if v not in (0, 255)] or [255]
        parts = [(value, mask == value) for value in values[:64]]
    else:
        fits = labels is not None and len(labels) == len(mask)
        numbers = labels if labels is not None and fits else np.arange(len(mask))
        parts = [(int(number), part > 0) for number, part in zip(numbers[:64], mask, strict=False)]
    pixels = np.array(picture)
    for number, part in parts:
        scaled = pil.fromarray(part.astype(np.uint8)).resize(picture.size, pil.Resampling.NEAREST)
        inside = np.asarray(scaled).astype(bool)
        colour = np.array(BOXES[number % len(BOXES)])
        pixels[inside] = (0.75 * pixels[inside] + 0.25 * colour + 0.5).astype(np.uint8)
        core = _eroded(_eroded(inside))
        pixels[inside & ~core] = colour
    return pil.fromarray(pixels)


def _eroded(mask: Array) -> Array:
    padded = np.pad(mask, 1, mode="edge")
    sides = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.asarray(np.logical_and.reduce((mask, *sides)))


def _boxes(picture: Any, tile: Tile) -> None:
    from PIL import ImageDraw

    assert tile.boxes is not None
    draw, font = ImageDraw.Draw(picture), font_of(11)
    height, width = tile.image.shape[:2]
    scale = np.array([picture.width / width, picture.height / height] * 2)
    boxes = np.nan_to_num(tile.boxes[:200].astype(np.float64)) * scale
    boxes = np.clip(boxes, -10, max(picture.size) + 10)
    for row, box in enumerate(boxes):
        label = None
        if tile.labels is not None and row < len(tile.labels):
            label = int(tile.labels[row])
        colour = BOXES[(label if label is not None else row) % len(BOXES)]
        left, top, right, bottom = (round(float(v)) for v in box)
        right, bottom = max(left, right - 1), max(top, bottom - 1)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=_INK)
        draw.rectangle((left, top, right, bottom), outline=colour, width=2)
        if label is None:
            continue
        name = tile.names[label] if 0 <= label < len(tile.names) else str(label)
        name = shortened(name, "", max(30, right - left), font)
        at = (max(left, 0) + 3, max(top, 0) + 2)
        draw.rectangle(draw.textbbox(at, name, font=font), fill=colour, outline=colour, width=2)
        draw.text(at, name, fill=_INK, font=font)
