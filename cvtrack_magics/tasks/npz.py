"""Predictions as NumPy's ``.npz`` files, and back; nothing in them is ever unpickled.

``step_*.npz`` holds truth and prediction, ``pixels_*.npz`` the pictures. Every member is a
plain array, so ``numpy.load`` opens both; ``meta`` is JSON as bytes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.tasks.base import Anomalies, Classes, Depths, Detections, Segments, TaskData
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.maps import Maps, Packed
from cvtrack_magics.vision.masks import Mask
from cvtrack_magics.vision.pixels import Blob, Pixels

FORMAT = "cvtrack-predictions/1"
MEMBER_LIMIT = 4_000_000_000
"""Bytes of one unpacked member; may be set higher."""
_MEMBER = re.compile(
    r"sizes|truth|probabilities|scores|(full|tile)_size"
    r"|(truth|prediction|heat|masks|full|tile)_(bytes|ends|shapes|dtypes)"
    r"|(truth|prediction)_(offsets|xyxy|labels|scores|crowd|ignored|mask_sizes|mask_counts)"
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
    members = {"sizes": predictions.sizes, **_members(predictions.data)}
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
    }
    if isinstance(predictions.data, Segments):
        meta["ignore"] = predictions.data.ignore
        meta["lost"] = predictions.data.lost
    return _npz(meta, members)


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
                _data(meta, members),
                meta["seconds"],
                tuple(meta["names"]),
                tuple(meta.get("notes", ())),
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
        members |= _joined(name, [one.data for one in blobs])
        members[f"{name}_size"] = np.array([(b.width, b.height) for b in blobs]).reshape(-1, 2)
    return _npz({"format": FORMAT, "digests": pixels.digests()}, members)


def load_pixels(data: bytes) -> Pixels:
    """Return pictures from a file of :func:`dump_pixels`."""
    meta, members = _read(data)
    try:
        full = [
            Blob(one, int(w), int(h))
            for one, (w, h) in zip(_parts("full", members), members["full_size"], strict=True)
        ]
        tile = [
            Blob(one, int(w), int(h)) if one else whole
            for one, (w, h), whole in zip(
                _parts("tile", members), members["tile_size"], full, strict=True
            )
        ]
        return Pixels.of_blobs(full, tile, meta["digests"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CvtrackError(f"The file of pictures is damaged ({error!r}).") from None


def _members(data: TaskData) -> dict[str, Array]:
    if isinstance(data, Classes):
        return {"truth": data.truth, "probabilities": data.probabilities}
    if isinstance(data, Detections):
        return {**_of_boxes("truth", data.truth), **_of_boxes("prediction", data.prediction)}
    if isinstance(data, Anomalies):
        return {
            "truth": data.truth,
            "scores": data.scores,
            **_of_maps("heat", data.heat),
            **_of_maps("masks", data.masks),
        }
    return {**_of_maps("truth", data.truth), **_of_maps("prediction", data.prediction)}


def _data(meta: Mapping[str, Any], members: Mapping[str, Array]) -> TaskData:
    task = meta["task"]
    if task == "classification":
        return Classes(members["truth"], members["probabilities"])
    if task in ("detection", "instance"):
        return Detections(_to_boxes("truth", members), _to_boxes("prediction", members))
    if task == "anomaly":
        return Anomalies(
            members["truth"],
            members["scores"],
            _to_maps("heat", members),
            _to_maps("masks", members),
        )
    truth, said = _to_maps("truth", members), _to_maps("prediction", members)
    if truth is None or said is None:
        raise KeyError("truth")
    if task == "depth":
        return Depths(truth, said)
    return Segments(truth, said, meta["ignore"], meta.get("lost"))


def _of_boxes(name: str, boxes: Boxes) -> dict[str, Array]:
    members = {
        f"{name}_offsets": boxes.offsets,
        f"{name}_xyxy": boxes.xyxy,
        f"{name}_labels": boxes.labels,
    }
    if boxes.scores is not None:
        members[f"{name}_scores"] = boxes.scores
    if boxes.crowd is not None:
        members[f"{name}_crowd"] = boxes.crowd
    if boxes.ignored is not None:
        members[f"{name}_ignored"] = boxes.ignored
    if boxes.masks is not None:
        members[f"{name}_mask_sizes"] = np.array(
            [(mask.height, mask.width, len(mask.counts)) for mask in boxes.masks], np.int64
        ).reshape(-1, 3)
        members[f"{name}_mask_counts"] = np.concatenate(
            [mask.counts for mask in boxes.masks] or [np.zeros(0, np.uint32)]
        )
    return members


def _to_boxes(name: str, members: Mapping[str, Array]) -> Boxes:
    masks = None
    if f"{name}_mask_sizes" in members:
        sizes = members[f"{name}_mask_sizes"]
        ends = np.cumsum(sizes[:, 2])
        counts = np.split(members[f"{name}_mask_counts"], ends[:-1]) if len(sizes) else []
        masks = tuple(
            Mask(int(h), int(w), run) for (h, w, _), run in zip(sizes, counts, strict=True)
        )
    return Boxes(
        members[f"{name}_offsets"],
        members[f"{name}_xyxy"],
        members[f"{name}_labels"],
        members.get(f"{name}_scores"),
        members.get(f"{name}_crowd"),
        masks,
        members.get(f"{name}_ignored"),
    )


def _of_maps(name: str, maps: Maps | None) -> dict[str, Array]:
    if maps is None:
        return {}
    shapes = [item.shape for item in maps.items]
    return {
        **_joined(name, [item.data for item in maps.items]),
        f"{name}_shapes": np.array(shapes, np.int64).reshape(-1, 2),
        f"{name}_dtypes": np.array([item.dtype for item in maps.items], "S8"),
    }


def _to_maps(name: str, members: Mapping[str, Array]) -> Maps | None:
    if f"{name}_shapes" not in members:
        return None
    return Maps(
        tuple(
            Packed(data, dtype.decode("ascii"), (int(shape[0]), int(shape[1])))
            for data, dtype, shape in zip(
                _parts(name, members),
                members[f"{name}_dtypes"],
                members[f"{name}_shapes"],
                strict=True,
            )
        )
    )


def _joined(name: str, parts: Sequence[bytes]) -> dict[str, Array]:
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    return {f"{name}_bytes": np.frombuffer(b"".join(parts), np.uint8), f"{name}_ends": ends}


def _parts(name: str, members: Mapping[str, Array]) -> list[bytes]:
    whole, ends = members[f"{name}_bytes"].tobytes(), members[f"{name}_ends"]
    return [whole[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=False)]


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
