"""The inputs of what was measured, in the form that the served model takes them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.vision.given import Given


class NotAtHand(Exception):
    """The served model cannot be asked with what was kept; the text says why."""


def asked_with(given: Given | None, ids: Sequence[str], inputs: Sequence[Mapping[str, Any]]) -> Any:
    """Return what to send for each sample: base64 text of a PNG, or a batch of one.

    Raises
    ------
    NotAtHand
        The samples' inputs are not there, or are no inputs of this model.
    """
    if given is None:
        raise NotAtHand("the inputs of the measured samples are not at hand")
    if inputs[0]["kind"] == "image":
        return [_png(given.inputs[name], given.layout) for name in ids]
    if len(inputs) > 1:
        raise NotAtHand(f"the model takes {len(inputs)} inputs, and one was measured with")
    return [_batch(given.inputs[name], inputs[0]) for name in ids]


def _png(value: Any, layout: str) -> str:
    from PIL import Image

    from cvtrack_magics.vision.images import to_images

    if not hasattr(value, "convert"):
        if value.dtype != np.uint8:
            raise NotAtHand(
                f"the samples were measured as {value.dtype} of {_shape(value.shape)}, prepared "
                "before; this model takes raw pictures"
            )
        try:
            [value] = to_images([value], layout=layout or None, value_range=(0, 255))  # type: ignore[arg-type]
        except CvtrackError as error:
            raise NotAtHand(f"a measured sample is no picture: {error.problem}") from error
        value = Image.fromarray(value)
    buffer = io.BytesIO()
    try:
        value.save(buffer, "PNG")
    except (OSError, ValueError) as error:
        raise NotAtHand(f"a picture of mode {value.mode} cannot be sent") from error
    return base64.b64encode(buffer.getvalue()).decode()


def _batch(value: Any, about: Mapping[str, Any]) -> Any:
    one = np.asarray(value)[None]
    wanted = np.dtype(about["dtype"])
    shape = about["shape"]
    fits = one.ndim == len(shape) and all(
        length in (-1, there) for length, there in zip(shape, one.shape, strict=True)
    )
    if not fits or not (one.dtype == wanted or one.dtype.kind == wanted.kind == "f"):
        raise NotAtHand(
            f"the samples were measured as {one.dtype} of {_shape(one.shape[1:])}; this model "
            f"takes {wanted} of {_shape(shape[1:])}"
        )
    return one.astype(wanted)


def _shape(shape: Sequence[int]) -> str:
    return "×".join("N" if length == -1 else str(length) for length in shape) or "one number"
