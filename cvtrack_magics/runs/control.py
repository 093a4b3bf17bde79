"""What the buttons under a running cell ask of its loops, and how far these have come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from cvtrack_magics.widgets.progress import Bar

TICK = 0.2  # seconds between two looks at a pause, so that an interrupt is heard


@dataclass(slots=True, eq=False)
class Loop:
    """One pass over a :func:`track`.

    ``done`` rounds of ``total`` are done in this pass, ``before`` in the earlier ones.
    """

    key: str
    desc: str
    total: int | None
    before: int
    started: float
    done: int = 0
    asked: bool = False
    """Whether a button was clicked that this loop has to look at."""
    stopping: bool = False


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
    ) -> None:
        self._said = said
        self._marked = marked
        self._last_step = last_step
        self._loops: list[Loop] = []
        self._rounds: dict[str, int] = {}
        self._finished: list[Bar] = []
        self._go_on = threading.Event()
        self._go_on.set()
        self._lock = threading.RLock()
        self.stopped_at: int | None = None

    # -- the loops' side

    def enter(self, desc: str, total: int | None) -> Loop:
        """Begin a pass."""
        with self._lock:
            key = f"{len(self._loops)}:{desc}"
            loop = Loop(key, desc, total, self._rounds.get(key, 0), time.monotonic())
            loop.asked = not self._go_on.is_set()
            self._finished = [bar for bar in self._finished if bar.key < key]
            self._loops.append(loop)
        return loop

    def go_on(self, loop: Loop) -> bool:
        """Do what was asked; False when the loop is to end."""
        self.hold()
        loop.asked = loop.stopping
        return not loop.stopping

    def hold(self) -> None:
        """Wait while the run is paused; an interrupt ends the wait."""
        while not self._go_on.wait(TICK):
            pass

    def leave(self, loop: Loop) -> None:
        """End a pass."""
        with self._lock:
            self._rounds[loop.key] = loop.before + loop.done
            if loop in self._loops:
                self._finished = [bar for bar in self._finished if bar.key < loop.key]
                self._finished.append(_bar(loop))
                self._loops = self._loops[: self._loops.index(loop)]
            ended = loop.stopping and not self._loops
            if ended:
                self.stopped_at = self._last_step()
        if ended:
            self._said("stopped", f"at step {self.stopped_at}")

    # -- what is read

    def step_now(self) -> int | None:
        """Return the round that the innermost loop is in, counted over all its passes."""
        loops = self._loops
        return loops[-1].before + loops[-1].done if loops else None

    def bars(self) -> list[Bar]:
        """Return how far the loops have come, the outermost first."""
        with self._lock:
            active = [_bar(loop) for loop in self._loops]
            keys = {bar.key for bar in active}
            return sorted(
                [*active, *(bar for bar in self._finished if bar.key not in keys)],
                key=lambda bar: bar.key,
            )

    @property
    def offers(self) -> set[str]:
        """The actions that would be honoured now; only a loop of :func:`track` can stop."""
        return {"stop", "pause", "mark"} if self._loops else {"mark"}

    # -- the buttons' side

    def act(self, action: str, text: str = "") -> None:
        """Do what a button asks for; called off the cell's thread."""
        with self._lock:
            loops = list(self._loops)
        if action == "mark":
            self._marked(self._last_step(), text)
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


def _bar(loop: Loop) -> Bar:
    elapsed = time.monotonic() - loop.started
    rate = loop.done / elapsed if loop.done and elapsed > 0 else float("nan")
    return Bar(loop.key, loop.desc, loop.done, loop.total, elapsed, rate)
