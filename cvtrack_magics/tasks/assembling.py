"""Predictions of what was read, and how many samples there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.tasks.base import Task, TaskData
from cvtrack_magics.tasks.samples import Samples

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
        tuple(dict.fromkeys(notes)),
        common.given,
    )
    return found


def length(*values: Any) -> int | None:
    """Return the length of the first that has one."""
    for value in values:
        if value is not None and hasattr(value, "__len__"):
            return len(value)
    return None
