"""The loops of a run that are open: nested, and of several threads or tasks side by side."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from threading import current_thread, get_ident
from typing import Any
from weakref import WeakKeyDictionary

from cvtrack_magics import forks
from cvtrack_magics.delivery.lanes import Lane, lane
from cvtrack_magics.run.step_axis import Axis, Loop
from cvtrack_magics.system import time

_entered: ContextVar[tuple[Loop, ...]] = ContextVar("cvtrack_loops", default=())


class Loops:
    """The open loops of one run, and the step of what is logged in them.

    Notes
    -----
    A loop stands in those that its thread or task had entered, or that were there when the task
    was made; in a new thread, in those of the thread that opened the run. The loops of a thread
    that logs in them count for it alone, from where the thread that opened the run has come to.
    Those that a thread only moves on, as a prefetcher does, count for the code around them.
    """

    def __init__(self) -> None:
        self.open: list[Loop] = []
        """All, in the order in which they were entered; replaced, never cut."""
        self._home = get_ident()
        self._axis = Axis()
        self._main: Lane | None = None  # of the thread at home: whose steps that axis gives
        self._beside: WeakKeyDictionary[Any, Axis] = WeakKeyDictionary()
        self._alone = self._plain = True
        self._since = self._high = -1
        self._rounds: dict[str, int] = {}
        self._turns: dict[tuple[str, Lane], int] = {}
        self._lock = forks.rlock()

    def enter(self, desc: str, total: int | None, site: object) -> Loop:
        """Begin a pass of the loop at one place in the code."""
        mine = lane()
        around = tuple(self.open) if self._is_alone(mine) else self._around_here()
        key = self._key(f"{len(around)}:{desc}")
        place = f"{len(around)}:{desc}@{site}"
        loop = Loop(key, place, desc, total, self._before(place, mine), time.monotonic())
        loop.lane, loop.around = mine, around
        if mine.thread == self._home:
            self._since = self.reached
            if not self.open or self._main is None or self._main.is_over:
                self._main = mine
        self.open = [*self.open, loop]
        self._look()
        _entered.set((*(one for one in _entered.get() if not one.over), loop))
        return loop

    def leave(self, loop: Loop) -> None:
        """End a pass, and those in it that were left without an end."""
        self._rounds[loop.place] = max(self._rounds.get(loop.place, 0), loop.rounds)
        if loop.lane is not None:
            self._turns[loop.place, loop.lane] = loop.rounds
        inner = [one for one in self.open if loop in one.around and _same(one, loop)]
        for one in (loop, *inner):
            one.over = True
        self.open = [one for one in self.open if not one.over]
        self._look()
        _entered.set(tuple(one for one in _entered.get() if not one.over))
        axis = self._beside.get(_self())
        if axis is not None and not any(one.lane == loop.lane for one in self.open):
            self._axis.take(axis)
        if get_ident() == self._home:
            self._since = self.reached

    def step(self) -> int | None:
        """Return the step of what is logged now; None outside of all loops."""
        loops = self.open
        if loops and self._plain:
            return self._axis.step(loops)
        if loops:
            with self._lock:
                return self._step_beside()
        if get_ident() == self._home:
            self._since = self.reached
        return None

    def given(self, loop: Loop, step: int) -> None:
        """Note the last step of what was logged, with steps, in a loop that is left."""
        if loop.around and loop.lane is not None:
            self._high = max(self._high, step)
            self._axis_of(loop, loop.lane).given((*loop.around, loop), step)

    @property
    def reached(self) -> int:
        """The highest step given so far; -1 before the first."""
        return max(self._axis.reached, self._high)

    def go_on_after(self, step: int) -> None:
        """Count on after the steps of an earlier stretch of the run."""
        self._axis.go_on_after(step)

    def go_back(self, step: int) -> None:
        """Count on after a step that is not the last one, as if what followed had not been."""
        self._axis = Axis()
        self._axis.go_on_after(step)
        self._since = self._high = -1
        self._rounds, self._turns = {}, {}

    @property
    def counting(self) -> tuple[str, int, int]:
        """Which place in the code counts, from which step, and the highest step given."""
        return self._axis.counting

    def count_by(self, loop: Loop, shift: int, reached: int) -> None:
        """Let a loop count, as it did at a checkpoint."""
        self._axis.count_by((*loop.around, loop), shift, reached)

    # -- which loops code is in

    def _look(self) -> None:
        self._alone = self._is_alone(None)
        self._plain = self._alone and all(_thread(one) == self._home for one in self.open)

    def _is_alone(self, mine: Lane | None) -> bool:
        """Whether one thread or task has entered all that are open, but for what is over."""
        living = {one.lane for one in self.open if one.lane is not None and not one.lane.is_over}
        return len(living | ({mine} if mine is not None else set())) <= 1

    def _around_here(self) -> tuple[Loop, ...]:
        """Return the loops that the running code has entered, or stands in as a new thread."""
        entered = [one for one in _entered.get() if one in self.open][-1:]
        home = [one for one in self.open if _thread(one) == self._home]
        common = [one for one in home if all(one is o or one in o.around for o in home)][-1:]
        found = entered or common
        return tuple(one for last in found for one in (*last.around, last) if not one.over)

    def _here(self, mine: Lane) -> tuple[Loop, ...]:
        """Return the loops that what is logged now stands in."""
        here = tuple(self.open) if self._alone else self._around_here()
        for one in here:
            one.counts = one.counts or one.lane == mine
        while True:
            moved = [one for one in self.open if one.around == here and not one.counts]
            if len(moved) != 1 or moved[0].lane == mine:
                return here
            here = (*here, moved[0])

    # -- how they count

    def _step_beside(self) -> int | None:
        mine = lane()
        here = self._here(mine)
        if not here:
            return None
        step = self._axis_of(here[-1], mine).step(here)
        self._high = max(self._high, step)
        return step

    def _axis_of(self, loop: Loop, mine: Lane) -> Axis:
        if loop.lane != mine or mine == self._main or self._plain:
            return self._axis
        axis = self._beside.get(_self())
        if axis is None:
            axis = self._beside[_self()] = Axis()
            axis.go_on_after(max(self._since, self._axis.after))
        return axis

    def _before(self, place: str, mine: Lane) -> int:
        """Return how many rounds the earlier passes had; those side by side begin alike."""
        beside = [one.before for one in self.open if one.place == place and one.lane != mine]
        if not beside:
            self._turns = {at: rounds for at, rounds in self._turns.items() if at[0] != place}
            return self._rounds.get(place, 0)
        return max(self._turns.get((place, mine), 0), *beside[:1])

    def _key(self, key: str) -> str:
        """Return a key that no open loop is shown by."""
        taken = {one.key for one in self.open}
        more = (f"{key} #{count}" for count in range(2, len(taken) + 3))
        return next(one for one in (key, *more) if one not in taken)


def _self() -> Any:
    """Return the task or thread that this is called in, which lives as long as it runs."""
    with suppress(RuntimeError):
        task = asyncio.current_task()
        if task is not None:
            return task
    return current_thread()


def _thread(loop: Loop) -> int:
    return loop.lane.thread if loop.lane is not None else 0


def _same(one: Loop, other: Loop) -> bool:
    return one.lane == other.lane or (one.lane is not None and one.lane.is_over)
