"""Images of any layout and range as 8-bit height × width × channels.

Layout and range are told by the values where only one reading is possible. Where two are,
the error names both and the argument that decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision import foreign
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.foreign import is_grey
from cvtrack_magics.vision.normalisation import (
    Statistics,
    fits,
    normalisation_of,
    statistics_of,
    told_by,
    undone,
)

Layout: TypeAlias = Literal["CHW", "HWC", "HW"]
Range: TypeAlias = tuple[float, float] | Statistics | str
Image: TypeAlias = npt.NDArray[np.uint8]

_CHANNELS = (1, 3, 4)
_SLACK = 1e-3
_MODES = ("RGB", "RGBA")


def to_images(
    value: Any, *, layout: Layout | None = None, value_range: Range | None = None
) -> list[Image]:
    """Return images as 8-bit arrays, H × W (grey) or H × W × C with 3 or 4 channels.

    Parameters
    ----------
    value : array, tensor, PIL image or sequence of them
        A batch N×C×H×W, N×H×W×C or N×H×W, or a list of single images of any sizes.
    layout : {'CHW', 'HWC', 'HW'}, optional
        The order of a single image's axes; recognised when the channels can be only one axis.
    value_range : (float, float), str or (means, deviations), optional
        The values of black and white, or what the images were normalised with: 'imagenet',
        'clip', 'cifar10', 'cifar100', 'half', or a mean and a deviation for each channel.
        Recognised for 8-bit images, 0..1, 0..255 and normalisations that can be told
        (:mod:`cvtrack_magics.vision.normalisation`).

    Raises
    ------
    UsageProblem
        In one line: what was seen and what was expected.
    """
    singles = _singles(value, layout)
    if not singles:
        return []
    range_ = value_range if value_range is not None else _recognise(singles)
    return [_to_8_bit(image, range_) for image in singles]


def range_to_show(
    value: Any, layout: Layout | None = None, transform: Any = None
) -> tuple[Range, str]:
    """Return the values of black and white of a batch, and a line where they cannot be told.

    They are told by the transform that made the images, else by the values; where neither
    tells, they are the least and the greatest value.
    """
    images = _singles(value, layout)
    known = normalisation_of(transform)
    if known is not None and all(fits(image, known) for image in images):
        return known, ""
    try:
        return _recognise(images), ""
    except UsageProblem as problem:
        if not all(image.dtype.kind == "f" for image in images):
            raise
        low, high = _extremes(images)
        said = f"{problem.problem} They are shown from the least value to the greatest. "
        return (low, high if high > low else low + 1), said + (problem.hint or "")


def doubts(value: Any, images: Sequence[Image]) -> tuple[str, ...]:
    """Return a line for each thing in which pictures as they were read may be others.

    Parameters
    ----------
    value : array, tensor, PIL image or sequence of them
        As they were given.
    images : sequence of uint8 arrays
        As they were read.
    """
    given = value if isinstance(value, Sequence) else [value] if _is_pil(value) else ()
    turned = sum(_is_pil(item) and foreign.is_turned(item) for item in given)
    fourth = sum(
        image.ndim == 3 and image.shape[2] == 4 and bool(image[..., 3].min() < 255)
        for image, item in zip(images, given or [None] * len(images), strict=True)
        if not _is_pil(item)
    )
    lines = []
    if turned:
        lines.append(foreign.TURNED.format(turned, len(images)))
    if fourth:
        lines.append(
            f"{fourth:,} of {len(images):,} pictures have a fourth channel, which was read as "
            "transparency; if it is another band, give the three to be shown."
        )
    return tuple(lines)


def _singles(value: Any, layout: Layout | None) -> list[Array]:
    """Split into single images with the channels last."""
    if _is_pil(value):
        value = [value]
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        raise UsageProblem(
            f"images: expected a batch or a list of images, saw {type(value).__name__}."
        )
    if isinstance(value, Sequence) and not hasattr(value, "shape"):
        return [_channels_last(_single(item), layout) for item in value]
    batch = to_array(value, "images")
    if batch.ndim == 3 and layout not in (None, "HW"):
        raise UsageProblem(
            f"images: {shape_of(batch)} is one {layout} image, expected a batch of them.",
            "Give images[None].",
        )
    if batch.ndim not in (3, 4):
        raise UsageProblem(
            f"images: expected N×C×H×W, N×H×W×C or N×H×W, saw {shape_of(batch)}.",
            "A single image goes in as images[None].",
        )
    if len(batch) == 0:
        return []
    if batch.ndim == 4 and layout is None:
        layout = _layout(batch[0])
    return [_channels_last(image, layout) for image in batch]


def _single(item: Any) -> Array:
    if _is_pil(item):
        return _of_pil(item)
    array = to_array(item, "images")
    if array.ndim not in (2, 3):
        raise UsageProblem(f"images: expected C×H×W, H×W×C or H×W, saw {shape_of(array)}.")
    return array


def _of_pil(item: Any) -> Array:
    """Return the values of a PIL image: its own where it has one plane, else RGB or RGBA."""
    if is_grey(item):  # 16 and 32 bits, whose range is asked for as an array's is
        return np.asarray(item)
    clear = item.mode in ("LA", "PA", "La", "RGBa") or "transparency" in item.info
    try:
        if item.mode == "La":
            item = item.convert("LA")
        return np.asarray(item if item.mode in ("RGB", "RGBA") else item.convert(_MODES[clear]))
    except ValueError as error:
        raise UsageProblem(
            f"images: a PIL image of mode {item.mode} cannot be shown ({error}).",
            "Give image.convert('RGB').",
        ) from None


def _is_pil(value: Any) -> bool:
    return hasattr(value, "convert") and hasattr(value, "mode")


def _layout(image: Array) -> Layout:
    if image.ndim == 2:
        return "HW"
    first, last = image.shape[0] in _CHANNELS, image.shape[-1] in _CHANNELS
    if first and last:
        raise UsageProblem(
            f"images: {shape_of(image)} can be channels first or last.",
            "Say layout='CHW' or layout='HWC'.",
        )
    if not first and not last:
        raise UsageProblem(
            f"images: expected 1, 3 or 4 channels, saw {shape_of(image)} for one image."
        )
    return "CHW" if first else "HWC"


def _channels_last(image: Array, layout: Layout | None) -> Array:
    layout = "HW" if image.ndim == 2 else layout or _layout(image)
    if image.ndim == 3 and layout == "HW":
        raise UsageProblem(f"images: expected H×W, saw {shape_of(image)}.")
    if layout == "CHW":
        image = np.moveaxis(image, 0, -1)
    if image.ndim == 3 and image.shape[-1] not in _CHANNELS:
        raise UsageProblem(
            f"images: expected 1, 3 or 4 channels, saw {image.shape[-1]} ({layout} given)."
        )
    if 0 in image.shape:
        raise UsageProblem(f"images: an image of {shape_of(image)} has no pixels.")
    return image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image


def _recognise(images: list[Array]) -> Range:
    """Say which values are black and white, from the values of all images together."""
    kinds = {image.dtype for image in images}
    if kinds <= {np.dtype(np.uint8)}:
        return (0.0, 255.0)
    if kinds <= {np.dtype(bool)}:
        return (0.0, 1.0)
    low, high = _extremes(images)
    seen = f"images: {'/'.join(sorted(str(k) for k in kinds))} values from {low:.4g} to {high:.4g}"
    whole = all(kind.kind in "iub" for kind in kinds)
    if whole:
        if low >= 0 and 1 < high <= 255:
            return (0.0, 255.0)
        raise UsageProblem(f"{seen} have no known range.", "Say value_range=(black, white).")
    if low >= -_SLACK and high <= 1 + _SLACK:
        return (0.0, 1.0)
    if low >= -_SLACK and 128 <= high <= 255 + _SLACK:
        return (0.0, 255.0)
    certain, names = told_by(images) if low < 0 else ("", [])
    if certain:
        return certain
    if len(names) == 1:
        raise UsageProblem(
            f"{seen} can be normalised by {names[0]!r} or by other means and deviations.",
            f"Say value_range={names[0]!r} or value_range=(means, deviations).",
        )
    if names:
        *others, last = map(repr, names)
        raise UsageProblem(
            f"{seen} can be normalised in several ways.",
            f"Say value_range={', '.join(others)} or {last}, or value_range=(means, deviations).",
        )
    raise UsageProblem(
        f"{seen} are neither 0..1, 0..255 nor normalised in a known way.",
        "Say value_range=(black, white) or value_range=(means, deviations).",
    )


def _extremes(images: list[Array]) -> tuple[float, float]:
    finite = [image if image.dtype.kind in "iub" else image[np.isfinite(image)] for image in images]
    known = [values for values in finite if values.size]
    if not known:
        return 0.0, 1.0
    return float(min(v.min() for v in known)), float(max(v.max() for v in known))


def _to_8_bit(image: Array, range_: Range) -> Image:
    if not isinstance(range_, str) and (not hasattr(range_, "__len__") or len(range_) != 2):
        raise UsageProblem(
            f"value_range={range_!r} is neither two values nor a name.",
            "Say (black, white), such as (0, 255), (means, deviations) or 'imagenet'.",
        )
    if isinstance(range_, str) or any(map(np.ndim, range_)):
        image = undone(image, statistics_of(range_))
        range_ = (0.0, 1.0)
    black, white = cast("tuple[float, float]", range_)
    if not (np.isfinite(black) and np.isfinite(white)) or black == white:
        raise UsageProblem(f"value_range={range_}: black and white must differ.")
    if image.dtype == np.uint8 and (black, white) == (0.0, 255.0):
        return np.array(image)  # a copy: the loop may write into its own again
    scaled = (image.astype(np.float32) - black) * (255.0 / (white - black))
    scaled = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
    return np.asarray(np.clip(scaled + 0.5, 0, 255), np.uint8)


def rgb(image: Image) -> Image:
    """Return a picture as H × W × 3; grey is repeated, transparency lies on white."""
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    if image.shape[2] == 4:
        share = image[..., 3:].astype(np.float32) / 255
        mixed = image[..., :3] * share + 255 * (1 - share)
        return np.asarray(mixed + 0.5, np.uint8)
    return image
