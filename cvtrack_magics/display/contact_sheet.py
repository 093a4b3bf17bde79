"""The plain picture of a grid: for a saved page, an artifact list, a terminal's file.

Composed with Pillow rather than drawn with matplotlib, which takes twenty times as long.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.colours import colours
from cvtrack_magics.vision.images import Image, rgb
from cvtrack_magics.vision.text_layout import font_of, shortened

GAP = 6
BACK = (255, 255, 255)
INK, WRONG = (34, 34, 34), (176, 32, 32)
ALPHA = 0.5
MOST = 480  # pixels of a tile's longer side
LEAST = 96


def compose(
    predictions: Predictions, rows: Sequence[int], *, columns: int = 4, quality: int = 85
) -> bytes:
    """Return some samples side by side, as a WebP picture.

    Parameters
    ----------
    predictions : Predictions
        With pixels.
    rows : sequence of int
        Places of the samples, in order.
    columns : int
        Tiles in a row.
    quality : int
        Of the WebP, 1 to 100.
    """
    from PIL import Image as pil

    tiles = [_tile(predictions, int(row)) for row in rows]
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
    file = io.BytesIO()
    sheet.save(file, "WEBP", quality=quality, method=0)
    return file.getvalue()


def _tile(predictions: Predictions, row: int) -> Any:
    """Return one sample with what is drawn on it, and its caption below."""
    from PIL import Image as pil
    from PIL import ImageDraw

    if predictions.pixels is None:
        height, width = (int(size) or LEAST for size in predictions.sizes[row])
        image: Image = np.full((min(height, MOST), min(width, MOST)), 235, np.uint8)
    else:
        image = predictions.pixels.image(row)
    shown = _views(predictions, row, rgb(image))
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
    text, right = caption(predictions, row)
    tile = pil.new("RGB", (size[0] * len(views) + 2 * (len(views) - 1), size[1] + 18), BACK)
    for at, picture in enumerate(views):
        tile.paste(picture, (at * (size[0] + 2), 0))
    pen = ImageDraw.Draw(tile)
    if predictions.task in ("detection", "instance"):
        _draw_boxes(pen, predictions, row, size[0] / width)
    font = font_of(12)
    words = shortened(text, "", tile.width - 2, font)
    pen.text((1, size[1] + 2), words, font=font, fill=INK if right else WRONG)
    return tile


def _scale(height: int, width: int) -> float:
    longer = max(height, width)
    if longer > MOST:
        return MOST / longer
    return max(1, LEAST // longer) if longer < LEAST else 1


def _views(predictions: Predictions, row: int, image: Image) -> list[Image]:
    """Return the picture, or truth and prediction side by side where they are maps."""
    task = predictions.task
    if task == "semantic":
        data = predictions.segments
        shades = _shades(predictions.classes)
        return [
            _mix(image, shades[np.minimum(_fit(plane, image), len(shades) - 1)], ALPHA)
            for plane in (data.truth[row], data.prediction[row])
        ]
    if task == "instance":
        found = predictions.boxes.prediction
        shades = _shades(predictions.classes)
        drawn = image
        for at in range(*found.rows(row).indices(len(found.labels))):
            if found.masks is not None and found.scores is not None and found.scores[at] >= 0.5:
                mask = found.masks[at].array()
                if mask.shape == drawn.shape[:2]:
                    drawn = np.where(
                        mask[..., None], _mix(drawn, shades[found.labels[at]], ALPHA), drawn
                    )
        return [drawn]
    if task == "anomaly" and predictions.anomalies.heat is not None:
        heat = _fit(predictions.anomalies.heat[row], image)
        return [image, _mix(image, ramp(heat), ALPHA)]
    if task == "depth":
        data_ = predictions.depths
        truth, said = data_.truth[row], data_.prediction[row]
        known = truth[np.isfinite(truth) & (truth > 0)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        return [image, *(ramp(_fit(plane, image), low, high) for plane in (truth, said))]
    return [image]


def _fit(plane: Array, image: Image) -> Array:
    """Bring a map to the size of the picture, without mixing its values."""
    if plane.shape == image.shape[:2]:
        return plane
    ys = np.arange(image.shape[0]) * plane.shape[0] // image.shape[0]
    xs = np.arange(image.shape[1]) * plane.shape[1] // image.shape[1]
    fitted: Array = plane[ys][:, xs]
    return fitted


def _mix(image: Array, other: Array, alpha: float) -> Image:
    return np.asarray(image * (1 - alpha) + other * alpha, np.uint8)


def _shades(classes: Sequence[str]) -> Array:
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


def _draw_boxes(pen: Any, predictions: Predictions, row: int, scale: float) -> None:
    """Draw the truth thin and light around, the prediction in the colour of its class."""
    data = predictions.boxes
    shades = colours(predictions.classes)
    for box in data.truth.xyxy[data.truth.rows(row)]:
        _rectangle(pen, box * scale, (255, 255, 255), 3)
        _rectangle(pen, box * scale, (0, 0, 0), 1)
    found = data.prediction
    part = found.rows(row)
    assert found.scores is not None
    for box, label, score in zip(
        found.xyxy[part], found.labels[part], found.scores[part], strict=True
    ):
        if score >= 0.5:
            _rectangle(pen, box * scale, shades[label], 2)


def _rectangle(pen: Any, box: Array, colour: Any, width: int) -> None:
    left, top, right, bottom = (float(side) for side in box)
    pen.rectangle(
        (left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=width
    )


def caption(predictions: Predictions, row: int) -> tuple[str, bool]:
    """Return what is said below a sample in a plain picture, and whether it is right."""
    name = predictions.names[row] if predictions.names else ""
    task = predictions.task
    if task == "classification":
        return _class_said(predictions, row)
    if task in ("detection", "instance"):
        boxes = predictions.boxes
        scores = boxes.prediction.scores
        assert scores is not None
        true = int(np.diff(boxes.truth.offsets)[row])
        said = int((scores[boxes.prediction.rows(row)] >= 0.5).sum())
        return f"{said} found, {true} true" + (f" · {name}" if name else ""), said == true
    if task == "anomaly":
        found = predictions.anomalies
        word = {1: ", anomalous", 0: ", normal"}.get(int(found.truth[row]), "")
        return f"score {found.scores[row]:.3g}{word}", True
    views = "truth | prediction" if task == "semantic" else "image | truth | prediction"
    return name or views, True


def _class_said(predictions: Predictions, row: int) -> tuple[str, bool]:
    data, classes = predictions.labels, predictions.classes
    probs = data.probabilities[row]
    if not np.isfinite(probs).any():
        return "no score", False
    said, true = int(np.nanargmax(probs)), int(data.truth[row])
    text = f"{classes[said]} {probs[said]:.2f}"
    if true < 0 or said == true:
        return text, True
    return f"{text}, is {classes[true]}", False
