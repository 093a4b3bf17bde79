"""Runs that threads or tasks open side by side in one run are kept apart."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import mlflow
import pytest

from cvtrack_magics import log, mlrun, track
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")

MANY = 4


def trial(at: int, all_there: threading.Barrier) -> None:
    """Be one trial in a thread, while the others are open."""
    with mlrun(f"trial {at}", nested=True, params={"at": at}):
        all_there.wait(60)
        for epoch in track(range(5), "epoch"):
            log({"loss": float(100 * at + epoch)})
        mlflow.log_metric("by mlflow", float(at), step=at)
        log({"first": float(at)}, step=0)
        all_there.wait(60)


def in_threads() -> None:
    there = threading.Barrier(MANY)
    with ThreadPoolExecutor(MANY) as pool:
        for done in [pool.submit(trial, at, there) for at in range(MANY)]:
            done.result()


def in_threads_by_joblib() -> None:
    joblib = pytest.importorskip("joblib", reason="comes with scikit-learn, which is no need")
    there = threading.Barrier(MANY)
    joblib.Parallel(MANY, backend="threading")(
        joblib.delayed(trial)(at, there) for at in range(MANY)
    )


async def _trial(at: int) -> None:
    with mlrun(f"trial {at}", nested=True, params={"at": at}) as run:
        for epoch in range(5 - at % 2):  # they end in another order than they began
            await asyncio.sleep(0.001)
            log({"loss": float(100 * at + epoch)})
        if at % 2:
            log({"loss": float(100 * at + 4)})
        mlflow.log_metric("by mlflow", float(at), step=at)
        active = mlflow.active_run()
        assert active is not None
        assert active.info.run_id == run.run_id
        await asyncio.to_thread(log, {"first": float(at)}, step=0)


def as_tasks() -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(_trial(at) for at in range(MANY)))

    asyncio.run(all_of_them())


def as_a_task_group() -> None:
    async def all_of_them() -> None:
        tasks = [asyncio.create_task(_trial(at)) for at in range(MANY)]
        for task in tasks:
            await task

    asyncio.run(all_of_them())


WAYS = [in_threads, in_threads_by_joblib, as_tasks, as_a_task_group]


@pytest.mark.parametrize("way", WAYS)
def test_each_has_what_it_logged(way: Callable[[], None], store: str) -> None:
    write = sys.stdout.write
    with mlrun("search"):
        log({"mine": 1.0}, step=0)
        way()
        log({"mine": 2.0}, step=1)
        assert mlflow.active_run().info.run_name == "search"
    assert sys.stdout.write == write
    found = runs_of(store)
    search = found.pop("search")
    assert set(found) == {f"trial {at}" for at in range(MANY)}
    assert points(store, search, "mine") == [(0, 1.0), (1, 2.0)]
    for name in ("loss", "by mlflow", "first"):
        assert points(store, search, name) == []
    for at in range(MANY):
        run = found[f"trial {at}"]
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == search.info.run_id
        assert run.data.params["at"] == str(at)
        assert points(store, run, "loss") == [(s, 100.0 * at + s) for s in range(5)]
        assert points(store, run, "by mlflow") == [(at, float(at))]
        assert points(store, run, "first") == [(0, float(at))]


def test_the_one_around_them_logs_while_they_are_open(store: str) -> None:
    began, go_on = threading.Event(), threading.Event()

    def one() -> None:
        with mlrun("trial", nested=True):
            log({"loss": 0.0}, step=0)
            began.set()
            go_on.wait(60)
            log({"loss": 1.0}, step=1)

    with mlrun("search"):
        thread = threading.Thread(target=one)
        thread.start()
        began.wait(60)
        log({"seen": 1.0}, step=0)
        mlflow.log_param("of", "search")
        helper = threading.Thread(target=log, args=({"helped": 1.0},))
        helper.start()
        helper.join()
        go_on.set()
        thread.join()
    found = runs_of(store)
    assert points(store, found["search"], "seen") == [(0, 1.0)]
    assert points(store, found["search"], "helped") == [(0, 1.0)]
    assert found["search"].data.params["of"] == "search"
    assert points(store, found["trial"], "loss") == [(0, 0.0), (1, 1.0)]
    assert set(found["trial"].data.metrics).isdisjoint({"seen", "helped"})


def test_a_run_that_mlflow_starts_is_the_child_of_its_own_task(store: str) -> None:
    async def one(at: int) -> None:
        with mlrun(f"trial {at}", nested=True):
            await asyncio.sleep(0.01)  # now all are open
            with mlflow.start_run(run_name=f"fold {at}", nested=True):
                mlflow.log_metric("loss", float(at))
            await asyncio.sleep(0.01)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(at) for at in range(MANY)))

    with mlrun("search"):
        asyncio.run(all_of_them())
    found = runs_of(store)
    for at in range(MANY):
        fold = found[f"fold {at}"]
        assert fold.data.tags["mlflow.parentRunId"] == found[f"trial {at}"].info.run_id
        assert points(store, fold, "loss") == [(0, float(at))]


def test_one_that_fails_ends_none_of_the_others(store: str) -> None:
    failed = threading.Event()

    def bad() -> None:
        with mlrun("bad", nested=True):
            raise ValueError

    def good() -> None:
        with mlrun("good", nested=True):
            failed.wait(60)
            log({"loss": 1.0})

    with mlrun("search"), ThreadPoolExecutor(2) as pool:
        running = pool.submit(good)
        assert pool.submit(bad).exception() is not None
        failed.set()
        running.result()
    status = {name: run.info.status for name, run in runs_of(store).items()}
    assert status == {"search": "FINISHED", "bad": "FAILED", "good": "FINISHED"}


def test_one_is_ended_with_the_run_around_it(store: str) -> None:
    began, go_on = threading.Event(), threading.Event()

    def late() -> None:
        with mlrun("late", nested=True):
            began.set()
            go_on.wait(60)

    thread = threading.Thread(target=late)
    with mlrun("search"):
        thread.start()
        began.wait(60)
    go_on.set()
    thread.join()
    status = {name: run.info.status for name, run in runs_of(store).items()}
    assert status == {"search": "FINISHED", "late": "FINISHED"}
    with mlrun("next"):
        log({"loss": 1.0})
    assert points(store, runs_of(store)["next"], "loss") == [(0, 1.0)]
