"""Watches a run as its points are read for the plot; ``log()`` knows nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from cvtrack_magics.delivery.channel import UNSEEN
from cvtrack_magics.display.text import duration
from cvtrack_magics.run.watch.curve import Curve, Finite, falls

if TYPE_CHECKING:
    from cvtrack_magics.delivery.series import Series

T = TypeVar("T")
MOST = 64
"""Metrics that are looked at."""
STALL, LONGEST, USUAL = 120.0, 5.0, 30.0
"""A stall lasts as many seconds at least, and so many times the longest and the usual gap."""
PACE = 10  # gaps from which on a run has a pace
WAITED, WORTH = 0.1, 1.0
"""Share of a loop's time, and seconds, from which on its waiting for data is worth a line."""

Say = Callable[[str, str, int], None]
"""Takes what kind of thing it is, a line, and the step."""


@dataclass(slots=True)
class Waited:
    """How long a loop waited for its items; those that it waited for first are apart."""

    desc: str
    workers: int | None = None
    items: int = 0
    seconds: float = 0.0
    whole: float = 0.0

    @property
    def share(self) -> float:
        """Of the loop's time."""
        return self.seconds / self.whole if self.whole > 0 else 0.0

    def __str__(self) -> str:
        each = duration(self.seconds / max(1, self.items))
        workers = "" if self.workers is None else f", {self.workers} workers"
        loop = f"The loop {self.desc!r}" if self.desc else "The loop"
        return f"{loop} waited for data {self.share:.0%} of its time ({each} an item{workers})."


class Monitor:
    """Says once of each kind what is wrong with a run.

    Parameters
    ----------
    say : callable
        Told the kind (``not_finite``, ``diverged``, ``not_falling``, ``stalled``), the line and
        the step.
    watch : bool
        Whether more is looked for than values that are no finite numbers.
    begun : bool
        Whether the run begins here, and does not go on.
    """

    def __init__(self, say: Say, *, watch: bool, begun: bool = True) -> None:
        self._say = say
        self._watch = watch
        self._begun = begun
        self._told: set[str] = set()
        self._finite: dict[str, Finite] = {}
        self._curves: dict[str, Curve] = {}
        self._pace = _Pace()
        self._waited: dict[str, Waited] = {}

    def take(self, fresh: Mapping[str, Series]) -> None:
        """Look at new points."""
        for name, series in fresh.items():
            if name.startswith(UNSEEN) or not len(series):
                continue
            if self._watch:
                self._pace.take(series)
            self._look(name, series)

    def _look(self, name: str, series: Series) -> None:
        import numpy as np

        if name not in self._finite and len(self._finite) >= MOST:
            return
        values = np.frombuffer(series.values, dtype=np.float64).copy()
        steps = np.frombuffer(series.steps, dtype=np.int64).copy()
        finite = self._finite.setdefault(name, Finite(name))
        if "not_finite" not in self._told:
            self._tell("not_finite", finite.take(steps, values), int(steps[-1]))
        if not self._watch or not falls(name):
            return
        curve = self._curves.setdefault(name, Curve(name, self._begun))
        if not self._told & {"diverged", "not_falling"}:
            said = curve.take(steps, values)
            self._tell("diverged" if "diverged" in said else "not_falling", said, int(steps[-1]))

    def tick(self, now: float, sign: object, *, paused: bool) -> None:
        """Look whether the run has come to a stand (Unix seconds).

        ``sign`` is anything that changes while loops go on without logging.
        """
        if self._watch:
            self._tell("stalled", self._pace.stall(now, sign, paused=paused), self._pace.step)

    def items(self, iterable: Iterable[T], desc: str) -> Iterator[T]:
        """Go through the items of a loop, and take the time that it waits for each."""
        waited = self._waited.setdefault(desc, Waited(desc, _workers(iterable)))
        source, began = iter(iterable), 0.0
        while True:
            asked = perf_counter()
            try:
                item = next(source)
            except StopIteration:
                return
            came = perf_counter()
            if began:  # what is started for the first item is not its pace
                waited.items += 1
                waited.seconds += came - asked
                waited.whole += came - began
            began = came
            yield item

    def finish(self) -> None:
        """Say what only the end shows."""
        for finite in self._finite.values():
            self._tell("not_finite", finite.last(), self._pace.step)
        slowest = max(self._waited.values(), key=lambda one: one.seconds, default=None)
        if slowest is None or slowest.items < PACE or slowest.seconds < WORTH:
            return
        if slowest.share >= WAITED:
            self._tell("data_wait", str(slowest), self._pace.step)

    def _tell(self, kind: str, line: str, step: int) -> None:
        if line and kind not in self._told:
            self._told.add(kind)
            self._say(kind, line, step)


class _Pace:
    """How a run comes on, by the times of its points."""

    def __init__(self) -> None:
        self.step = 0
        self._last = self._longest = 0.0
        self._gaps = 0
        self._usual = 0.0
        self._sign: object = None
        self._moved = 0.0

    def take(self, series: Series) -> None:
        import numpy as np

        times = np.frombuffer(series.times, dtype=np.float64)
        fresh = np.unique(times[times > self._last])
        if not len(fresh):
            return
        gaps = np.diff(fresh if not self._last else np.concatenate([[self._last], fresh]))
        if len(gaps):
            self._longest = max(self._longest, float(gaps.max()))
            share = len(gaps) / (self._gaps + len(gaps))
            self._gaps = min(self._gaps + len(gaps), 1000)
            self._usual += share * (float(np.median(gaps)) - self._usual)
        self._last = float(fresh[-1])
        self.step = max(self.step, int(series.steps[-1]))

    def stall(self, now: float, sign: object, *, paused: bool) -> str:
        if paused or sign != self._sign:
            self._sign, self._moved = sign, now
        quiet = now - max(self._last, self._moved)
        bound = max(STALL, LONGEST * self._longest, USUAL * self._usual)
        if self._gaps < PACE or quiet <= bound:
            return ""
        return (
            f"Nothing was logged for {duration(quiet)}, after step {self.step}; before it took "
            f"{duration(self._usual)}, at most {duration(self._longest)}, to the next point."
        )


def _workers(iterable: Any) -> int | None:
    found = getattr(iterable, "num_workers", None)
    return found if isinstance(found, int) else None
