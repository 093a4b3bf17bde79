"""What is logged to a run after its end arrives, whichever way and in every order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from cvtrack_magics import mlrun
from cvtrack_magics.run import current
from tests.store_views import runs_of

pytestmark = pytest.mark.usefixtures("script")

Late = Callable[[str], None]


def _again(run_id: str) -> None:
    with mlflow.start_run(run_id=run_id, nested=True):
        mlflow.log_metric("late", 1.0)


def _again_and_failed(run_id: str) -> None:
    def fail() -> None:
        with mlflow.start_run(run_id=run_id, nested=True):
            mlflow.log_metric("late", 1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def _in_a_thread(run_id: str) -> None:
    thread = threading.Thread(target=lambda: MlflowClient().log_metric(run_id, "late", 1.0))
    thread.start()
    thread.join()


def _twice(run_id: str) -> None:
    _again(run_id)
    MlflowClient().log_metric(run_id, "late", 1.0, step=1)


def _by_batch(run_id: str) -> None:
    MlflowClient().log_batch(
        run_id, [Metric("late", 1.0, 1, 0)], [Param("p", "1")], [RunTag("t", "x")]
    )


def _settled(run_id: str) -> None:
    session = current.get_session()
    until = time.monotonic() + 30
    while time.monotonic() < until and any(d.run_id == run_id for d in session.sender.deliveries):
        time.sleep(0.01)
    MlflowClient().log_metric(run_id, "late", 1.0)


WAYS: dict[str, Late] = {
    "opened again": _again,
    "opened again and failed": _again_and_failed,
    "opened again, then by the client": _twice,
    "by the client": lambda run_id: MlflowClient().log_metric(run_id, "late", 1.0),
    "by the client's batch": _by_batch,
    "in a thread": _in_a_thread,
    "by mlflow with its id": lambda run_id: mlflow.log_metric("late", 1.0, run_id=run_id),
    "many by mlflow": lambda run_id: mlflow.log_metrics({"late": 1.0}, run_id=run_id),
    "a NumPy step": lambda run_id: MlflowClient().log_metric(run_id, "late", 1.0, step=2.0),  # type: ignore[arg-type]
    "after all was sent": _settled,
    "ended twice": lambda run_id: (
        MlflowClient().log_metric(run_id, "late", 1.0),
        MlflowClient().set_terminated(run_id),
    )[0],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_in_ours_that_is_over_takes_what_comes_late(store: str, way: str) -> None:
    with mlrun("outer", output=False):
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("first", 1.0)
        WAYS[way](child.info.run_id)
    found = runs_of(store)["child"]
    assert set(found.data.metrics) == {"first", "late"}
    assert found.info.status == ("FAILED" if "failed" in way else "FINISHED")
    if "batch" in way:
        assert (found.data.params["p"], found.data.tags["t"]) == ("1", "x")
    assert current.get_session().sender.deliveries == []


def test_a_nested_run_of_ours_that_is_over_takes_what_comes_late(store: str) -> None:
    with mlrun("outer", output=False):
        with mlrun("inner", nested=True, output=False) as inner:
            mlflow.log_metric("first", 1.0)
        run_id = inner.run_id
        MlflowClient().log_metric(run_id, "late", 1.0)
        MlflowClient().log_text(run_id, "x", "late.txt")
    found = runs_of(store)["inner"]
    assert {"first", "late"} <= set(found.data.metrics)
    assert found.info.status == "FINISHED"
    assert [f.path for f in MlflowClient(store).list_artifacts(run_id, "")].count("late.txt") == 1


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED"])
def test_a_run_ends_as_other_code_says(store: str, status: str) -> None:
    client = MlflowClient()
    with mlrun("outer", output=False):
        made = client.create_run("0", run_name="made").info.run_id
        client.log_metric(made, "m", 1.0)
        client.set_terminated(made, status, 12_345)
        assert client.get_run(made).info.status == status
    info = client.get_run(made).info
    assert (info.status, info.end_time) == (status, 12_345)
