"""The plain picture of a grid: for a saved page, an artifact list, a terminal's file.

Composed with Pillow rather than drawn with matplotlib, which takes twenty times as long.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.sample_scores import Ratings
from cvtrack_magics.vision.images import Image, rgb
from cvtrack_magics.vision.text_layout import font_of, shortened

GAP = 6
BACK = (255, 255, 255)
INK, WRONG = (34, 34, 34), (176, 32, 32)
MOST = 480  # pixels of a tile's longer side
LEAST = 96


def compose(
    predictions: Predictions,
    rows: Sequence[int],
    ratings: Ratings | None = None,
    *,
    columns: int = 4,
    quality: int = 85,
) -> bytes:
    """Return some samples side by side, as a WebP picture of a quality from 1 to 100."""
    return encoded(contact_sheet(predictions, rows, ratings, columns=columns), "WEBP", quality)


def encoded(sheet: Any, format: str, quality: int = 85, most: int = 0) -> bytes:
    """Return a picture as a file, scaled down where a side is longer than ``most`` pixels."""
    if most and max(sheet.size) > most:
        sheet = sheet.copy()
        sheet.thumbnail((most, most))
    file = io.BytesIO()
    sheet.save(file, format, quality=quality, **({"method": 0} if format == "WEBP" else {}))
    return file.getvalue()


def contact_sheet(
    predictions: Predictions,
    rows: Sequence[int],
    ratings: Ratings | None = None,
    *,
    columns: int = 4,
) -> Any:
    """Return some samples side by side, as a picture of Pillow's.

    Parameters
    ----------
    predictions : Predictions
        With pixels.
    rows : sequence of int
        Places of the samples, in order.
    ratings : Ratings, optional
        How the model did on each sample, at the threshold from which on objects are drawn.
    columns : int
        Tiles in a row.
    """
    from PIL import Image as pil

    threshold = ratings.threshold if ratings is not None else None
    counted = kind_of(predictions.task).counted(predictions, threshold)
    tiles = [_tile(counted, int(row), ratings) for row in rows]
    columns = max(1, min(columns, len(tiles)))
    lines = [tiles[at : at + columns] for at in range(0, len(tiles), columns)]
    widths = [max(line[at].width for line in lines if at < len(line)) for at in range(columns)]
    heights = [max(tile.height for tile in line) for line in lines]
    sheet = pil.new(
        "RGB",
        (sum(widths) + GAP * (columns + 1), sum(heights) + GAP * (len(lines) + 1)),
        BACK,
    )
    top = GAP
    for line, height in zip(lines, heights, strict=True):
        left = GAP
        for tile, width in zip(line, widths[: len(line)], strict=True):
            sheet.paste(tile, (left, top))
            left += width + GAP
        top += height + GAP
    return sheet


def _tile(predictions: Predictions, row: int, ratings: Ratings | None) -> Any:
    """Return one sample with what is drawn on it, and its caption below."""
    from PIL import Image as pil
    from PIL import ImageDraw

    if predictions.pixels is None:
        height, width = (int(size) or LEAST for size in predictions.sizes[row])
        image: Image = np.full((min(height, MOST), min(width, MOST)), 235, np.uint8)
    else:
        image = predictions.pixels.image(row)
    kind = kind_of(predictions.task)
    shown = kind.views(predictions, row, rgb(image))
    height, width = shown[0].shape[:2]
    scale = _scale(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    views = []
    for view in shown:
        picture = pil.fromarray(view)
        if picture.size != size:
            way = pil.Resampling.NEAREST if scale > 1 else pil.Resampling.BILINEAR
            picture = picture.resize(size, way, reducing_gap=2.0 if scale < 1 else None)
        views.append(picture)
    text, right = kind.caption(predictions, row)
    judged = ratings.is_right(row) if ratings is not None else None
    right = right if judged is None else judged
    tile = pil.new("RGB", (size[0] * len(views) + 2 * (len(views) - 1), size[1] + 18), BACK)
    for at, picture in enumerate(views):
        tile.paste(picture, (at * (size[0] + 2), 0))
    pen = ImageDraw.Draw(tile)
    kind.draw_on(pen, predictions, row, size[0] / width)
    font = font_of(12)
    words = shortened(text, "", tile.width - 2, font)
    pen.text((1, size[1] + 2), words, font=font, fill=INK if right else WRONG)
    return tile


def _scale(height: int, width: int) -> float:
    longer = max(height, width)
    if longer > MOST:
        return MOST / longer
    return max(1, LEAST // longer) if longer < LEAST else 1
