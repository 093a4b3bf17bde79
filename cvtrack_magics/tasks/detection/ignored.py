"""Objects that do not count: crowds, and those that are difficult or to be ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array, to_array

CROWD_KEYS = ("iscrowd", "is_crowd", "crowd", "gt_is_crowd", "is_group_of", "IsGroupOf")
"""One box around many: COCO, Detectron2, Open Images. A part of it is enough for a match."""
IGNORE_KEYS = (
    "difficult",
    "is_difficult",
    "gt_difficult",
    "ignore",
    "ignored",
    "is_ignored",
    "ignore_flag",
    "ignore_flags",
    "gt_ignore_flags",
)
"""One object that is neither found nor missed: Pascal VOC, COCO-like files, MMDetection."""

_ROOTS = {
    **dict.fromkeys(("crowd", "groupof"), CROWD_KEYS[0]),
    **dict.fromkeys(("difficult", "ignore", "ignored", "dontcare"), IGNORE_KEYS[0]),
}
_AROUND = re.compile(r"^(?:groundtruth|gt|is|bboxes|bbox|boxes|objects?)+|(?:flags?|s)$")

Flags = npt.NDArray[np.bool_]


def unknown_flags(item: Mapping[Any, Any]) -> list[str]:
    """Return the keys that sound as if they said which objects do not count, and are not read."""
    found = []
    for key in item:
        bare = re.sub("[^a-z]", "", str(key).lower())
        root = _AROUND.sub("", _AROUND.sub("", bare))
        if (root in _ROOTS or bare in _ROOTS) and key not in (*CROWD_KEYS, *IGNORE_KEYS):
            value = item[key]
            if value is not None and (not hasattr(value, "__len__") or len(value)):
                found.append(str(key))
    return found


def flag(column: Callable[[str], Any], keys: Iterable[str], count: int, what: str) -> Flags | None:
    """Return which of ``count`` objects have one of some flags; None where none is given.

    Parameters
    ----------
    column : callable
        Gives the values under a key, or None.

    Raises
    ------
    UsageProblem
        There is not one value for each object, or one is neither yes nor no.
    """
    found: Flags | None = None
    for key in keys:
        value = column(key)
        if value is None:
            continue
        values = _yes(value, count, f"{what}: {key}")
        found = values if found is None else found | values
    return found


def _yes(value: Any, count: int, what: str) -> Flags:
    if isinstance(value, (list, tuple)):  # XML has its numbers as text
        value = [int(one) if isinstance(one, str) and one in "01" else one or 0 for one in value]
    values: Array = to_array(value, what).reshape(-1)
    if len(values) != count:
        raise UsageProblem(f"{what}: {count} objects, but {len(values)} values.")
    if not np.isin(values, (0, 1)).all():
        wrong = values[~np.isin(values, (0, 1))][0]
        raise UsageProblem(f"{what}: expected 0 or 1 for each object, saw {wrong}.")
    return values.astype(bool)
