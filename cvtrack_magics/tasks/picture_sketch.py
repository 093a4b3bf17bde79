"""A few pictures of an evaluation in few bytes: whether two were of the same pictures.

Names and labels alone are not the data. A digest of the pixels would differ where two models
take the same picture in another size, so each picture is kept as 8 × 8 grey values.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.text import utf8
from cvtrack_magics.vision.images import rgb

MOST = 64  # samples, the same of one data set whatever model was measured
SIDE = 8


def sketch(predictions: Predictions) -> dict[str, str]:
    """Return 64 grey values, in hexadecimal, of up to 64 samples by their ids.

    Empty where the predictions have no pictures.
    """
    pixels = predictions.pixels
    if pixels is None:
        return {}
    chosen = sorted(range(len(predictions)), key=lambda at: _rank(predictions.ids[at]))[:MOST]
    return {predictions.ids[at]: _grey(pixels.image(at)) for at in chosen}


def _rank(name: str) -> str:
    return hashlib.sha256(utf8(name)).hexdigest()


def _grey(image: Any) -> str:
    from PIL import Image

    plane = np.asarray(rgb(image).mean(axis=2), np.uint8)
    small = Image.fromarray(plane).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.uint8).tobytes().hex()
