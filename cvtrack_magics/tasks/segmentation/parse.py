"""One H × W plane for each sample: heat maps, masks, depths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Depths
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.maps import Maps

_UNITS = (100, 256, 1000)  # of what a metre has in centimetres, in KITTI's files, in millimetres


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


def read_depths(truth: Any, predictions: Any, count: int, notes: list[str]) -> Depths:
    """Return depth maps of N samples, float32 (float64 stays); ``notes`` takes what is doubtful."""
    mine = list(read_planes(truth, count, "truth", None))
    theirs = list(read_planes(predictions, count, "predictions", None))
    for index, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        if one.shape != other.shape:
            raise UsageProblem(
                f"depth: sample {index} has a truth of {shape_of(one)} and a prediction of "
                f"{shape_of(other)}.",
                "Resize the prediction to the truth.",
            )
    notes += _of_units(mine, theirs)
    return Depths(Maps.of(map(_real, mine)), Maps.of(map(_real, theirs)))


def _of_units(truth: Sequence[Array], predictions: Sequence[Array]) -> list[str]:
    """Say that whole numbers stand beside fractions of another unit; mostly nothing.

    Files of 16 bits have millimetres, or 256ths of a metre, and networks say metres: nothing in
    the numbers tells which is which, so nothing is converted.
    """
    mine, theirs = _measured(truth), _measured(predictions)
    if not (len(mine) and len(theirs)) or _are_whole(mine) == _are_whole(theirs):
        return []
    times = float(np.median(mine) / np.median(theirs))
    if 1 / _UNITS[0] < 2 * times and times < _UNITS[0] / 2:
        return []
    near = min(_UNITS, key=lambda unit: abs(np.log(max(times, 1 / times) / unit)))
    whole, other = ("truth", "prediction") if _are_whole(mine) else ("prediction", "truth")
    which = "larger" if (times > 1) == (whole == "truth") else "smaller"
    return [
        f"depth: the {whole} has whole numbers, some {near:,} times {which} than the {other}: are "
        "they in one unit? Files of 16 bits have millimetres (1/1000 m), or 1/256 m; divide first."
    ]


def _measured(maps: Sequence[Array]) -> Array:
    """Return some of what was measured, flat."""
    few = [plane.reshape(-1)[:: max(1, plane.size // 4096)] for plane in maps[:16]]
    values = np.concatenate([np.asarray(part, np.float64) for part in few] or [np.zeros(0)])
    return np.asarray(values[np.isfinite(values) & (values > 0)])


def _are_whole(values: Array) -> bool:
    return bool((values == np.round(values)).all())


def _real(plane: Array) -> Array:
    return plane if plane.dtype == np.float64 else plane.astype(np.float32)
