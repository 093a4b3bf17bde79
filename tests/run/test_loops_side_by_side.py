"""Loops of one run in several threads or tasks: each counts for itself, none for another."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cvtrack_magics import log, mlrun, track
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")

MANY, ROUNDS = 3, 7
Wanted = dict[str, list[tuple[int, float]]]


def counted(at: int, first: int = 0) -> list[tuple[int, float]]:
    return [(first + n, float(100 * at + n)) for n in range(ROUNDS)]


class _Turns:
    """Lets threads go on in a fixed order, each by one round at a time."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(MANY)

    def wait(self) -> None:
        self.barrier.wait(60)


def _fold(at: int, turns: _Turns, desc: str) -> None:
    for n in track(range(ROUNDS), desc):
        turns.wait()
        log({f"loss {at}": float(100 * at + n)})
        turns.wait()


def _folds(desc: str = "batch") -> None:
    turns = _Turns()
    with ThreadPoolExecutor(MANY) as pool:
        for done in [pool.submit(_fold, at, turns, desc) for at in range(MANY)]:
            done.result()


def one_name() -> Wanted:
    _folds()
    log({"after": 1.0})
    return {f"loss {at}": counted(at) for at in range(MANY)} | {"after": [(ROUNDS - 1, 1.0)]}


def twice_in_a_row() -> Wanted:
    _folds()
    _folds()
    first = {f"loss {at}": counted(at) for at in range(MANY)}
    return {name: p + [(s + ROUNDS, v) for s, v in p] for name, p in first.items()}


def in_each_epoch() -> Wanted:
    for epoch in track(range(2), "epoch"):
        _folds()
        log({"val": float(epoch)})
    first = {f"loss {at}": counted(at) for at in range(MANY)}
    twice = {name: p + [(s + ROUNDS, v) for s, v in p] for name, p in first.items()}
    return twice | {"val": [(ROUNDS - 1, 0.0), (2 * ROUNDS - 1, 1.0)]}


def after_a_warm_up() -> Wanted:
    for n in track(range(4), "warm up"):
        log({"warm": float(n)})
    _folds()
    for n in track(range(2), "test"):
        log({"test": float(n)})
    found: Wanted = {f"loss {at}": counted(at, 4) for at in range(MANY)}
    found["warm"] = [(n, float(n)) for n in range(4)]
    return found | {"test": [(4 + ROUNDS + n, float(n)) for n in range(2)]}


def of_several_lengths() -> Wanted:
    there = threading.Barrier(MANY)

    def work(at: int) -> None:
        there.wait(60)
        for n in track(range(3 * at + 1), f"part {at}"):
            log({f"loss {at}": float(n)})
        there.wait(60)

    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(work, range(MANY)))
    return {f"loss {at}": [(n, float(n)) for n in range(3 * at + 1)] for at in range(MANY)}


def nested_in_threads() -> Wanted:
    turns = _Turns()

    def work(at: int) -> None:
        for _ in track(range(2), "epoch"):
            _fold(at, turns, "batch")
            log({f"val {at}": float(at)})
            turns.wait()

    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(work, range(MANY)))
    found: Wanted = {}
    for at in range(MANY):
        p = counted(at)
        found[f"loss {at}"] = p + [(s + ROUNDS, v) for s, v in p]
        found[f"val {at}"] = [(ROUNDS - 1, float(at)), (2 * ROUNDS - 1, float(at))]
    return found


async def _task(at: int) -> None:
    for n in track(range(ROUNDS), "batch"):
        await asyncio.sleep(0)
        log({f"loss {at}": float(100 * at + n)})
        await asyncio.sleep(0)


def as_tasks() -> Wanted:
    async def all_of_them() -> None:
        for epoch in track(range(2), "epoch"):
            await asyncio.gather(*(_task(at) for at in range(MANY)))
            log({"val": float(epoch)})

    asyncio.run(all_of_them())
    first = {f"loss {at}": counted(at) for at in range(MANY)}
    twice = {name: p + [(s + ROUNDS, v) for s, v in p] for name, p in first.items()}
    return twice | {"val": [(ROUNDS - 1, 0.0), (2 * ROUNDS - 1, 1.0)]}


def _prefetched(items: Any) -> Iterator[Any]:
    """Move a loop on in another thread, one round ahead at most, as loaders do."""
    ahead: queue.Queue[Any] = queue.Queue(1)
    taken = threading.Semaphore(0)

    def fill() -> None:
        for item in items:
            ahead.put((item,))
            taken.acquire()
        ahead.put(None)

    threading.Thread(target=fill, daemon=True).start()
    while (found := ahead.get()) is not None:
        yield found[0]
        taken.release()


def moved_on_by_a_prefetcher() -> Wanted:
    for epoch in track(range(2), "epoch"):
        for n in _prefetched(track(range(5), "batch")):
            log({"loss": float(n)})
        log({"val": float(epoch)})
    loss = [(5 * epoch + n, float(n)) for epoch in range(2) for n in range(5)]
    return {"loss": loss, "val": [(4, 0.0), (9, 1.0)]}


def logged_by_a_helper() -> Wanted:
    with ThreadPoolExecutor(1) as pool:
        for n in track(range(5), "batch"):
            pool.submit(log, {"loss": float(n)}).result()
    return {"loss": [(n, float(n)) for n in range(5)]}


def by_mlflow_and_with_steps() -> Wanted:
    turns = _Turns()

    def work(at: int) -> None:
        for n in track(range(ROUNDS), "batch"):
            turns.wait()
            log({f"given {at}": float(n)}, step=10 * n)
            turns.wait()

    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(work, range(MANY)))
    return {f"given {at}": [(10 * n, float(n)) for n in range(ROUNDS)] for at in range(MANY)}


WAYS = [
    one_name,
    twice_in_a_row,
    in_each_epoch,
    after_a_warm_up,
    of_several_lengths,
    nested_in_threads,
    as_tasks,
    moved_on_by_a_prefetcher,
    logged_by_a_helper,
    by_mlflow_and_with_steps,
]


@pytest.mark.parametrize("way", WAYS)
def test_each_counts_for_itself(way: Callable[[], Wanted], store: str) -> None:
    with mlrun("together"):
        wanted = way()
    run = runs_of(store)["together"]
    found = {name: [(step, value) for step, value in points(store, run, name)] for name in wanted}
    assert found == wanted


def test_bars_of_loops_with_one_name_are_told_apart(store: str) -> None:
    seen: list[set[str]] = []
    with mlrun("together") as run:
        there, gone = threading.Barrier(MANY + 1), threading.Barrier(MANY + 1)

        def work(at: int) -> None:
            for n in track(range(2), "batch"):
                log({f"loss {at}": float(n)})
                if not n:
                    there.wait(60)
                    gone.wait(60)

        with ThreadPoolExecutor(MANY) as pool:
            for at in range(MANY):
                pool.submit(work, at)
            there.wait(60)
            seen.append({bar.key for bar in run._scope.control.bars()})
            gone.wait(60)
    assert [len(keys) for keys in seen] == [MANY]
