"""Runs that threads or tasks open side by side, nested in none, are true runs each."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlflow
import pytest

from cvtrack_magics import log, mlrun, track
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run import current
from tests.store_views import points, runs_of

MANY = 3
Body = Callable[[int, threading.Barrier, ThreadPoolExecutor], None]


@pytest.fixture(autouse=True)
def as_it_was(script: None, store: str) -> Iterator[None]:
    """All that is taken while runs stand beside each other is given back by their ends."""
    import mlflow.tracking.fluent as fluent

    before = (
        threading.Thread.start,
        ThreadPoolExecutor.submit,
        sys.stdout.write,
        mlflow.log_metric,
    )
    finders = [*sys.meta_path]
    yield
    now = (threading.Thread.start, ThreadPoolExecutor.submit, sys.stdout.write, mlflow.log_metric)
    assert now == before
    assert sys.meta_path == finders
    assert fluent._active_experiment_id is None
    assert "MLFLOW_EXPERIMENT_NAME" not in os.environ


def training(at: int, there: threading.Barrier, shared: ThreadPoolExecutor) -> None:
    """Be one training in a thread, while the others are open, with helpers of its own."""
    with mlrun(f"fit {at}", params={"at": at}, output=False, code=False):
        there.wait(60)
        for epoch in track(range(4), "epoch"):
            log({"loss": float(100 * at + epoch)})
        mlflow.log_metric("by mlflow", float(at), step=at)
        mlflow.log_param("said", at)
        for target in (log, mlflow.log_metrics):
            name = f"helped by {target.__name__}"
            helper = threading.Thread(target=target, args=({name: float(at)}, 0))
            helper.start()
            helper.join()
        with ThreadPoolExecutor(1) as own:
            own.submit(log, {"pooled": float(at)}, 0).result()
        shared.submit(log, {"shared": float(at)}, 0).result()
        with mlrun(f"part {at}", nested=True, output=False, code=False):
            log({"inner": float(at)}, 0)
        there.wait(60)
        if at == 1:
            raise ValueError("bad")


def in_threads() -> None:
    there = threading.Barrier(MANY)
    with ThreadPoolExecutor(1) as shared, ThreadPoolExecutor(MANY) as pool:
        done = [pool.submit(training, at, there, shared) for at in range(MANY)]
        errors = [one.exception() for one in done]
    assert [isinstance(error, ValueError) for error in errors] == [at == 1 for at in range(MANY)]


def in_plain_threads() -> None:
    there = threading.Barrier(MANY)
    raised: list[BaseException] = []

    def caught(*of: Any) -> None:
        try:
            training(*of)
        except ValueError as error:
            raised.append(error)

    with ThreadPoolExecutor(1) as shared:
        threads = [threading.Thread(target=caught, args=(n, there, shared)) for n in range(MANY)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert len(raised) == 1


@pytest.mark.parametrize("way", [in_threads, in_plain_threads])
def test_each_thread_has_its_own(way: Callable[[], None], store: str) -> None:
    way()
    found = runs_of(store)
    assert set(found) == {f"{kind} {at}" for kind in ("fit", "part") for at in range(MANY)}
    for at in range(MANY):
        run, part = found[f"fit {at}"], found[f"part {at}"]
        assert run.info.status == ("FAILED" if at == 1 else "FINISHED")
        assert "mlflow.parentRunId" not in run.data.tags
        assert part.data.tags["mlflow.parentRunId"] == run.info.run_id
        assert (run.data.params["at"], run.data.params["said"]) == (str(at), str(at))
        assert points(store, run, "loss") == [(s, 100.0 * at + s) for s in range(4)]
        assert points(store, run, "by mlflow") == [(at, float(at))]
        for name in ("helped by log", "helped by log_metrics", "pooled", "shared"):
            assert points(store, run, name) == [(0, float(at))], name
        assert points(store, part, "inner") == [(0, float(at))]


def test_each_task_has_its_own(store: str) -> None:
    async def fit(at: int) -> None:
        with mlrun(f"fit {at}", output=False, code=False) as run:
            for epoch in range(3 + at):  # they end in another order than they began
                await asyncio.sleep(0.001)
                log({"loss": float(100 * at + epoch)})
            mlflow.log_metric("by mlflow", float(at), step=at)
            active = mlflow.active_run()
            assert active is not None
            assert active.info.run_id == run.run_id
            await asyncio.to_thread(log, {"in a thread": float(at)}, step=0)
            with mlflow.start_run(run_name=f"fold {at}", nested=True):
                mlflow.log_metric("loss", float(at))
            if at == 1:
                raise ValueError("bad")

    async def all_of_them() -> list[BaseException | None]:
        return await asyncio.gather(*map(fit, range(MANY)), return_exceptions=True)

    errors = asyncio.run(all_of_them())
    assert [isinstance(error, ValueError) for error in errors] == [at == 1 for at in range(MANY)]
    found = runs_of(store)
    for at in range(MANY):
        run, fold = found[f"fit {at}"], found[f"fold {at}"]
        assert run.info.status == ("FAILED" if at == 1 else "FINISHED")
        assert points(store, run, "loss") == [(s, 100.0 * at + s) for s in range(3 + at)]
        assert points(store, run, "by mlflow") == [(at, float(at))]
        assert points(store, run, "in a thread") == [(0, float(at))]
        assert fold.data.tags["mlflow.parentRunId"] == run.info.run_id


def test_one_of_the_script_stands_beside_one_of_a_thread(store: str) -> None:
    began, go_on = threading.Event(), threading.Event()

    def background() -> None:
        with mlrun("background", output=False, code=False):
            log({"loss": 1.0}, 0)
            began.set()
            go_on.wait(60)
            log({"loss": 2.0}, 1)

    thread = threading.Thread(target=background)
    thread.start()
    began.wait(60)
    mlflow.set_experiment("chosen")
    with mlrun("of the script", output=False, code=False):
        log({"loss": 10.0}, 0)
        go_on.set()
        thread.join()
        log({"loss": 11.0}, 1)
    assert mlflow.tracking.fluent._active_experiment_id is not None  # the user's choice stays
    found = {run.info.run_name: run for run in _all_runs(store)}
    assert points(store, found["background"], "loss") == [(0, 1.0), (1, 2.0)]
    assert points(store, found["of the script"], "loss") == [(0, 10.0), (1, 11.0)]
    chosen = mlflow.get_experiment_by_name("chosen")
    assert chosen is not None
    assert found["of the script"].info.experiment_id == chosen.experiment_id
    assert found["background"].info.experiment_id != chosen.experiment_id
    mlflow.tracking.fluent._active_experiment_id = None
    for name in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(name, None)


def _all_runs(store: str) -> list[Any]:
    client = mlflow.MlflowClient(store)
    return [*client.search_runs([one.experiment_id for one in client.search_experiments()])]


def test_what_is_in_no_run_is_said(capsys: pytest.CaptureFixture[str], store: str) -> None:
    there = threading.Barrier(3)

    def fit(at: int) -> None:
        with mlrun(f"fit {at}", output=False, code=False):
            there.wait(60)
            there.wait(60)

    threads = [threading.Thread(target=fit, args=(at,)) for at in range(2)]
    for one in threads:
        one.start()
    there.wait(60)
    log({"whose": 1.0})  # of the script, which is in neither
    there.wait(60)
    for one in threads:
        one.join()
    assert all("whose" not in run.data.metrics for run in runs_of(store).values())
    said = capsys.readouterr()
    assert "log()" in said.out + said.err


def test_what_outlives_one_of_them_arrives_in_it(store: str) -> None:
    first_over, done = threading.Event(), threading.Event()
    there = threading.Barrier(2)

    def late() -> None:
        first_over.wait(60)
        log({"late": 5.0}, 3)
        done.set()

    def first() -> None:
        with mlrun("first", output=False, code=False):
            there.wait(60)
            threading.Thread(target=late).start()
        first_over.set()

    def second() -> None:
        with mlrun("second", output=False, code=False):
            there.wait(60)
            done.wait(60)
            log({"loss": 1.0}, 0)

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(first), pool.submit(second)]:
            one.result()
    current.get_session().stop()
    found = runs_of(store)
    assert points(store, found["first"], "late") == [(3, 5.0)]
    assert points(store, found["second"], "loss") == [(0, 1.0)]
    assert "late" not in found["second"].data.metrics


def test_in_a_run_of_the_script_a_thread_is_told_what_to_write(store: str) -> None:
    with mlrun("search", output=False, code=False), ThreadPoolExecutor(1) as pool:
        error = pool.submit(mlrun, "trial").exception()
    assert isinstance(error, UsageProblem)
    assert "mlrun('trial', nested=True)" in str(error)
