"""Pictures with something in them, made quickly and the same every time."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw


def pictures(count: int, seed: int = 0, side: int = 128) -> list[Image.Image]:
    """Return different pictures: shapes of several colours on clouds."""
    rng = np.random.default_rng(seed)
    return [picture(rng, side) for _ in range(count)]


def picture(rng: np.random.Generator, side: int = 128) -> Image.Image:
    clouds = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    made = clouds.resize((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(made)
    for _ in range(6):
        left, top = (float(at) for at in rng.uniform(0, side * 0.8, 2))
        wide, high = (float(at) for at in rng.uniform(side * 0.1, side * 0.4, 2))
        colour = tuple(int(part) for part in rng.integers(0, 256, 3))
        [draw.rectangle, draw.ellipse][int(rng.integers(2))](
            (left, top, left + wide, top + high), colour
        )
    return made


def stored(one: Image.Image, form: str, quality: int = 80) -> Image.Image:
    """Return a picture as it comes out of a file."""
    return Image.open(io.BytesIO(encoded(one, form, quality)))


def encoded(one: Image.Image, form: str = "PNG", quality: int = 80) -> bytes:
    out = io.BytesIO()
    one.save(out, form, quality=quality)
    return out.getvalue()
