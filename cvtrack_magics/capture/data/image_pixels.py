"""SHA-256 of PIL images: what a picture shows, whatever the format of its file."""

from __future__ import annotations

import hashlib
import inspect
import io
import os
from collections.abc import Iterator
from typing import Any

_FRAMES = 1 << 16  # of one picture; a longer one counts by its first


def hash_image(image: Any) -> tuple[str, int]:
    """Hash a PIL image by its mode, size, palette, transparency and pixels.

    The file's format does not count. Of a picture that has several frames and stands at the
    first, all count; of one that was put at a later frame, that one.
    """
    hasher = hashlib.sha256()
    size = _feed(hasher, image)
    count = inspect.getattr_static(image, "n_frames", 1)  # a property of it would move the image
    if count != 1 and not image.tell():
        for at, frame in enumerate(_further_frames(image), 1):
            hasher.update(f"frame {at}\n".encode())
            size += _feed(hasher, frame)
    return hasher.hexdigest(), size


def _feed(hasher: Any, image: Any) -> int:
    pixels = image.tobytes()  # this reads the file, and its palette with it
    hasher.update(f"{image.mode}|{image.size}\n".encode())
    if image.mode in ("P", "PA"):
        hasher.update(bytes(image.getpalette() or ()))
    clear = image.info.get("transparency")
    if clear is not None:
        hasher.update(f"transparency {clear!r}\n".encode())
    hasher.update(pixels)
    return len(pixels)


def _further_frames(image: Any) -> Iterator[Any]:
    """Yield a picture's frames after the first in a second reading: the user's stays as it is."""
    from PIL import Image

    source = _source_of(image)
    if source is None:
        return
    with Image.open(source) as again:
        for at in range(1, min(again.n_frames, _FRAMES)):
            again.seek(at)
            yield again


def _source_of(image: Any) -> Any:
    path = getattr(image, "filename", "")
    if path and os.path.isfile(path):
        return path
    for name in ("_fp", "fp"):
        file: Any = getattr(image, name, None)
        try:
            place = file.tell()
            file.seek(0)
            content = file.read()
            file.seek(place)
        except (AttributeError, OSError, ValueError):  # there is none, or it is closed
            continue
        return io.BytesIO(content)
    return None
