"""Calls of log() inside calls of log(), and exceptions that arrive in the middle of one."""

from __future__ import annotations

import gc
import itertools
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from cvtrack_magics.journal.points import Cursor, StoredStream
from cvtrack_magics.journal.stored import stream_files
from cvtrack_magics.metrics.channel import Channel

STEPS = 6_000


class Late(Exception):
    """What a time-out decorator raises."""


def log(channel: Channel, metrics: dict[str, Any], step: int) -> None:
    """Do as the public log() does."""
    if channel.owner == threading.get_ident() and channel.main.write(metrics, step):
        return
    channel.log(metrics, step, 1)


def stored(folder: Path) -> dict[str, list[int]]:
    """Return the steps of each metric as another process reads them."""
    found: dict[str, list[int]] = {}
    for files in stream_files(folder).values():
        stream = StoredStream(files)
        for rows in Cursor(stream).read():
            for name in rows.names:
                found.setdefault(name, []).extend(rows.steps.tolist())
        assert not stream.damage
    return {name: sorted(steps) for name, steps in found.items()}


@contextmanager
def every(seconds: float, handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


METRICS: dict[str, Callable[[int], dict[str, Any]]] = {
    "one set of floats": lambda i: {"x": float(i)},
    "many sets": lambda i: {"x": float(i), f"y{i % 50}": 1.0},
    "integers": lambda i: {"x": i},
    "two sets in turn": lambda i: {"x": float(i)} if i % 2 else {"x": float(i), "y": 1.0},
}


@pytest.mark.parametrize("name", METRICS)
def test_a_handler_that_logs_costs_nobody_a_point(tmp_path: Path, name: str) -> None:
    channel = Channel(tmp_path)
    counter = itertools.count()

    def handler(number: int, frame: FrameType | None) -> None:
        call = next(counter)  # before anything else: a handler may be interrupted by itself
        log(channel, {"h": float(call)}, call)

    with every(0.0005, handler):
        for i in range(STEPS):
            log(channel, METRICS[name](i), i)
    found, calls = stored(tmp_path), next(counter)
    assert calls > 10
    assert found["x"] == list(range(STEPS))
    assert found["h"] == list(range(calls))


@pytest.mark.parametrize("name", METRICS)
def test_an_exception_inside_log_costs_no_call_that_returned(tmp_path: Path, name: str) -> None:
    channel = Channel(tmp_path)
    returned = set()

    def handler(number: int, frame: FrameType | None) -> None:
        raise Late

    log(channel, METRICS[name](-1), -1)  # the first call makes a file, and takes its time
    pick, late = random.Random(name), 0
    old = signal.signal(signal.SIGALRM, handler)
    try:
        for i in range(STEPS):
            try:
                signal.setitimer(signal.ITIMER_REAL, pick.choice([5e-5, 2e-4, 1e-3]))
                log(channel, METRICS[name](i), i)
                signal.setitimer(signal.ITIMER_REAL, 0)
                returned.add(i)
            except Late:
                late += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    found = stored(tmp_path)["x"]
    assert late > 10
    assert returned <= set(found)
    assert len(found) == len(set(found))
    channel.drain()
    assert sorted(channel.history.series["x"].steps) == found


def test_a_finaliser_that_logs_costs_nobody_a_point(tmp_path: Path) -> None:
    channel = Channel(tmp_path)

    class Logs:
        def __init__(self, i: int) -> None:
            self.i = i
            self.me = self  # only the collector ends it, at any moment

        def __del__(self) -> None:
            log(channel, {"d": float(self.i)}, self.i)

    for i in range(3_000):
        Logs(i)
        log(channel, {"x": float(i)}, i)
    gc.collect()
    found = stored(tmp_path)
    assert found["x"] == found["d"] == list(range(3_000))


def test_threads_beside_each_other_lose_nothing(tmp_path: Path) -> None:
    channel = Channel(tmp_path)

    def work(number: int) -> None:
        for i in range(1_000):
            log(channel, {f"t{number}": float(i)}, i)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(tmp_path) == {f"t{n}": list(range(1_000)) for n in range(16)}
