"""Predictions as NumPy's ``.npz`` files, and back; nothing in them is ever unpickled.

``step_*.npz`` holds truth and prediction, ``pixels_*.npz`` the pictures. Every member is a
plain array, so ``numpy.load`` opens both; ``meta`` is JSON as bytes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.tasks.about import read_about
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.npz_members import joined, parts
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.pixels import Blob, Pixels

FORMAT = "cvtrack-predictions/1"
MEMBER_LIMIT = 4_000_000_000
"""Bytes of one unpacked member; may be set higher."""
_MEMBER = re.compile(
    r"sizes|truth|probabilities|scores|(full|tile)_size"
    r"|(truth|prediction|heat|masks|full|tile)_(bytes|ends|shapes|dtypes)"
    r"|(truth|prediction)_(offsets|xyxy|labels|scores|crowd|ignored|points|areas|corners)"
    r"|(truth|prediction)_(mask_sizes|mask_counts)"
)


def dump(predictions: Predictions, step: int | None, pixels: str = "") -> bytes:
    """Return predictions without their pictures as an ``.npz`` file.

    Parameters
    ----------
    predictions : Predictions
        What to keep.
    step : int, optional
        The step it belongs to.
    pixels : str
        The name of the file with the pictures, if there is one.
    """
    members = {"sizes": predictions.sizes, **kind_of(predictions.task).members(predictions.data)}
    meta: dict[str, Any] = {
        "format": FORMAT,
        "task": predictions.task,
        "classes": predictions.classes,
        "ids": predictions.ids,
        "names": predictions.names,
        "notes": predictions.notes,
        "seconds": predictions.seconds,
        "step": step,
        "pixels": pixels,
        **({"about": predictions.about} if predictions.about else {}),
    }
    return _npz(meta | kind_of(predictions.task).facts(predictions.data), members)


def load(data: bytes, pixels: Pixels | None = None) -> tuple[Predictions, dict[str, Any]]:
    """Return predictions from a file of :func:`dump`, and what else it says.

    Raises
    ------
    CvtrackError
        The file is none of ours, or damaged.
    """
    meta, members = _read(data)
    try:
        return (
            Predictions(
                meta["task"],
                tuple(meta["classes"]),
                tuple(meta["ids"]),
                members["sizes"],
                pixels,
                kind_of(meta["task"]).data(meta, members),
                meta["seconds"],
                tuple(meta["names"]),
                tuple(meta.get("notes", ())),
                about=read_about(meta.get("about"), meta["ids"]),
            ),
            meta,
        )
    except (KeyError, IndexError, TypeError) as error:
        raise CvtrackError(f"The file of predictions is damaged ({error!r}).") from None


def dump_pixels(pixels: Pixels) -> bytes:
    """Return pictures as an ``.npz`` file: compressed as they are."""
    pixels.pack()
    members: dict[str, Array] = {}
    full = [pixels.full(at) for at in range(len(pixels))]
    tile = [pixels.tile(at) for at in range(len(pixels))]
    tile = [
        Blob(b"", small.width, small.height) if small is whole else small
        for small, whole in zip(tile, full, strict=True)
    ]
    for name, blobs in (("full", full), ("tile", tile)):
        members |= joined(name, [one.data for one in blobs])
        members[f"{name}_size"] = np.array([(b.width, b.height) for b in blobs]).reshape(-1, 2)
    return _npz({"format": FORMAT, "digests": pixels.digests()}, members)


def load_pixels(data: bytes) -> Pixels:
    """Return pictures from a file of :func:`dump_pixels`."""
    meta, members = _read(data)
    try:
        full = [
            Blob(one, int(w), int(h))
            for one, (w, h) in zip(parts("full", members), members["full_size"], strict=True)
        ]
        tile = [
            Blob(one, int(w), int(h)) if one else whole
            for one, (w, h), whole in zip(
                parts("tile", members), members["tile_size"], full, strict=True
            )
        ]
        return Pixels.of_blobs(full, tile, meta["digests"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CvtrackError(f"The file of pictures is damaged ({error!r}).") from None


def _npz(meta: Mapping[str, Any], members: Mapping[str, Array]) -> bytes:
    file = io.BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez_compressed(file, **{"meta": text, **members})  # type: ignore[arg-type]
    return file.getvalue()


def _read(data: bytes) -> tuple[dict[str, Any], dict[str, Array]]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as opened:
            known = _sizes(data)
            meta = json.loads(_member(opened, known, "meta").tobytes())
            if not isinstance(meta, dict) or meta.get("format") != FORMAT:
                raise CvtrackError("it has another format")
            members = {n: _member(opened, known, n) for n in opened.files if _MEMBER.fullmatch(n)}
    except Exception as error:
        raise CvtrackError(f"This is no file of predictions ({error}).") from None
    return meta, members


def _sizes(data: bytes) -> dict[str, int]:
    """Return the unpacked size of each member, as the archive says it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: info.file_size for info in archive.infolist()}


def _member(opened: Any, sizes: Mapping[str, int], name: str) -> Array:
    if sizes.get(f"{name}.npy", 0) > MEMBER_LIMIT:
        raise CvtrackError(f"{name} is over {MEMBER_LIMIT / 1e9:g} GB; saving.MEMBER_LIMIT")
    member: Array = opened[name]
    return member
