"""Predictions of what was read, and how many samples there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.tasks.base import Task, TaskData
from cvtrack_magics.tasks.samples import Samples
from cvtrack_magics.vision.maps import Maps

if TYPE_CHECKING:
    from cvtrack_magics.tasks.predictions import Predictions


def made(
    cls: Any,
    common: Samples,
    task: Task,
    classes: tuple[str, ...],
    data: TaskData,
    *,
    notes: Sequence[str] = (),
) -> Predictions:
    """Return predictions of a task; what was read of all samples is ``common``."""
    found: Predictions = cls(
        task,
        classes,
        common.ids,
        common.sizes,
        common.pixels,
        data,
        common.seconds,
        common.names,
        tuple(dict.fromkeys((*common.notes, *notes, *_of_shapes(common, data)))),
        common.given,
        common.about,
    )
    return found


def _of_shapes(common: Samples, data: TaskData) -> list[str]:
    """Say that maps are of another shape than their pictures, over which they are drawn.

    A smaller map of the same shape is usual, with a pixel's rounding.
    """
    maps = [getattr(data, name, None) for name in ("truth", "heat")]
    planes = [list(one.items) for one in maps if isinstance(one, Maps)]
    if common.pixels is None or not planes:
        return []
    other = []
    for (height, width), plane in zip(common.sizes.tolist(), planes[-1], strict=True):
        high, wide = plane.shape
        if abs(wide * height - high * width) > max(high, wide, height, width):
            other.append(f"{high} × {wide} over {height} × {width}")
    if not other:
        return []
    return [
        f"{len(other):,} of {len(common.sizes):,} maps have another shape than their picture "
        f"({other[0]}) and are drawn stretched; were both cut out alike?"
    ]


def length(*values: Any) -> int | None:
    """Return the length of the first that has one."""
    for value in values:
        if value is not None and hasattr(value, "__len__"):
            return len(value)
    return None
