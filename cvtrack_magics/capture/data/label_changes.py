"""Labels as a data set's own ``target_transform`` gives them, where that is the same each time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.randomness import generators_kept
from cvtrack_magics.capture.data.reach import reach


def changed_labels(base: Any, labels: Iterable[Any]) -> tuple[Sequence[Any], tuple[str, ...]]:
    """Return labels after a data set's ``target_transform``, and what is to be said of them.

    Parameters
    ----------
    base : Dataset
        Its random generators are put back.
    labels : iterable
        As it keeps them. Of a transform that is random they stay so.
    """
    change: Any = getattr(base, "target_transform", None)
    given = list(labels)
    if not callable(change):
        return given, ()
    with generators_kept(change) as asked:
        made = [change(label) for label in given]
        again = [change(label) for label in given]
        is_random = asked() or bool(reach(change).chance)
    if not is_random and [hash_value(label) for label in made] == [hash_value(a) for a in again]:
        return made, ()
    kind = type(base).__name__
    return given, (f"The target_transform of {kind} is random, so its labels count without it.",)
