"""Which file or folder of this machine a text names: a path, a path in bytes, a ``file://``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAMES = (str, bytes, os.PathLike)
"""Types that a path may have."""
SUFFIXES = frozenset(
    f".{end}"
    for end in (
        *("png", "jpg", "jpeg", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm", "jp2", "heic"),
        *("dcm", "nii", "gz", "npy", "npz", "mha", "nrrd", "svs", "exr", "hdr", "pt", "pth", "h5"),
        *("mp4", "avi", "mov", "mkv", "txt", "xml", "json", "csv", "wav", "zip"),
    )
)
"""Endings of the names of files of data."""


def path_of(value: Any, folder: str = "") -> str:
    """Return the absolute path that a text names, from a folder or from here."""
    text = os.fsdecode(value)
    if text[:7].lower() == "file://":
        return url2pathname(urlsplit(text).path)
    text = os.path.expanduser(text)
    return os.path.abspath(os.path.join(folder, text) if folder else text)


def is_file(value: Any, folder: str = "") -> bool:
    """Say whether a text or path names a file, from a folder or from here."""
    try:
        return os.path.isfile(path_of(value, folder))
    except (OSError, ValueError):  # too long, or with a zero byte: no name of a file
        return False


def is_folder(value: Any, folder: str = "") -> bool:
    """Say whether a path names a folder of data: a word alone, such as a class, does not.

    A folder that people work in differs tomorrow, and is none.
    """
    text = os.fsdecode(value)
    if len(text) > 4096 or ("/" not in text and os.sep not in text and not isinstance(value, Path)):
        return False
    try:
        path = path_of(value, folder)
        return os.path.isdir(path) and not holds_work(path)
    except (OSError, ValueError):
        return False


def holds_work(folder: str) -> bool:
    """Say whether a folder is one that people work in, so that it differs tomorrow."""
    real = Path(os.path.realpath(folder))
    places = {Path(os.path.realpath(place)) for place in (os.getcwd(), os.path.expanduser("~"))}
    return any(real == place or real in place.parents for place in places)


def looks(value: Any) -> bool:
    """Say whether a text looks like a path."""
    text = os.fsdecode(value)
    return bool(os.path.splitext(text)[1]) or "/" in text or os.sep in text
