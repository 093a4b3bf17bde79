"""What the workers of the tests do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

from cvtrack_magics import log, mlrun


def count(start: int, stop: int) -> None:
    """Log numbers from one to another."""
    for step in range(start, stop):
        log({"worker": float(step)}, step=step)


def count_when(event: Any, start: int, stop: int) -> None:
    """Log numbers when it is time."""
    event.wait(60)
    count(start, stop)


def count_and_die(start: int, stop: int) -> None:
    """Log numbers, and be killed."""
    count(start, stop)
    os.kill(os.getpid(), signal.SIGKILL)


def through_another(start: int, stop: int) -> None:
    """Let a worker of this worker do half of it."""
    middle = (start + stop) // 2
    worker = multiprocessing.get_context("fork").Process(target=count, args=(start, middle))
    worker.start()
    worker.join()
    count(middle, stop)


def of_rank(rank: int, many: int) -> None:
    """Log the numbers of one of several ranks."""
    count(rank * many, rank * many + many)


def pictures(many: int) -> None:
    """Log what is a number, what is an image and what is neither."""
    import numpy as np

    for step in range(many):
        log({"loss": step, "seen": np.zeros((16, 16, 3), np.uint8), "what": object()}, step=step)


def own_run(start: int, stop: int) -> None:
    """Log into a run of this process, and after it into the one above."""
    with mlrun("own"):
        count(start, stop)
    log({"worker": float(stop)}, step=stop)


def trial(at: int) -> None:
    """Be one trial of a search."""
    with mlrun(f"trial {at}", nested=True, params={"at": at}, output=False):
        for step in range(20):
            log({"acc": float(at + step)}, step=step)


class Logged:
    """A data set of numbers that logs each as it is asked for."""

    def __init__(self, many: int) -> None:
        self._many = many

    def __len__(self) -> int:
        return self._many

    def __getitem__(self, at: int) -> int:
        log({"worker": float(at)}, step=at)
        return at


def pool_and_run() -> None:
    """Start a worker, and then a run of this process's own that it works for."""
    with multiprocessing.get_context("fork").Pool(1) as pool, mlrun("near"):
        pool.apply(count, (0, 10))


def in_two_halves(folder: str, first: int) -> None:
    """Log some numbers, say so, wait until it is told to go on, and log the rest of forty."""
    place = Path(folder)
    count(0, first)
    (place / "half").touch()
    wait_for(place / "go")
    count(first, 40)
    (place / "done").touch()


def wait_for(path: Path) -> None:
    """Wait until a file is there, for a minute at most."""
    for _ in range(6000):
        if path.exists():
            return
        time.sleep(0.01)
