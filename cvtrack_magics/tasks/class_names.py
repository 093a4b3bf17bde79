"""Names of classes, and labels that must be one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem


def class_names(classes: Any, count: int) -> tuple[str, ...]:
    """Return one name for each class: as given, or ``0``, ``1`` … for ``count`` classes."""
    if classes is None:
        return tuple(str(index) for index in range(count))
    if isinstance(classes, int):
        return tuple(str(index) for index in range(classes))
    if isinstance(classes, Mapping):
        known = {int(key): str(value) for key, value in classes.items()}
        return tuple(known.get(index, str(index)) for index in range(max(known, default=-1) + 1))
    if isinstance(classes, (str, bytes)) or not isinstance(classes, Iterable):
        raise UsageProblem("classes: expected a list of names, a dict or a number.")
    return tuple(str(name) for name in classes)


def check_labels(labels: npt.NDArray[np.int64], count: int, what: str, *, least: int = 0) -> None:
    """Raise unless every label names one of ``count`` classes."""
    wrong = labels[(labels < least) | (labels >= count)]
    if len(wrong):
        hint = "Labels begin at 0." if wrong.min() >= 0 else "Labels are indices into classes."
        if least < 0 and (wrong[0] < 0 or wrong[0] in (255, 65535)):
            hint = f"If {wrong[0]} means unknown, say ignore={wrong[0]}."
        raise UsageProblem(f"{what}: label {wrong[0]} is beyond the {count} classes.", hint)
