"""The points that a run has from behind the checkpoint that it goes on from.

MLflow deletes no point. One that comes again with the same value stands as it is, and is not
written again; one that comes again with another value is written, and the earlier one is named.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cvtrack_magics import forks
from cvtrack_magics.store.writer import Point

LARGEST = 1.7976931348623157e308
"""What MLflow's database keeps an infinity as."""


@dataclass(slots=True)
class Superseded:
    """What has come again otherwise; ``first`` says the first of it in words."""

    count: int = 0
    first: str = ""
    lowest: int = -1
    highest: int = -1
    places: dict[str, set[int]] = field(default_factory=dict)
    """The steps, by metric."""


class Standing:
    """Tells which points of a run that is done again from a step on are there already.

    Parameters
    ----------
    points : iterable of Point
        What the run has, as (metric, value, Unix milliseconds, step).
    after : mapping of str to int
        Each metric's next step at the checkpoint: what is below it is not done again.
    passed : callable
        Called once all of it has come again.

    Notes
    -----
    ``rest`` is what has not come again yet.
    """

    def __init__(
        self, points: Iterable[Point], after: Mapping[str, int], passed: Callable[[], None]
    ) -> None:
        self._points = [one for one in points if one[3] >= after.get(one[0], 0)]
        self._rest: dict[tuple[str, int], list[float]] = {}
        for name, value, _, step in self._points:
            self._rest.setdefault((name, step), []).append(value)
        self._passed = passed
        self._lock = forks.rlock()
        self.changed = Superseded()

    def __len__(self) -> int:
        """How many points have not come again."""
        return len(self._rest)

    def new(self, values: Mapping[str, float], step: int) -> dict[str, float]:
        """Return those of some values at a step that are not there already."""
        with self._lock:
            found = {
                name: v for name, v in values.items() if not self._stands(name, float(v), step)
            }
            if not self._rest:
                self._passed()
        return found

    def _stands(self, name: str, value: float, step: int) -> bool:
        known = self._rest.get((name, step))
        if known is None:
            return False
        same = next((one for one in known if is_same(one, value)), None)
        before = known.pop(0 if same is None else known.index(same))
        if not known:
            del self._rest[name, step]
        if same is None:
            self._note(name, before, value, step)
        return same is not None

    def _note(self, name: str, before: float, value: float, step: int) -> None:
        changed = self.changed
        changed.first = changed.first or f"{name} at step {step} was {before:.6g}, is {value:.6g}"
        changed.count += 1
        changed.lowest = step if changed.lowest < 0 else min(changed.lowest, step)
        changed.highest = max(changed.highest, step)
        changed.places.setdefault(name, set()).add(step)

    def table(self) -> str:
        """Return the points that do not count any more, as comma-separated values."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["metric", "step", "value", "unix_ms", "why"])
        for name, value, unix_ms, step in self._points:
            if step in self.changed.places.get(name, ()):
                writer.writerow([name, step, repr(value), unix_ms, "logged again otherwise"])
            elif (name, step) in self._rest:
                writer.writerow([name, step, repr(value), unix_ms, "not logged again"])
        return text.getvalue()


def is_same(stored: float, value: float) -> bool:
    """Whether a store that was given a value would have this one."""
    if math.isnan(value) or math.isnan(stored):
        return math.isnan(value) and math.isnan(stored)
    if math.isinf(value):
        return stored == value or stored == math.copysign(LARGEST, value)
    return stored == value
