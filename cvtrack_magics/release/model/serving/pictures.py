"""Images as they are sent: files, base64 text, arrays and tables, as 8-bit H × W × C."""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from .rejected import Rejected

Picture = npt.NDArray[np.uint8]
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
LARGEST = 64_000_000  # pixels of one image
COLUMN = "image"
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_READABLE = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
_DATA_URI = re.compile(r"data:image/[\w.+\-]+;base64,", re.IGNORECASE)


def pictures(value: Any, channels: int) -> list[Picture]:
    """Return images, each uint8 H × W × C.

    Parameters
    ----------
    value : array, list, bytes, str, PIL image, tensor or DataFrame
        Arrays are whole numbers 0…255, N×H×W×C or one H×W×C; files are PNG, JPEG, WebP or
        BMP, as bytes or base64 text. A list may mix sizes and kinds. A table has a column
        ``image``.
    channels : int
        C: 1, 3 or 4. Files are converted to it, arrays must have it.

    Raises
    ------
    Rejected
        There is no image, or one cannot be read; the line says which.
    """
    found: list[Picture] = []
    for item in _items(value, channels):
        try:
            found.append(_picture(item, channels))
        except Rejected as error:
            raise Rejected(f"image {len(found)}: {error}") from None
    if not found:
        raise Rejected("There are no images: send at least one.")
    return found


def _items(value: Any, channels: int) -> Iterator[Any]:
    """Split what was sent into single images."""
    if hasattr(value, "columns") and hasattr(value, "iloc"):
        value = _column(value)
    if isinstance(value, Mapping):
        if len(value) != 1:
            raise Rejected(f"expected one input {COLUMN!r}, got {len(value)}.")
        value = next(iter(value.values()))
    if isinstance(value, (str, bytes, bytearray, Image.Image)):
        yield value
    elif hasattr(value, "detach"):
        yield from _split(_from_tensor(value, channels), channels)
    elif isinstance(value, np.ndarray) and value.dtype != object:
        if value.dtype.kind in "SU" and value.ndim <= 1:
            yield from (item for item in value.reshape(-1).tolist())
        else:
            yield from _split(value, channels)
    elif isinstance(value, (list, tuple, np.ndarray)):
        yield from _listed(value, channels)
    else:
        raise Rejected(f"expected images, got {type(value).__name__}.")


def _listed(values: Any, channels: int) -> Iterator[Any]:
    """Split a list: of images, or one image or batch as nested numbers."""
    if not len(values):
        return
    depth = _depth(values)
    if depth == 0:  # texts, files, arrays, tensors, images: each may hold several
        for item in values:
            yield from _items(item, channels)
    elif depth == 4:
        yield from values
    else:
        yield from _split(_numbers(values), channels)


def _depth(values: Any) -> int:
    """Return how deep numbers are nested, 0 where something else than numbers is inside."""
    depth, inside = 0, values
    while isinstance(inside, (list, tuple, np.ndarray)):
        if isinstance(inside, np.ndarray) and inside.dtype != object:
            return depth + inside.ndim if isinstance(values, np.ndarray) or depth > 1 else 0
        if not len(inside):
            return depth + 1
        depth, inside = depth + 1, inside[0]
    if isinstance(inside, str):  # MLflow turns numbers in a column of text into text
        return depth if depth > 2 else 0
    return depth if isinstance(inside, (int, float, np.number)) else 0


def _split(array: npt.NDArray[Any], channels: int) -> Iterator[Any]:
    """Yield the images of an array: N×H×W×C, H×W×C, and for one channel N×H×W or H×W."""
    if array.ndim == 4 or (array.ndim == 3 and channels == 1 and array.shape[-1] != 1):
        yield from array
    elif array.ndim in (2, 3):
        yield array
    else:
        raise Rejected(f"expected N×H×W×{channels} or H×W×{channels}, got {_shape(array)}.")


def _column(table: Any) -> list[Any]:
    names = [str(name) for name in table.columns]
    if COLUMN in names:
        return list(table.iloc[:, names.index(COLUMN)])
    if len(names) == 1:
        return list(table.iloc[:, 0])
    raise Rejected(f"expected a column {COLUMN!r}, got {len(names)} other columns.")


def _from_tensor(tensor: Any, channels: int) -> npt.NDArray[Any]:
    """Return a tensor's numbers with the channels last; tensors have them first."""
    array: npt.NDArray[Any] = tensor.detach().cpu().numpy()
    if array.ndim in (3, 4) and array.shape[-3] == channels:
        return np.moveaxis(array, -3, -1)
    return array


def _picture(item: Any, channels: int) -> Picture:
    if isinstance(item, str):
        item = _from_text(item)
    if isinstance(item, (bytes, bytearray)):
        return _decoded(_open(bytes(item)), channels)
    if isinstance(item, Image.Image):
        return _decoded(item, channels)
    array = _numbers(item)
    if array.ndim == 2 and channels == 1:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] != channels or 0 in array.shape:
        raise Rejected(f"expected height × width × {channels}, got {_shape(array)}.")
    if array.shape[0] * array.shape[1] > LARGEST:
        raise Rejected(f"{_shape(array)} is more than {LARGEST:,} pixels.")
    return np.ascontiguousarray(array)


def _numbers(item: Any) -> Picture:
    """Return whole numbers 0…255 as uint8, of any shape."""
    try:
        array = np.asarray(item)
    except ValueError:
        raise Rejected("its rows have different lengths.") from None
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind in "SUO":
        try:
            array = np.asarray(array.tolist()).astype(np.int64)
        except (ValueError, TypeError, OverflowError):
            raise Rejected("it is neither an image file nor numbers.") from None
    if array.dtype.kind not in "iu":
        raise Rejected(f"expected uint8, got {array.dtype}: send pixels as 0…255.")
    if array.size and (array.min() < 0 or array.max() > 255):
        raise Rejected(f"expected 0…255, got {array.min()}…{array.max()}.")
    return array.astype(np.uint8)


def _from_text(text: str) -> bytes:
    """Return the bytes of base64 text, with or without what a data URI puts before it."""
    start = _DATA_URI.match(text)
    body = text[start.end() :] if start else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("the text is not base64; addresses and paths are not read.") from None


def _open(content: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise Rejected(f"it has more than {LARGEST:,} pixels.") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        kinds = ", ".join(_FORMATS)
        raise Rejected(f"{len(content):,} bytes are not a readable image ({kinds}).") from None


def _decoded(image: Image.Image, channels: int) -> Picture:
    """Return the pixels of a file; its size is looked at before it is unpacked."""
    width, height = image.size
    if width * height > LARGEST:
        raise Rejected(f"{width} × {height} is more than {LARGEST:,} pixels.")
    if image.mode not in _READABLE:
        raise Rejected(f"mode {image.mode} has no 8-bit channels: convert it before.")
    try:
        return np.array(image.convert(MODES[channels])).reshape(height, width, channels)
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError, Image.DecompressionBombError):
        raise Rejected("the file is damaged or cut short.") from None


def _shape(array: npt.NDArray[Any]) -> str:
    return " × ".join(map(str, array.shape)) or "one number"
