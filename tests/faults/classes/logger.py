"""A script whose ``log()`` is called inside itself, and interrupted; run by the class signals.

Each call has a number of its own, taken before it, and is acknowledged when it returned.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import random
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any

OURS = f"{os.sep}cvtrack_magics{os.sep}"
RAISED: dict[str, type[BaseException]] = {
    "time-out": TimeoutError,
    "Ctrl-C": KeyboardInterrupt,
    "exception": ValueError,
    "no exception": BaseException,
}


@dataclass(frozen=True)
class Plan:
    """What calls ``log()`` inside ``log()``, and what is raised in it."""

    seed: int
    calls: int
    inside: tuple[str, ...]
    raised: str = ""
    names: int = 1
    threads: int = 0
    every: float = 0.001
    end: str = "normal"

    def __str__(self) -> str:
        raised = f", {self.raised} raised in it" if self.raised else ""
        return (
            f"signals {self.seed}: {self.calls} calls of {self.names} sets, inside them "
            f"{'+'.join(self.inside) or 'nothing'}{raised}, {self.threads} threads beside, "
            f"every {self.every * 1000:.2f} ms, end {self.end}"
        )

    def value(self, who: str, number: int) -> float:
        """Return the value of a call."""
        return float((number * 37 + len(who) * 101 + self.seed) % 10_007) / 8

    def metrics(self, who: str, number: int) -> dict[str, float]:
        """Return what a call logs; some of the loop's have another name more."""
        found = {f"p/{who}": self.value(who, number)}
        other = number % self.names
        return {**found, f"p/{who}{other}": float(other)} if other else found


@dataclass
class Logger:
    """Logs, and says so."""

    plan: Plan
    folder: Path
    counts: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    deep: int = 0
    inside: bool = False

    def __post_init__(self) -> None:
        self.acks = os.open(
            self.folder / "signals.acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
        )
        self.pick = random.Random(f"logger {self.plan.seed}")

    def log(self, who: str) -> None:
        """Make one call."""
        from cvtrack_magics import log

        number = next(self.counts.setdefault(who, itertools.count()))
        self.say(f"begins {who} {number}")
        metrics: dict[str, Any] = dict(self.plan.metrics(who, number))
        if number % 2:  # takes the longer way
            metrics = {key: Decimal(value) for key, value in metrics.items()}
        log(metrics, step=number)
        self.say(f"returned {who} {number}")

    def say(self, line: str) -> None:
        """Write a line that stands whatever comes next."""
        os.write(self.acks, f"{line}\n".encode())

    def nested(self, who: str, frame: FrameType | None) -> None:
        """Make a call from where the interpreter happens to be."""
        if self.deep > 3:
            return
        self.deep += 1
        try:
            if _within(frame):
                self.say(f"struck {who}")
            self.log(who)
        finally:
            self.deep -= 1

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Be the handler of a signal."""
        if "handler" in self.plan.inside:
            self.nested("handler", frame)
        raises = self.plan.raised and self.inside and not _in_callback(frame)
        if raises and self.pick.random() < 0.5:
            self.inside = False
            if _within(frame):
                self.say("struck raised")
            raise RAISED[self.plan.raised]

    def collected(self, phase: str, info: dict[str, int]) -> None:
        """Be a callback of the collector."""
        del info
        if phase == "start":
            self.nested("collector", sys._getframe(1))

    def loop(self) -> None:
        """Log as a training does, and catch what arrives."""
        for _ in range(self.plan.calls):
            try:
                self.inside = True
                self.log("loop")
                self.inside = False
            except BaseException as error:
                if type(error) is not RAISED.get(self.plan.raised):
                    raise
                self.late += 1
            if "finaliser" in self.plan.inside:
                Logs(self)
            if "weak reference" in self.plan.inside:
                Watched(self)

    def beside(self, number: int) -> None:
        """Log in a thread of its own."""
        for _ in range(self.plan.calls // 4):
            self.log(f"thread{number}")
            time.sleep(0)


class Logs:
    """Logs when the collector ends it."""

    def __init__(self, logger: Logger) -> None:
        self.logger = logger
        self.me = self

    def __del__(self) -> None:
        self.logger.nested("finaliser", sys._getframe(1))


class Watched:
    """Something whose end is watched."""

    def __init__(self, logger: Logger) -> None:
        self.me = self
        ended: Callable[..., Any] = logger.nested
        weakref.finalize(self, lambda: ended("weak", sys._getframe(2))).atexit = False


def _within(frame: FrameType | None) -> bool:
    """Whether a place lies inside a call of ours."""
    while frame is not None:
        if OURS in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def _in_callback(frame: FrameType | None) -> bool:
    """Whether what is raised here reaches nobody but the interpreter, which prints it."""
    while frame is not None:
        name, file = frame.f_code.co_name, frame.f_code.co_filename
        if name in ("nested", "collected", "__del__") or file.endswith("weakref.py"):
            return True
        frame = frame.f_back
    return False


def main(plan: Plan, folder: Path) -> None:
    """Open a run and log in it."""
    from cvtrack_magics import mlrun

    logger = Logger(plan, folder)
    with mlrun("signals", output=False):
        logger.say("open")
        logger.log("loop")  # the first makes a file, and its names
        for kind in (signal.SIGALRM, signal.SIGPROF):
            signal.signal(kind, logger.handle)
        threads = [threading.Thread(target=logger.beside, args=(n,)) for n in range(plan.threads)]
        for thread in threads:
            thread.start()
        if "collector" in plan.inside:
            gc.callbacks.append(logger.collected)
        if {"collector", "finaliser", "weak reference"} & set(plan.inside):
            gc.set_threshold(40, 3, 3)
        timed = bool(plan.raised) or "handler" in plan.inside
        for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF) if timed else ():
            signal.setitimer(timer, plan.every, plan.every)
        try:
            logger.loop()
        finally:
            for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF):
                signal.setitimer(timer, 0)
            if logger.collected in gc.callbacks:
                gc.callbacks.remove(logger.collected)
            gc.set_threshold(700, 10, 10)
            for thread in threads:
                thread.join()
        gc.collect()
        logger.say(f"late {logger.late}")
        if plan.end == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
    logger.say("closed")


if __name__ == "__main__":
    values = json.loads(sys.argv[1])
    main(Plan(**{**values, "inside": tuple(values["inside"])}), Path(sys.argv[2]))
