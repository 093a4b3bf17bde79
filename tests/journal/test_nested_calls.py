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

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.journal import through
from cvtrack_magics.journal.points import Cursor, StoredStream
from cvtrack_magics.journal.record_log import FactLog
from cvtrack_magics.journal.stored import stream_files
from cvtrack_magics.records import Param
from tests.interruptions import Ending, calls_at, raises_at

STEPS = 6_000
LATE = 20


@pytest.fixture(autouse=True, params=["mapped", "written"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(through, "copies_on_write", lambda _: request.param == "written")


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
    counter, made = itertools.count(), [0]

    def handler(number: int, frame: FrameType | None) -> None:
        call = next(counter)  # before anything else: a handler may be interrupted by itself
        log(channel, {"h": float(call)}, call)
        made[0] += 1

    with every(0.0005, handler):
        for i in itertools.count():
            if i >= STEPS and made[0] >= LATE:
                break
            log(channel, METRICS[name](i), i)
    found = stored(tmp_path)
    assert found["x"] == list(range(i))
    assert found["h"] == list(range(next(counter)))


@pytest.mark.parametrize("name", METRICS)
def test_an_exception_inside_log_costs_no_call_that_returned(tmp_path: Path, name: str) -> None:
    channel = Channel(tmp_path)
    log(channel, METRICS[name](0), 0)  # makes a file, which takes its time
    returned, late, inside, pick = {0}, 0, False, random.Random(name)

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal inside
        signal.setitimer(signal.ITIMER_REAL, pick.uniform(1e-4, 5e-3))
        if inside:
            inside = False
            raise Late

    with every(0.001, handler):
        for i in itertools.count(1):
            if i >= STEPS and late >= LATE:
                break
            try:
                inside = True
                log(channel, METRICS[name](i), i)
                inside = False
                returned.add(i)
            except Late:
                late += 1
    log(channel, METRICS[name](i), i)  # writes along what an exception left in memory
    found = stored(tmp_path)["x"]
    assert returned <= set(found)
    assert len(found) == len(set(found))
    channel.drain()
    whole = channel.whole("x")
    assert whole is not None
    assert sorted(whole.steps) == found
    assert channel.history.series["x"].count == len(found)


@pytest.mark.parametrize("name", METRICS)
def test_an_exception_after_any_call_costs_no_call_that_returned(tmp_path: Path, name: str) -> None:
    channel = Channel(tmp_path)
    log(channel, METRICS[name](0), 0)
    log(channel, METRICS[name](1), 1)
    returned, step = {0, 1}, 1

    def call() -> None:
        log(channel, METRICS[name](step), step)

    for first in (2, 3):  # a call of either set
        for place in itertools.count():
            step += 1 + (step - first) % 2
            if raises_at(place, call, Late) is Ending.BEYOND:
                returned.add(step)
                break
            step += 1
            call()
            returned.add(step)
        assert place > 3
    found = stored(tmp_path)["x"]
    assert returned <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("waiting", [0, 1, 2])
def test_a_call_inside_a_call_at_any_place_costs_no_point(
    tmp_path: Path, name: str, waiting: int
) -> None:
    channel = Channel(tmp_path)
    log(channel, METRICS[name](0), 0)
    step, calls, queued = 0, 0, 0

    def handler() -> None:
        nonlocal calls
        log(channel, {"h": float(calls)}, calls)
        calls += 1

    def call() -> None:
        nonlocal step, queued
        step += 1
        channel.main.busy = waiting > 0
        for _ in range(waiting):  # rows of handlers that came while a row was written
            channel.main.nested.append((("q",), [1.0], queued, 1))
            queued += 1
        channel.main.busy = False
        log(channel, METRICS[name](step), step)

    for place in itertools.count():
        if not calls_at(place, call, handler):
            break
    assert place > 5
    found = stored(tmp_path)
    assert found["x"] == list(range(step + 1))
    assert found["h"] == list(range(calls))
    assert found.get("q", []) == list(range(queued))


def raised(error: OSError) -> None:
    raise AssertionError(f"told of a full disk: {error!r}")


def test_a_handlers_time_out_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    endings = []

    def call() -> None:
        log(channel, {"x": 1.0}, 1)

    for place in itertools.count():
        folder = tmp_path / str(place)
        folder.mkdir()
        channel = Channel(folder, raised)
        log(channel, {"x": 0.0}, 0)
        channel.clock_moved()  # the next row begins a segment
        endings.append(raises_at(place, call, TimeoutError))
        assert all(segment.path is not None for segment in channel.main.segments.values())
        if endings[-1] is Ending.BEYOND:
            break
    assert endings.count(Ending.RAISED) == len(endings) - 1 > 20


def test_a_time_out_among_the_facts_is_the_callers(tmp_path: Path) -> None:
    facts, endings = FactLog(tmp_path, raised), []

    def call() -> None:
        facts.add([Param("a", "b")])

    for place in itertools.count():
        endings.append(raises_at(place, call, TimeoutError))
        if endings[-1] is Ending.BEYOND:
            break
    assert endings.count(Ending.RAISED) == len(endings) - 1 > 20


def test_a_mark_that_an_exception_left_behind_holds_no_row_up(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    for i in range(10):
        channel.main.busy = True
        log(channel, {"x": float(i)}, i)
        channel.main.busy = True
        log(channel, {"x": i}, 10 + i)
    assert stored(tmp_path)["x"] == list(range(20))


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


class OnDevice:
    """A value as on a GPU: it is read later, and reading it takes calls."""

    is_cuda = True

    def __init__(self, value: float, *, broken: bool = False) -> None:
        self.value, self.broken = value, broken

    def numel(self) -> int:
        return 1

    def detach(self) -> OnDevice:
        return self

    def clone(self) -> OnDevice:
        return self

    def __float__(self) -> float:
        if self.broken:
            raise RuntimeError("CUDA error")
        return self.value


def test_a_handler_that_logs_while_values_are_read_costs_no_point(tmp_path: Path) -> None:
    logged, calls = 0, 0

    def handler() -> None:
        nonlocal calls
        log(channel, {"h": OnDevice(float(calls))}, calls)
        channel.settle()
        calls += 1

    channel = Channel(tmp_path)
    for place in itertools.count():
        for _ in range(3):
            log(channel, {"x": OnDevice(float(logged))}, logged)
            logged += 1
        if not calls_at(place, channel.settle, handler):
            break
    assert place > 20
    found = stored(tmp_path)
    assert found["x"] == list(range(logged))
    assert found["h"] == list(range(calls))
    assert channel.lost == 0


def test_a_time_out_while_values_are_read_is_the_callers(tmp_path: Path) -> None:
    channel, endings, logged = Channel(tmp_path), [], 0
    log(channel, {"x": 0.0}, 0)
    for place in itertools.count():
        for _ in range(2):
            logged += 1
            log(channel, {"x": OnDevice(float(logged))}, logged)
        endings.append(raises_at(place, channel.settle, Late))
        channel.settle()
        if endings[-1] is Ending.BEYOND:
            break
    assert endings.count(Ending.RAISED) == len(endings) - 1 > 20
    assert set(stored(tmp_path)["x"]) == set(range(logged + 1))
    assert channel.lost == 0


def test_a_value_that_a_device_lost_is_counted(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    log(channel, {"x": OnDevice(1.0)}, 1)
    log(channel, {"x": OnDevice(2.0, broken=True)}, 2)
    log(channel, {"x": OnDevice(3.0)}, 3)
    channel.settle()
    assert stored(tmp_path)["x"] == [1, 3]
    assert channel.lost == 1
