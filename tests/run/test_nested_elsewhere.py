"""A nested run is in the experiment of its parent, whether the store answers or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from cvtrack_magics import log, mlrun, mlsync
from cvtrack_magics.run.current import get_session
from tests.store_views import points

pytestmark = pytest.mark.usefixtures("script")


def _nothing() -> None:
    """Switch nothing."""


def _name() -> None:
    os.environ["MLFLOW_EXPERIMENT_NAME"] = "elsewhere"


def _id() -> None:
    os.environ["MLFLOW_EXPERIMENT_ID"] = "0"


def _store() -> None:
    mlflow.set_tracking_uri("sqlite:///elsewhere.db")
    mlflow.end_run()
    _name()


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("switch", [_nothing, _name, _id, _store])
def test_where_a_nested_run_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: Callable[[], None], away: bool
) -> None:
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.mkdir()
    store = f"sqlite:///{there}/mlflow.db"
    MlflowClient(store).search_experiments()  # makes the tables
    mlflow.set_tracking_uri(store)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "here")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
    monkeypatch.setattr(get_session().config, "close_timeout", 0.1)
    if away:
        there.rename(gone)
    with mlrun("outer", output=False):
        switch()
        with mlrun("inner", nested=True, output=False):
            log({"a": 1.0}, step=0)
    if away:
        gone.rename(there)
    assert not mlsync(timeout=30).waiting
    client = MlflowClient(store)
    here = client.get_experiment_by_name("here")
    found = {run.info.run_name: run for run in client.search_runs([here.experiment_id])}
    assert set(found) == {"outer", "inner"}
    assert found["inner"].data.tags["mlflow.parentRunId"] == found["outer"].info.run_id
    assert points(store, found["inner"], "a") == [(0, 1.0)]
