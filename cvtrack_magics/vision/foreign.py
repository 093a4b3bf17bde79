"""Files that a stranger may have written: read with bounds, and never outside their folder."""

from __future__ import annotations

import gzip
import json
import math
import stat
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem

# of Pillow's formats those that it reads itself; others start programs (Ghostscript)
_FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "TGA",
    "TIFF", "WEBP",
)  # fmt: skip
ORIENTATION = 0x0112  # EXIF's tag: 1 is upright
TURNED = (
    "{:,} of {:,} pictures are stored turned (EXIF orientation); they are taken as they are stored."
)
_GZIP = b"\x1f\x8b"
TEXT_LIMIT = 4_000_000_000
"""Bytes of a JSON file; may be set higher."""
COORDINATE_LIMIT = 1e6
"""Pixels that a polygon may lie from the image's corner."""


def shown(value: Any) -> str:
    """Return a value of a file in one short line, cut in its middle: a path's end is its name."""
    text = ascii(value) if not isinstance(value, str) or not value.isprintable() else repr(value)
    text = " ".join(text.split())  # tables and arrays go over several lines
    return text if len(text) <= 90 else f"{text[:30]}…{text[-55:]}"


def pixel_limit() -> float:
    """Return how many pixels a picture or mask may have: Pillow's limit, which can be raised."""
    from PIL import Image

    return math.inf if Image.MAX_IMAGE_PIXELS is None else float(Image.MAX_IMAGE_PIXELS)


def checked_size(height: Any, width: Any, what: str) -> tuple[int, int]:
    """Return height and width as they may be.

    Raises
    ------
    UsageProblem
        They are no whole numbers, or the area is above Pillow's limit.
    """
    whole = [isinstance(side, (int, np.integer)) and side >= 0 for side in (height, width)]
    if not all(whole) or isinstance(height, bool) or isinstance(width, bool):
        raise UsageProblem(f"{what}: {shown(height)} × {shown(width)} is no size in pixels.")
    if int(height) * int(width) > pixel_limit():
        raise UsageProblem(
            f"{what}: {shown(height)} × {shown(width)} pixels are more than Pillow's limit.",
            "PIL.Image.MAX_IMAGE_PIXELS raises it, if you know who made the file.",
        )
    return int(height), int(width)


def regular(path: Path, what: str) -> Path:
    """Return a path that is a file; raise ``UsageProblem`` for what is none, devices included."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageProblem(f"{what}: there is no file {shown(str(path))}.") from None
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UsageProblem(f"{what}: {shown(str(path))} cannot be read ({why}).") from None
    if not stat.S_ISREG(mode):
        raise UsageProblem(f"{what}: {shown(str(path))} is no file.")
    return path


def read_json(path: Path, what: str) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    UsageProblem
        There is none, it is no JSON (nor JSON within gzip), or nested too deeply.
    """
    if regular(path, what).stat().st_size > TEXT_LIMIT:
        raise UsageProblem(f"{what}: {shown(str(path))} is over {TEXT_LIMIT / 1e9:g} GB.")
    try:
        return json.loads(_content(path, what).decode("utf-8-sig"))
    except UsageProblem:
        raise
    except RecursionError:
        raise UsageProblem(f"{what}: {shown(str(path))} is nested too deeply.") from None
    except (ValueError, OSError, EOFError, zlib.error) as error:
        said = str(error).split("\n", 1)[0][:120]
        raise UsageProblem(f"{what}: {shown(str(path))} is no JSON file ({said}).") from None


def _content(path: Path, what: str) -> bytes:
    """Return a file's bytes, unpacked where they are gzip's, whatever the file is called."""
    with path.open("rb") as file:
        if file.read(2) != _GZIP:
            return path.read_bytes()
    with gzip.open(path) as packed:
        content = packed.read(TEXT_LIMIT + 1)
    if len(content) > TEXT_LIMIT:
        raise UsageProblem(f"{what}: {shown(str(path))} is over {TEXT_LIMIT / 1e9:g} GB unpacked.")
    return content


def below(folder: Path, name: Any, what: str) -> Path:
    """Return the path of a file that is named in a file; it lies below the folder.

    Raises
    ------
    UsageProblem
        It is no name, or leads out of the folder. Links in the folder are the user's own.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise UsageProblem(f"{what}: {shown(name)} is no file name.")
    parts = Path(name.replace("\\", "/")).parts
    if Path(name).anchor or name.startswith(("/", "\\")) or ".." in parts:
        raise UsageProblem(f"{what}: {shown(name)} leads out of the folder of the images.")
    return folder / name


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a file.

    ``stored`` is a PIL image, RGB or grey of 8, 16 or 32 bits; ``upright`` is what its EXIF
    orientation makes of it, None where it says nothing. ``sixteen`` is whether the file's format
    says that white is 65535.
    """

    stored: Any
    upright: Any
    sixteen: bool


def picture(path: Path, what: str) -> Picture:
    """Return a picture; its size is looked at before it is decoded.

    Raises
    ------
    UsageProblem
        There is none, it cannot be read, or it is larger than Pillow's limit.
    """
    from PIL import Image, ImageOps

    regular(path, what)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.init()
            formats = [name for name in _FORMATS if name in Image.OPEN]
            with Image.open(path, formats=formats) as opened:
                checked_size(opened.height, opened.width, f"{what}: {shown(path.name)}")
                stored = opened.copy() if is_grey(opened) else opened.convert("RGB")
                upright = ImageOps.exif_transpose(stored) if is_turned(opened) else None
                sixteen = opened.format == "PNG" and stored.mode.startswith("I")
                return Picture(stored, upright, sixteen)
    except UsageProblem:
        raise
    except Image.DecompressionBombError:
        raise UsageProblem(
            f"{what}: {shown(path.name)} has more pixels than Pillow's limit.",
            "PIL.Image.MAX_IMAGE_PIXELS raises it, if you know who made the file.",
        ) from None
    except Exception as error:
        said = str(error).split("\n", 1)[0][:120]
        raise UsageProblem(f"{what}: {shown(str(path))} cannot be read ({said}).") from None


def is_turned(picture: Any) -> bool:
    """Whether a PIL image says in its EXIF data that it is to be turned or mirrored."""
    exif = getattr(picture, "getexif", None)
    return exif is not None and exif().get(ORIENTATION, 1) in range(2, 9)


def is_grey(picture: Any) -> bool:
    """Whether a PIL image is one plane of numbers; Pillow would cut those above 255."""
    return picture.mode in ("L", "I", "F") or picture.mode.startswith("I;16")


def run_lengths(segmentation: Any, what: str) -> tuple[int, int, npt.NDArray[np.uint32]]:
    """Return height, width and runs of COCO's run lengths, compressed or not.

    Raises
    ------
    UsageProblem
        The runs do not fill the mask, or the mask is larger than Pillow's limit.
    """
    size = segmentation.get("size")
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise UsageProblem(f"{what}: a mask's size is {shown(size)}, expected [height, width].")
    height, width = checked_size(size[0], size[1], what)
    counts = segmentation.get("counts")
    try:
        runs = _plain(counts) if isinstance(counts, (list, tuple)) else _unpacked(counts)
    except (TypeError, ValueError, OverflowError):
        raise UsageProblem(f"{what}: {shown(counts)} are no run lengths.") from None
    # each below the area, so that their sum cannot run over
    if runs.size and (runs.min() < 0 or runs.max() > height * width):
        raise UsageProblem(f"{what}: a run of a mask is longer than the mask.")
    if int(runs.sum()) != height * width:
        raise UsageProblem(
            f"{what}: the runs of a mask have {int(runs.sum()):,} pixels, not {height} × {width}."
        )
    return height, width, runs.astype(np.uint32)


def _plain(counts: Any) -> npt.NDArray[np.int64]:
    runs = np.array(counts)
    if runs.size and (runs.ndim != 1 or runs.dtype.kind not in "iu"):
        raise ValueError
    if runs.size and int(runs.max()) > 2**62:
        raise ValueError
    return runs.astype(np.int64)


def _unpacked(counts: Any) -> npt.NDArray[np.int64]:
    """Return the runs of COCO's text: six bits a character, differences from the third run on."""
    text = counts.encode("ascii") if isinstance(counts, str) else bytes(memoryview(counts))
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if not codes.size:
        return codes
    if codes.min() < 0 or codes.max() > 63 or codes[-1] & 0x20:
        raise ValueError
    ends = np.flatnonzero((codes & 0x20) == 0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    if lengths.max() > 8:
        raise ValueError
    places = np.arange(codes.size) - np.repeat(starts, lengths)
    runs = np.add.reduceat((codes & 0x1F) << (5 * places), starts)
    runs -= ((codes[ends] & 0x10) != 0).astype(np.int64) << (5 * lengths)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def polygons(segmentation: Any, what: str) -> list[list[float]]:
    """Return the polygons of a segmentation that have an area.

    Raises
    ------
    UsageProblem
        A coordinate is no number, or far outside of any image.
    """
    try:
        found = [np.asarray(part, np.float64).reshape(-1) for part in segmentation]
    except (TypeError, ValueError, OverflowError):
        raise UsageProblem(f"{what}: {shown(segmentation)} is no polygon.") from None
    for part in found:
        if not np.isfinite(part).all() or (np.abs(part) > COORDINATE_LIMIT).any():
            raise UsageProblem(f"{what}: a polygon has points far outside of any image.")
        if part.size % 2:
            raise UsageProblem(f"{what}: a polygon has an x without a y.")
    return [part.tolist() for part in found if part.size >= 6]
