"""What the buttons under a running cell ask of its loops, and how far these have come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from cvtrack_magics import forks
from cvtrack_magics.display.progress import Bar
from cvtrack_magics.run.loops import Loops
from cvtrack_magics.run.step_axis import Loop

TICK = 0.2  # seconds between two looks at a pause, so that an interrupt is heard


class Elsewhere(Protocol):
    """Loops of other processes."""

    @property
    def bars(self) -> list[Bar]:
        """How far they have come."""

    @property
    def offers(self) -> set[str]:
        """The actions that would be honoured now."""

    def stop(self) -> None:
        """End them, or the code where there are none."""


class Control:
    """The loops of one run, and what was asked of them.

    Parameters
    ----------
    said : callable
        Told what the run does now: ``"running"``, ``"stopping"``, ``"paused"`` or
        ``"stopped"``, and at which step in words.
    marked : callable
        Told of a note and the step it is at.
    last_step : callable
        Returns the step that was logged last.
    written : callable
        Returns what differs when anything was logged since.
    around : Control, optional
        That of the run this one is nested in, whose loops wait while these do.

    Notes
    -----
    Clicks come in on other threads. The loops look at ``asked`` once in a round, which is
    all that the buttons cost.
    """

    def __init__(
        self,
        said: Callable[[str, str], None],
        marked: Callable[[int, str], None],
        last_step: Callable[[], int],
        written: Callable[[], object] = lambda: None,
        around: Control | None = None,
    ) -> None:
        self._said = said
        self._marked = marked
        self._last_step = last_step
        self._written = written
        self._loops = Loops()
        self.step_now = self._loops.step
        """Returns the step of what is logged now; None outside of all loops."""
        self._finished: list[Bar] = []
        self._go_on = forks.event()
        self._go_on.set()
        self._lock = forks.rlock()
        self._pauses: Pauses = Pauses(around._pauses if around else None)
        self.stopped_at: int | None = None
        self.elsewhere: Elsewhere | None = None
        """The loops of processes that do the run's work in this one's place."""

    # -- the loops' side

    def enter(self, desc: str, total: int | None, site: object = None) -> Loop:
        """Begin a pass; ``site`` is where in the code it stands."""
        with self._lock:
            loop = self._loops.enter(desc, total, site)
            loop.written = self._written()
            loop.waited = self._pauses.seconds
            loop.asked = not self._go_on.is_set()
            self._finished = [bar for bar in self._finished if bar.key < loop.key]
        return loop

    def go_on(self, loop: Loop) -> bool:
        """Do what was asked; False when the loop is to end."""
        self.hold()
        loop.asked = loop.stopping
        return not loop.stopping

    def hold(self) -> None:
        """Wait while the run is paused; an interrupt ends the wait."""
        if self._go_on.is_set():
            return
        self._pauses.begin()
        try:
            while not self._go_on.wait(TICK):
                pass
        except BaseException:  # an interrupt: the loops after this one are not to wait
            self._go_on.set()
            self._said("running", "")
            raise
        finally:
            self._pauses.end()

    def leave(self, loop: Loop) -> None:
        """End a pass."""
        with self._lock:
            if not loop.over:
                if loop.logged < 0 and self._written() != loop.written:
                    self._loops.given(loop, self._last_step())
                self._finished = [bar for bar in self._finished if bar.key < loop.key]
                self._finished.append(self._bar(loop))
            self._loops.leave(loop)
            ended = loop.stopping and not self._loops.open
            if ended:
                self.stopped_at = self._last_step()
        if ended:
            self._said("stopped", f"at step {self.stopped_at}")

    # -- what is read

    @property
    def reached(self) -> int:
        """The step that the loops have reached; 0 where they gave none."""
        return max(0, self._loops.reached)

    def go_on_after(self, step: int) -> None:
        """Count on after the steps of an earlier stretch of the run."""
        self._loops.go_on_after(step)

    def go_back(self, step: int) -> None:
        """Count on after a step that is not the last one, as if what followed had not been."""
        self._loops.go_back(step)

    @property
    def counting(self) -> tuple[str, int, int]:
        """Which place in the code counts, from which step, and the highest step given."""
        return self._loops.counting

    def count_by(self, loop: Loop, shift: int, reached: int) -> None:
        """Let a loop count, as it did at a checkpoint."""
        self._loops.count_by(loop, shift, reached)

    def bars(self) -> list[Bar]:
        """Return how far the loops have come, the outermost first."""
        if self.elsewhere is not None:
            return self.elsewhere.bars
        with self._lock:
            active = [self._bar(loop) for loop in self._loops.open]
            keys = {bar.key for bar in active}
            return sorted(
                [*active, *(bar for bar in self._finished if bar.key not in keys)],
                key=lambda bar: bar.key,
            )

    @property
    def offers(self) -> set[str]:
        """The actions that would be honoured now; only a loop of :func:`track` can stop."""
        if self.elsewhere is not None:
            return self.elsewhere.offers
        return {"stop", "pause", "mark"} if self._loops.open else {"mark"}

    # -- the buttons' side

    def act(self, action: str, text: str = "") -> None:
        """Do what a button asks for; called off the cell's thread."""
        with self._lock:
            loops = list(self._loops.open)
        if action == "mark":
            self._marked(self._last_step(), text)
        elif self.elsewhere is not None:
            if action == "stop":
                self._said("stopping", "")
                self.elsewhere.stop()
        elif action == "stop" and loops:
            for loop in loops:
                loop.stopping = loop.asked = True
            self._go_on.set()
            self._said("stopping", "")
        elif action == "pause" and loops:
            self._go_on.clear()
            for loop in loops:
                loop.asked = True
            self._said("paused", f"at step {self._last_step()}")
        elif action == "resume":
            self._go_on.set()
            self._said("running", "")

    def _bar(self, loop: Loop) -> Bar:
        elapsed = time.monotonic() - loop.started - (self._pauses.seconds - loop.waited)
        rate = loop.done / elapsed if loop.done and elapsed > 0 else float("nan")
        paused = self._pauses.now and not loop.over
        return Bar(loop.key, loop.desc, loop.done, loop.total, elapsed, rate, paused)


class Pauses:
    """How long the loops have waited; those of several threads wait together.

    Parameters
    ----------
    around : Pauses, optional
        Those of the loops around these, which wait with them.
    """

    def __init__(self, around: Pauses | None = None) -> None:
        self._around = around
        self._lock = forks.rlock()
        self._waiting = 0
        self._since = 0.0
        self._before = 0.0

    def begin(self) -> None:
        """Note that a loop waits from now on."""
        with self._lock:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting += 1
        if self._around is not None:
            self._around.begin()

    def end(self) -> None:
        """Note that it goes on."""
        with self._lock:
            self._waiting -= 1
            if not self._waiting:
                self._before += time.monotonic() - self._since
        if self._around is not None:
            self._around.end()

    @property
    def now(self) -> bool:
        """Whether a loop waits."""
        return self._waiting > 0

    @property
    def seconds(self) -> float:
        """How long they have waited in all."""
        with self._lock:
            return self._before + (time.monotonic() - self._since if self._waiting else 0.0)
