"""MLflow's modules are executed anew in an open run: it stays the active one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

import mlflow
import pytest

from cvtrack_magics import mlrun
from cvtrack_magics.store.reloads import Reloads
from tests.store_views import points, runs_of

FLUENT, CLIENT = "mlflow.tracking.fluent", "mlflow.tracking.client"
RELOADED = {
    "fluent": (FLUENT,),
    "mlflow": ("mlflow",),
    "tracking": ("mlflow.tracking",),
    "client": (CLIENT,),
    "client and fluent": (CLIENT, FLUENT),
    "all three": (CLIENT, FLUENT, "mlflow.tracking", "mlflow"),
    "twice": (FLUENT, FLUENT, "mlflow"),
    "the switches": ("mlflow.tracking._tracking_service.utils", FLUENT),
    "none": (),
}


@pytest.fixture(autouse=True)
def as_it_was() -> object:
    """Give the modules back as they were to the tests that come after these."""
    names = {name for reloaded in RELOADED.values() for name in reloaded}
    before = {name: dict(vars(sys.modules[name])) for name in names}
    yield
    for name, known in before.items():
        vars(sys.modules[name]).update(known)


def calls() -> dict[str, Callable[[], object]]:
    return {
        "log_metric": lambda: mlflow.log_metric("b", 1.0),
        "log_param": lambda: mlflow.log_param("p", 1),
        "fluent's own": lambda: sys.modules[FLUENT].log_metric("c", 1.0),
        "the client's": lambda: mlflow.MlflowClient().log_metric(
            mlflow.active_run().info.run_id, "d", 1.0
        ),
        "a client's of the module": lambda: (
            sys.modules[CLIENT].MlflowClient().set_tag(mlflow.active_run().info.run_id, "t", "1")
        ),
        "end_run": lambda: sys.modules[FLUENT].end_run(),  # noqa: PLW0108 (looked up then)
        "log_metric after it": lambda: mlflow.log_metric("e", 1.0),
    }


@pytest.mark.parametrize("what", list(RELOADED))
def test_the_run_stays_the_active_one(what: str, store: str, script: None) -> None:
    mlflow.set_experiment("here")
    with mlrun("r", output=False) as run:
        mlflow.log_metric("a", 1.0)
        for name in RELOADED[what]:
            importlib.reload(sys.modules[name])
        for call in calls().values():
            call()
        assert mlflow.active_run().info.run_id == run.run_id
    assert mlflow.active_run() is None
    assert sys.modules[FLUENT].active_run() is None
    with mlrun("next", output=False):
        mlflow.log_metric("a", 1.0)
    found = runs_of(store)
    assert set(found) == {"r", "next"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert [len(points(store, found["r"], key)) for key in "abcde"] == [1] * 5
    assert (found["r"].data.params["p"], found["r"].data.tags["t"]) == ("1", "1")
    assert found["next"].info.experiment_id == found["r"].info.experiment_id


def test_mlflow_is_as_it_was_afterwards(store: str, script: None) -> None:
    fluent = sys.modules[FLUENT]
    held = mlflow.start_run
    finders = [*sys.meta_path]
    code = fluent.start_run.__code__
    with mlrun("r", output=False):
        importlib.reload(fluent)
    assert held.__code__ == fluent.start_run.__code__ == code
    assert not hasattr(held, "__signature__")
    assert sys.meta_path == finders
    with mlflow.start_run() as run:
        mlflow.log_metric("a", 1.0)
    assert mlflow.last_active_run().info.run_id == run.info.run_id


@pytest.mark.parametrize("first_gone", ["a", "b"])
def test_two_who_look_at_one_module_are_both_told(first_gone: str) -> None:
    told: list[str] = []
    looking = {
        who: Reloads(CLIENT, lambda _: None, lambda module, who=who: told.append(who))
        for who in "ab"
    }
    for one in looking.values():
        one.begin()
    try:
        importlib.reload(sys.modules[CLIENT])
        assert sorted(told) == ["a", "b"]
        looking.pop(first_gone).end()
        importlib.reload(sys.modules[CLIENT])
        assert told[2:] == [*looking]
    finally:
        for one in looking.values():
            one.end()
