"""The one axis of a run's steps, counted by its innermost loop.

``docs/steps.md`` says the rule for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cvtrack_magics.delivery.lanes import Lane


@dataclass(slots=True, eq=False)
class Loop:
    """One pass over a :func:`track`.

    ``done`` rounds of ``total`` are done in this pass, ``before`` in the earlier ones;
    ``waited`` is how long the run had been paused when the pass began. ``key`` is what it is
    shown by, ``place`` where in the code it stands: two loops of one name are two.
    """

    key: str
    place: str
    desc: str
    total: int | None
    before: int
    started: float
    done: int = 0
    asked: bool = False
    """Whether a button was clicked that this loop has to look at."""
    stopping: bool = False
    waited: float = 0.0
    logged: int = -1
    """The last round in which something was logged by its count."""
    written: object = None
    """What had been logged in the run when the pass began."""
    lane: Lane | None = None
    """The thread or task that it was entered in."""
    around: tuple[Loop, ...] = ()
    """The loops that it stands in, the outermost first."""
    counts: bool = False
    """Whether its own thread or task logs in it, beside others."""
    over: bool = False

    @property
    def round(self) -> int:
        """The round it is in, counted over all passes from 0."""
        return self.before + self.done

    @property
    def rounds(self) -> int:
        """How many rounds it has begun; one that was left early counts if it logged."""
        return max(self.round, self.logged + 1)


class Axis:
    """Gives the step of what is logged in loops.

    Notes
    -----
    One loop counts: the innermost of those that something was logged in, from the first log
    on. What is logged outside of it, in a loop around it or beside it, or after all loops, has
    the step that it has reached. When another outermost loop begins, it counts on from there.
    A loop in which all steps are given has reached the last of them.
    """

    def __init__(self) -> None:
        self._counter: Loop | None = None
        self._nest = ""
        self._shift = 0
        self._after = -1
        self.reached = -1
        """The highest step given so far; -1 before the first."""

    @property
    def after(self) -> int:
        """The step that it counts on after."""
        return self._after

    def take(self, other: Axis) -> None:
        """Stand where the axis of a thread beside this one has come to, or further."""
        self.reached = max(self.reached, other.reached)
        if other._counter is not None and (self._counter is None or self._nest == other._nest):
            self._counter, self._nest, self._shift = other._counter, other._nest, other._shift

    def go_on_after(self, step: int) -> None:
        """Count on after the steps of an earlier stretch of the run."""
        self._after = max(self._after, step)

    @property
    def counting(self) -> tuple[str, int, int]:
        """Which place in the code counts, from which step, and the highest step given."""
        return self._counter.place if self._counter else "", self._shift, self.reached

    def count_by(self, loops: Sequence[Loop], shift: int, reached: int) -> None:
        """Let the innermost of some loops count, as it did at a checkpoint."""
        self._counter, self._nest = loops[-1], loops[0].place
        self._shift, self.reached = shift, reached

    def step(self, loops: Sequence[Loop]) -> int:
        """Return the step of what is logged now, in the innermost of some loops."""
        loop = loops[-1]
        counter = self._counter
        if counter is None or self._nest != loops[0].place:
            self._count_by(loop, loops[0].place, max(self.reached, self._after) + 1)
        elif loop is not counter and loop.place == counter.place:
            self._counter = loop  # its next pass
        elif loop is not counter and counter in loops:
            self._count_by(loop, self._nest, self.reached)
        elif loop is not counter:
            return max(0, self.reached, self._shift + counter.rounds - 1)
        loop.logged = loop.round
        step = self._shift + loop.round
        self.reached = max(self.reached, step)
        return step

    def given(self, loops: Sequence[Loop], step: int) -> None:
        """Note the last step of what was logged, with steps, in the innermost of some loops."""
        loop, counter = loops[-1], self._counter
        beside = counter is not None and self._nest == loops[0].place and counter not in loops
        if beside and counter is not None and loop.place != counter.place:
            return
        self._counter, self._nest = loop, loops[0].place
        self.reached = max(self.reached, step)
        self._shift = self.reached - max(0, loop.rounds - 1)

    def _count_by(self, loop: Loop, nest: str, least: int) -> None:
        self._counter, self._nest = loop, nest
        self._shift = max(0, least - loop.round)
