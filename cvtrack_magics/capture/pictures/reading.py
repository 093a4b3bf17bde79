"""Decodes pictures once: what each contains, in few bytes, or why it cannot be read.

Files are anybody's. Only regular files are opened, only formats of pictures are decoded, and
nothing whose header promises more than there is room for.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvtrack_magics.capture.data.arrays import hash_array
from cvtrack_magics.capture.data.manyfiles import Progress, workers
from cvtrack_magics.capture.pictures.items import Picture
from cvtrack_magics.limits import NotRegular, file_bytes
from cvtrack_magics.text import visible
from cvtrack_magics.vision.likeness.sketches import Sketch, sketch_of

MOST_PIXELS = 120_000_000
MOST_BYTES = 1 << 29
SMALLEST = 32
"""Sides below which two different pictures can be alike by chance."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000")
_CHUNK = 32
_DRAFT = 512  # pixels of a side from which on a JPEG is decoded in part of its size


class Unreadable(Exception):
    """Why a picture cannot be read, in few words."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to know of a picture.

    Attributes
    ----------
    contents : tuple of bytes
        Digests that only the same picture has: of its file, of its pixels.
    sketch : Sketch or None
        None where it cannot be read.
    size : (int, int)
        Width and height.
    problem : str
        Why it cannot be read.
    """

    contents: tuple[bytes, ...] = ()
    sketch: Sketch | None = None
    size: tuple[int, int] = (0, 0)
    problem: str = ""


def read_pictures(pictures: Sequence[Picture], progress: Progress | None = None) -> list[Seen]:
    """Return what each picture contains; those in files are read on all cores.

    Parameters
    ----------
    pictures : sequence of Picture
    progress : callable, optional
        Called with what is done and the total.
    """
    found: list[Seen] = [Seen()] * len(pictures)
    in_files = [at for at, one in enumerate(pictures) if one.load is None]
    done = 0

    def work(places: list[int]) -> list[tuple[int, Seen]]:
        return [(at, seen(pictures[at])) for at in places]

    def told(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, len(pictures))

    with _strictly():
        for at, one in enumerate(pictures):
            if one.load is not None:  # the notebook's own objects are read by this thread alone
                found[at] = seen(one)
                told(1)
        parts = [in_files[at : at + _CHUNK] for at in range(0, len(in_files), _CHUNK)]
        for part in _mapped(work, parts):
            for at, one_seen in part:
                found[at] = one_seen
            told(len(part))
    return found


def _mapped(work: Callable[[Any], Any], parts: Sequence[Any]) -> Iterator[Any]:
    if len(parts) < 2:
        yield from map(work, parts)
        return
    with ThreadPoolExecutor(workers(), thread_name_prefix="cvtrack-pictures") as pool:
        try:
            yield from pool.map(work, parts)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _strictly() -> Iterator[None]:
    """Let a truncated file be an error, whatever the notebook has set, and be quiet about it."""
    from PIL import ImageFile

    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def seen(picture: Picture) -> Seen:
    """Return what a picture contains, or why it cannot be read."""
    try:
        if picture.load is not None:
            return _of_value(picture.load())
        return _of_bytes(file_content(picture.path))
    except Unreadable as error:
        return Seen(problem=str(error))
    except Exception as error:  # decoders and data sets raise what they like
        return Seen(problem=_said(error))


def opened(picture: Picture) -> Any:
    """Return a picture as a PIL image, to be shown.

    Raises
    ------
    Exception
        It cannot be read.
    """
    with _strictly():
        if picture.load is not None:
            return _as_image(picture.load())
        image = _image(file_content(picture.path))
        image.load()
        return image


def file_content(path: str) -> bytes:
    """Return the bytes of a regular file.

    Raises
    ------
    Unreadable
        It is none, is too large, or the system refuses.
    """
    try:
        if os.stat(path).st_size > MOST_BYTES:
            raise Unreadable(f"larger than {MOST_BYTES >> 20:,} MiB")
        content = file_bytes(Path(path), MOST_BYTES)
    except NotRegular:
        raise Unreadable("no regular file") from None
    except OSError as error:
        raise Unreadable((error.strerror or "cannot be read").lower()) from None
    if not content:
        raise Unreadable("empty")
    return content


def _image(content: bytes) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise Unreadable("no picture of a known format") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"more than {MOST_PIXELS:,} pixels") from None
    if image.width * image.height > MOST_PIXELS:
        raise Unreadable(f"{image.width:,} × {image.height:,} pixels")
    return image


def _of_bytes(content: bytes) -> Seen:
    image = _image(content)
    size = image.size
    whole = True
    if image.format == "JPEG" and min(size) >= _DRAFT:
        whole = image.draft(None, (_DRAFT // 2, _DRAFT // 2)) is None
    image.load()
    image = _upright(image)
    digests = [hashlib.sha256(content).digest()]
    if whole:
        digests.append(_pixels(image))
    return Seen(tuple(digests), sketch_of(image), size)


def _upright(image: Any) -> Any:
    """Return a picture as viewers show it: cameras write how it is to be turned."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image) if image.getexif().get(0x0112, 1) != 1 else image


def _pixels(image: Any) -> bytes:
    whole = image.convert("RGB") if image.mode == "P" else image
    head = f"{whole.mode}|{whole.size}\n".encode()
    return hashlib.sha256(head + whole.tobytes()).digest()


def _of_value(value: Any) -> Seen:
    image = _as_image(value)
    if image.width * image.height > MOST_PIXELS:
        raise Unreadable(f"{image.width:,} × {image.height:,} pixels")
    whole = image is value or str(getattr(value, "dtype", "")).endswith("uint8")
    # of other numbers the 8 bits that are shown are not all there is
    content = _pixels(image) if whole else bytes.fromhex(hash_array(value)[0])
    return Seen((content,), sketch_of(_upright(image)), image.size)


def _as_image(value: Any) -> Any:
    from PIL import Image

    from cvtrack_magics.vision.images import range_to_show, to_images

    if isinstance(value, Image.Image):
        return value
    array = value if hasattr(value, "shape") else np.asarray(value)
    range_, _ = range_to_show([array])
    return Image.fromarray(to_images([array], value_range=range_)[0])


def _said(error: Exception) -> str:
    text = visible(" ".join(str(error).split()))[:120]
    kind = type(error).__name__
    return text or kind
