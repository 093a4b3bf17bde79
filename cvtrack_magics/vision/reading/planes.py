"""One H × W plane for each sample: label maps, heat maps, depths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.maps import Maps
from cvtrack_magics.vision.reading.names import class_names
from cvtrack_magics.vision.tasks import Depths, Segments


def read_planes(value: Any, count: int, what: str, dtype: Any) -> Iterator[Array]:
    """Yield one H × W array for each sample, from a batch or a list.

    Raises
    ------
    UsageProblem
        The number or the shape is wrong.
    """
    if hasattr(value, "shape") or not isinstance(value, Sequence):
        batch = to_array(value, what)
        if batch.ndim == 4 and 1 in (batch.shape[1], batch.shape[-1]):
            batch = batch[:, 0] if batch.shape[1] == 1 else batch[..., 0]
        if batch.ndim != 3:
            raise UsageProblem(f"{what}: expected N×H×W, saw {shape_of(batch)}.")
        value = batch
    if len(value) != count:
        raise UsageProblem(f"{what}: expected {count} maps, one a sample; saw {len(value)}.")
    return (_plane(item, what, dtype) for item in value)


def _plane(item: Any, what: str, dtype: Any) -> Array:
    plane = np.asarray(item) if hasattr(item, "convert") else to_array(item, what)
    if plane.ndim == 3 and 1 in (plane.shape[0], plane.shape[-1]):
        plane = plane[0] if plane.shape[0] == 1 else plane[..., 0]
    if plane.ndim != 2 or plane.size == 0:
        raise UsageProblem(f"{what}: expected H×W, saw {shape_of(plane)}.")
    return plane if dtype is None else plane.astype(dtype)


def read_segments(
    truth: Any, count: int, classes: Any, *, predictions: Any, logits: Any, ignore: int | None
) -> tuple[Segments, tuple[str, ...]]:
    """Return label maps of N samples, and the names of the classes."""
    if (predictions is None) == (logits is None):
        raise UsageProblem("semantic: give either predictions= (label maps) or logits=.")
    if logits is not None:
        table = to_array(logits, "logits")
        if table.ndim != 4 or len(table) != count:
            raise UsageProblem(f"logits: expected {count}×K×H×W, saw {shape_of(table)}.")
        refuse_nan(table, "logits")
        known, predictions = table.shape[1], np.argmax(table, axis=1)
        classes = class_names(classes, known)
        if len(classes) != known:
            raise UsageProblem(f"logits: {known} channels, but {len(classes)} class names.")
    true_maps = [_labels(plane, "truth") for plane in read_planes(truth, count, "truth", None)]
    said_maps = [
        _labels(plane, "predictions")
        for plane in read_planes(predictions, count, "predictions", None)
    ]
    for index, (mine, theirs) in enumerate(zip(true_maps, said_maps, strict=True)):
        if mine.shape != theirs.shape:
            raise UsageProblem(
                f"semantic: sample {index} has a truth of {shape_of(mine)} and a prediction of "
                f"{shape_of(theirs)}.",
                "Resize one to the other (nearest neighbour).",
            )
    highest = max(
        (int(np.max(plane, where=plane != _or(ignore), initial=-1)) for plane in true_maps),
        default=-1,
    )
    highest = max(highest, max((int(plane.max()) for plane in said_maps), default=-1))
    names = class_names(classes, highest + 1)
    if highest >= len(names):
        hint = "Say ignore=255." if highest == 255 and ignore is None else "Labels begin at 0."
        raise UsageProblem(f"semantic: label {highest} is beyond the {len(names)} classes.", hint)
    kind: Any = np.uint8 if max(len(names), (ignore or 0) + 1) <= 256 else np.uint16
    return (
        Segments(
            Maps.of(plane.astype(kind) for plane in true_maps),
            Maps.of(plane.astype(kind) for plane in said_maps),
            ignore,
        ),
        names,
    )


def refuse_nan(table: Array, what: str) -> None:
    """Refuse N × K × H × W logits of which a pixel is NaN: it would become the first class."""
    if table.dtype.kind != "f" or not np.isnan(table).any():
        return
    pixels = np.isnan(table).any(axis=1)
    raise UsageProblem(
        f"{what}: {int(pixels.sum()):,} of {pixels.size:,} pixels are NaN, which is no class.",
        "The network may have diverged; leave these samples out, or give predictions=.",
    )


def _or(ignore: int | None) -> int:
    return -1 if ignore is None else ignore


def _labels(plane: Array, what: str) -> npt.NDArray[np.int64]:
    if plane.dtype.kind == "f" and not np.array_equal(plane, np.round(plane)):
        raise UsageProblem(f"{what}: label maps hold whole numbers, saw {plane.dtype} fractions.")
    if plane.size and plane.min() < 0:
        raise UsageProblem(
            f"{what}: label {plane.min()} is below 0.", "Map what to ignore to 255, ignore=255."
        )
    return plane.astype(np.int64)


def read_depths(truth: Any, predictions: Any, count: int) -> Depths:
    """Return depth maps of N samples, float32 (float64 stays)."""
    mine = list(read_planes(truth, count, "truth", None))
    theirs = list(read_planes(predictions, count, "predictions", None))
    for index, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        if one.shape != other.shape:
            raise UsageProblem(
                f"depth: sample {index} has a truth of {shape_of(one)} and a prediction of "
                f"{shape_of(other)}.",
                "Resize the prediction to the truth.",
            )
    return Depths(Maps.of(map(_real, mine)), Maps.of(map(_real, theirs)))


def _real(plane: Array) -> Array:
    return plane if plane.dtype == np.float64 else plane.astype(np.float32)
