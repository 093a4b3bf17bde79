"""One stretch of a run: all of it, or what a resumed run records after what it has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from cvtrack_magics import forks
from cvtrack_magics.artifacts.paths import PICTURES
from cvtrack_magics.capture.machine.meter import ResourceUse
from cvtrack_magics.delivery.channel import UNSEEN
from cvtrack_magics.delivery.series import Series, joined
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Notice, Param, Record, Tag
from cvtrack_magics.run.context import RESOURCES
from cvtrack_magics.run.seeding import SEED_PARAM
from cvtrack_magics.run.summary_metrics import is_summary
from cvtrack_magics.store.deferred_runs import STRETCHES
from cvtrack_magics.threads import started

if TYPE_CHECKING:
    from cvtrack_magics.run.checkpoint.superseded import Standing

COUNT = STRETCHES
PREFIX = "stretch."

NOTHING = ResourceUse(0.0, 0.0, 0, None)

_BESIDE = ("code", "environment", "logs", "error", "configs", "datasets", "params")
"""Folders of a run's files that each stretch has its own of."""
_BESIDE_FILES = (f"{PICTURES}/figure-*.png", f"{PICTURES}/*.html")

Curves = Mapping[str, Series]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a run had before this stretch; empty for a run's first.

    ``steps`` are the highest ones, by the name that the store has, and ``pictures`` that of
    predictions, -1 where there are none. ``read`` returns the
    curves, all of them or thinned, and raises where they cannot be had. ``unknown`` says
    what of its cost is not known.
    """

    stretch: int = 1
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    used: ResourceUse = NOTHING
    pictures: int = -1
    read: Callable[[], Curves] = dict
    unknown: str = ""
    points: Callable[[], Iterable[tuple[str, float, int, int]]] = tuple
    """Returns all points, as far as they can be had: metric, value, Unix milliseconds, step."""


class Stretch:
    """Fits what a run records now to what it has.

    Parameters
    ----------
    earlier : Earlier
        What it has.
    """

    def __init__(self, earlier: Earlier | None = None) -> None:
        self.earlier = earlier or Earlier()
        self._curves: Curves | None = None if self.resumed else {}
        self.standing: Standing | None = None
        """The points from behind the checkpoint that the run went back to."""
        self._thread: threading.Thread | None = None

    @property
    def number(self) -> int:
        """Which stretch this is, from 1."""
        return self.earlier.stretch

    @property
    def resumed(self) -> bool:
        """Whether the run goes on after an earlier stretch."""
        return self.number > 1

    # -- steps

    def next_step(self, name: str) -> int | None:
        """Return the step after the highest of a metric's earlier ones; None for a new one."""
        last = self.earlier.steps.get(safe_key(name))
        return None if last is None else last + 1

    def go_back(self, steps: Mapping[str, int]) -> None:
        """Count from earlier steps on than the highest, of all but what the machine uses."""
        kept = {n: s for n, s in self.earlier.steps.items() if n.startswith((UNSEEN, RESOURCES))}
        self.earlier = replace(self.earlier, steps={**steps, **kept})

    @property
    def last_step(self) -> int:
        """The highest step of the earlier stretches; -1 where there is none."""
        steps = [
            step
            for name, step in self.earlier.steps.items()
            if not name.startswith((UNSEEN, RESOURCES)) and not is_summary(name)
        ]
        return max(steps, default=-1)

    def last_of(self, prefix: str) -> int:
        """Return the highest step of the metrics under a prefix; -1 where there is none."""
        steps = self.earlier.steps.items()
        return max((step for name, step in steps if name.startswith(prefix)), default=-1)

    # -- curves and totals

    def begin_to_read(self, wait: float, told: Callable[[Curves, bool], None]) -> None:
        """Read the earlier curves in the background.

        Parameters
        ----------
        wait : float
            Seconds to wait for them.
        told : callable
            Given the curves, and whether they came in that time.
        """
        waiting = forks.event()

        def work() -> None:
            with suppress(Exception):  # the end of the run says that they are missing
                self._curves = self.earlier.read()
                if waiting.is_set():
                    told(self._curves, False)

        self._thread = started(work, name="cvtrack-earlier")
        if self._thread is None:
            return
        self._thread.join(wait)
        waiting.set()
        if self._curves is not None and not self._thread.is_alive():
            told(self._curves, True)

    def curves(self, now: Curves, timeout: float = 0.0) -> Curves | None:
        """Return the curves from the run's beginning on; None where the earlier are not known."""
        if self._thread is not None:
            self._thread.join(timeout)
        if self._curves is None:
            return None
        if not self._curves:
            return now
        names = {safe_key(name): name for name in now}
        found = {names.get(name, name): self._valid(name, s) for name, s in self._curves.items()}
        for name, series in now.items():
            found[name] = joined(found[name], series) if name in found else series
        return found

    def _valid(self, name: str, series: Series) -> Series:
        """Leave out the points that were logged again with other values."""
        places = self.standing.changed.places.get(name) if self.standing is not None else None
        return series.without(places) if places else series

    def total(self, use: ResourceUse) -> ResourceUse:
        """Add what the earlier stretches used; of memory, the highest peak counts."""
        before = self.earlier.used
        gpu = [x for x in (before.gpu_peak_bytes, use.gpu_peak_bytes) if x is not None]
        return ResourceUse(
            wall_s=before.wall_s + use.wall_s,
            cpu_s=before.cpu_s + use.cpu_s,
            peak_rss_bytes=max(before.peak_rss_bytes, use.peak_rss_bytes),
            gpu_peak_bytes=max(gpu) if gpu else None,
        )

    # -- records

    def beside(self, records: Sequence[Record]) -> list[Record]:
        """Let files of this stretch stand beside the earlier ones, never over them."""
        if not self.resumed:
            return list(records)
        return [
            replace(item, path=self._beside(item.path)) if isinstance(item, Artifact) else item
            for item in records
        ]

    def _beside(self, path: str) -> str:
        folder, _, rest = path.partition("/")
        apart = folder in _BESIDE or any(fnmatchcase(path, form) for form in _BESIDE_FILES)
        return f"{folder}/stretch-{self.number}/{rest}" if apart and rest else path

    def label(self, key: str) -> str:
        """Return the tag under which this stretch keeps what the run has another value of."""
        return f"{PREFIX}{self.number}.{key}"

    def instead(self, param: Param, before: str, name: str, *, quietly: bool) -> list[Record]:
        """Return what is recorded of a param that the run has another value of."""
        known = f"Param {param.key!r} is already {before} in run {name!r} and stays so; "
        if self.earlier.params.get(param.key) == before:
            kept = Tag(self.label(param.key), param.value)
            said = Notice(f"{known}{param.value} of this stretch is kept as tag {kept.key!r}.")
            return [kept] if quietly else [kept, said]
        said = Notice(
            f"{known}{param.value} was not recorded. Open a new (nested) run for the new value."
        )
        return [] if quietly else [said]

    def tags(self, tags: Mapping[str, str], own: frozenset[str]) -> dict[str, str]:
        """Return the tags to write for a resumed run.

        Those that its own line says replace earlier ones; another value that only the session
        or the machine says stands beside the one that the run has.
        """
        stored = self.earlier.tags
        found = {}
        for key, value in tags.items():
            differs = stored.get(key, value) != value and key not in own
            found[self.label(key) if differs else key] = value
        return found

    def unseeded(self, seeds: Sequence[Record]) -> list[Record]:
        """Say of a stretch that set no seed, in a run that has one, that it did not."""
        if seeds or SEED_PARAM not in self.earlier.params:
            return []
        return [Tag(self.label(SEED_PARAM), "not set")]

    def fit(self, records: Sequence[Record], own: frozenset[str] = frozenset()) -> list[Record]:
        """Do so with the tags among some records."""
        if not self.resumed:
            return list(records)
        return [
            Tag(*next(iter(self.tags({item.key: item.value}, own).items())))
            if isinstance(item, Tag)
            else item
            for item in records
        ]
