"""The way of a metric inside the process: ``log()`` writes it down, two readers follow.

The training loop packs a row into mapped memory. A pump reads it from there for the plot,
and the sender for the store; neither waits for the other, so a slow server never stops
the plot and never stops the loop.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import get_ident
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.delivery.children import ChildStreams
from cvtrack_magics.delivery.naming import StoredNames
from cvtrack_magics.delivery.numbers import as_number, as_step
from cvtrack_magics.delivery.series import History, Series, every_point
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.journal.claims import Claims
from cvtrack_magics.journal.points import Cursor, MetricSet, Stream, UnixTime
from cvtrack_magics.journal.through import stream_in
from cvtrack_magics.system import time

Refresh = Callable[[Mapping[str, Series]], None]
"""Takes just the new points."""

MAIN, OTHER = "main", "other"
UNSEEN = "system/"
"""Metrics under this prefix say what the run uses; their steps are not the loop's."""


class Channel:
    """The metrics of one open run.

    Parameters
    ----------
    folder : Path, optional
        Where the points are kept until they are sent; without it they are in memory.
    no_room : callable, optional
        Told when the disk has no room for more; the points then are in memory.
    names : tuple of str
        What this process's streams are called; a forked child has names of its own.

    Notes
    -----
    The thread that logs first has a stream of its own, which needs no lock; all others
    share a second one.
    """

    def __init__(
        self,
        folder: Path | None = None,
        no_room: Callable[[OSError], None] | None = None,
        names: tuple[str, str] = (MAIN, OTHER),
    ) -> None:
        tell = no_room or (lambda _: None)
        self.main = stream_in(folder, names[0], tell)
        self.other = stream_in(folder, names[1], tell)
        self.pid = os.getpid()
        self._alone = names != (MAIN, OTHER)  # a worker's, which nobody drains
        self._place = (folder, names)
        self._children = ChildStreams(folder, names)
        self.owner = 0
        self.lost = 0
        self.history = History()
        self.refresh: Refresh | None = None
        self.step_now: Callable[[], int | None] = lambda: None
        self.names = StoredNames(lambda _: None, Claims(folder) if folder else None)
        self.main.are_own = self.other.are_own = self.names.are_own
        self.least_step: Callable[[str], int] = lambda _: 0
        self._sets: dict[str, list[MetricSet]] = {}
        self._known: set[int] = set()
        self._next: dict[str, int] = {}
        self._on_device: deque[tuple[dict[str, Any], int, int]] = deque()
        self._settling = False
        self._lock = forks.rlock()
        self._drain_lock = forks.rlock()
        self._drop_lock = forks.rlock()
        self._shown = {MAIN: Cursor(self.main), OTHER: Cursor(self.other)}
        self._dropped = {MAIN: 0, OTHER: 0}
        self._is_new: Callable[[Mapping[str, Any], int], Mapping[str, Any]] | None = None
        self._stood = 0

    # -- writing

    def log(self, metrics: Mapping[str, Any], step: int | None, every: int) -> None:
        """Write values down; what :meth:`Stream.write` cannot do faster comes here."""
        if not isinstance(metrics, Mapping):
            raise UsageProblem(
                f"log() takes a dict of metrics, not a {type(metrics).__name__}.",
                "For example log({'train/loss': loss}, step=epoch).",
            )
        numbers = {key: as_number(key, value) for key, value in metrics.items()}
        self.record(numbers, None if step is None else as_step(step), every)

    def record(
        self,
        numbers: Mapping[str, Any],
        step: int | None,
        every: int,
        at_time: UnixTime | None = None,
    ) -> None:
        """Write down what :func:`as_number` and :func:`as_step` made of values and a step."""
        clock = time.monotonic_ns() if at_time is None else at_time
        values = {self.names.of(key): value for key, value in numbers.items()}
        if step is None:
            step = self.step_now()
        self._learn_steps(values)
        groups: dict[int, dict[str, Any]] = {}
        if step is not None:
            groups[step] = values
        else:
            for name, value in values.items():
                at = max(self._next.get(name, 0), self.least_step(name))
                groups.setdefault(at, {})[name] = value
        for at, group in groups.items():
            if every == 1 or at % every == 0:
                self._put(self._new_of(group, at), at, clock)
            self._next.update(dict.fromkeys(group, at + 1))

    def _new_of(self, values: dict[str, Any], step: int) -> dict[str, Any]:
        """Leave out what the run has already, where it is done again from a checkpoint on."""
        if self._is_new is None:
            return values
        found = self._is_new(values, step)
        self._stood += len(values) - len(found)
        return {name: value for name, value in values.items() if name in found}

    def written(self) -> tuple[int, ...]:
        """Return what differs when anything was written since."""
        streams = [(one.count, one.at, len(one.nested)) for one in (self.main, self.other)]
        return (*streams[0], *streams[1], len(self._on_device))

    @property
    def written_by_loop(self) -> tuple[int, int]:
        """What differs when the thread that logs first has logged since."""
        return self.main.count, self.main.at + self._stood

    def log_at(self, metrics: Mapping[str, float], step: int, unix_ms: int) -> None:
        """Write values down that were logged at a given time (Unix milliseconds)."""
        values = {self.names.of(key): float(value) for key, value in metrics.items()}
        with self._lock:  # whoever calls is not the training loop, and must not become it
            self._write(self.other, values, as_step(step), UnixTime(unix_ms * 1_000_000))

    def next_steps(self) -> dict[str, int]:
        """Return the step after the last of each metric that the loop logs."""
        self._learn_steps(list(self._sets))
        return {name: step for name, step in self._next.items() if not name.startswith(UNSEEN)}

    def go_back(self, steps: Mapping[str, int]) -> None:
        """Count on from what :meth:`next_steps` returned at a checkpoint."""
        self._learn_steps(list(self._sets))
        own = {name: step for name, step in self._next.items() if name.startswith(UNSEEN)}
        self._next = {**own, **steps}

    def look_at(self, is_new: Callable[[Mapping[str, Any], int], Mapping[str, Any]]) -> None:
        """Ask of all values, until :meth:`all_is_new`, which of them the run does not have."""
        self._is_new = is_new
        self.main.short(allowed=False)

    def all_is_new(self) -> None:
        """Write values down as they come: the run has come to where it had been."""
        self._is_new = None
        self.main.short(allowed=True)

    def _learn_steps(self, names: Iterable[str]) -> None:
        """Take over the steps that the short way left at the sets of these metrics."""
        rows = {
            id(row): row
            for name in names
            for row in self._sets.get(name, ())
            if row.next is not None
        }
        for row in sorted(rows.values(), key=lambda row: row.next or 0):
            self._next.update(dict.fromkeys(row.names, row.next or 0))
            row.next = None

    def _put(self, values: dict[str, Any], step: int, clock: int) -> None:
        if not values:
            return
        on_device = {name: value for name, value in values.items() if type(value) is not float}
        if on_device:
            self._on_device.append((on_device, step, clock))
            if self._alone:
                self.settle()
            values = {name: value for name, value in values.items() if name not in on_device}
            if not values:
                return
        if not self.owner:
            with self._lock:
                self.owner = self.owner or get_ident()
        if self.owner == get_ident():
            self._write(self.main, values, step, clock)
        else:
            with self._lock:
                self._write(self.other, values, step, clock)

    def _write(self, stream: Stream, values: dict[str, float], step: int, clock: int) -> None:
        names = tuple(values)
        stream.add(names, list(values.values()), step, clock)
        row = stream.set_of(names)
        if row is not None and id(row) not in self._known:
            with self._lock:
                self._known.add(id(row))
                for name in names:
                    self._sets.setdefault(name, []).append(row)

    @property
    def last_step(self) -> int:
        """The highest of the steps that each metric was logged at last."""
        self._learn_steps(list(self._sets))
        steps = [step - 1 for name, step in list(self._next.items()) if not name.startswith(UNSEEN)]
        return max(steps, default=0)

    def next_of(self, keys: Iterable[str]) -> int:
        """Return the lowest step at which none of some metrics has a point at or behind it."""
        names = [self.names.of(key) for key in keys]
        self._learn_steps(names)
        return max((self._next.get(name, 0) for name in names), default=0)

    # -- reading

    def settle(self) -> None:
        """Read the values that were on a device when they were logged; may wait for it."""
        with self._lock:
            if self._settling:  # a handler's call: the one below on the stack goes on to its value
                return
            self._settling = True
            try:
                while self._on_device:
                    self._settle_next()
            finally:
                self._settling = False

    def _settle_next(self) -> None:
        values, step, clock = self._on_device[0]
        late: Exception | None = None
        try:
            read = {name: float(value) for name, value in values.items()}
        except Exception as error:  # of the device, or what a handler raised meanwhile
            late = error
            try:
                read = {name: float(value) for name, value in values.items()}
            except Exception:  # the device failed, and the value with it
                self.lost += len(values)
                self._on_device.popleft()
                return
        self._write(self.other, read, step, clock)
        self._on_device.popleft()
        if late is not None:
            raise late

    def drain(self) -> None:
        """Bring what was logged into the history and to the plot."""
        with self._drain_lock:
            self.settle()
            self._shown.update(self._children.look())
            fresh: dict[str, Series] = {}
            for cursor in list(self._shown.values()):
                for rows in cursor.read():
                    self.history.extend(rows, fresh)
            if fresh and self.refresh is not None:
                self.refresh(fresh)

    def count(self) -> int:
        """Return how many points were logged so far."""
        self.drain()
        return sum(series.count for series in self.history.series.values())

    def whole(self, name: str) -> Series | None:
        """Return all points of a metric, as far as they are here; None where there are none.

        A history that has left some out is read anew, in order of time. What is in the store
        already may have been let go of: of that, the points that were kept.
        """
        self.drain()
        kept = self.history.series.get(name)
        if kept is None or kept.is_whole:
            return kept
        with self._drop_lock:
            cursors = [*self.cursors().values(), *ChildStreams(*self._place).look().values()]
            still_here = every_point(name, (rows for one in cursors for rows in one.read()))
        found = kept.head(kept.count - still_here.count)
        found.extend(still_here)
        return found

    def cursors(self, places: Mapping[str, tuple[int, int]] | None = None) -> dict[str, Cursor]:
        """Return the places of one more reader, at the beginning or where another got to."""
        places = places or {}
        return {
            name: Cursor(stream, places.get(name, (0, 0)))
            for name, stream in ((MAIN, self.main), (OTHER, self.other))
        }

    def ends(self) -> dict[str, tuple[int, int]]:
        """Return the segment on disk, and the offset in it, that each stream got to."""
        return {
            name: (stream.count - 1, stream.on_disk())
            for name, stream in ((MAIN, self.main), (OTHER, self.other))
            if stream.segment is not None and stream.segment.path is not None
        }

    def drop(self, sent: Mapping[str, int]) -> None:
        """Let go of the segments before those that the store and the plot are at."""
        with self._drop_lock:
            for name, stream in ((MAIN, self.main), (OTHER, self.other)):
                passed = min(sent.get(name, 0), self._shown[name].passed)
                while self._dropped[name] < passed:
                    segment = stream.segments.pop(self._dropped[name], None)
                    self._dropped[name] += 1
                    if segment is not None:
                        segment.drop()

    def clock_moved(self) -> None:
        """Say that the wall clock was set, or that the machine slept."""
        self.main.clock_moved()
        self.other.clock_moved()
