"""One H × W plane for each sample: heat maps, masks, depths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Depths
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.maps import Maps


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
