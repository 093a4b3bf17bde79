"""No call of MLflow's own leaves a secret in the store while a run of ours is open."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from cvtrack_magics import log, mlrun
from tests.secrets.tokens import TOKENS, drawn

pytestmark = pytest.mark.usefixtures("script")

TOKEN, PASSWORD = TOKENS["github"], drawn(14)


def data(source: str, name: str = "d") -> Any:
    return mlflow.data.from_numpy(np.zeros((2, 2)), source=source, name=name)


def child(run_id: str, **options: Any) -> None:
    del run_id
    with mlflow.start_run(nested=True, **options):
        mlflow.log_metric("x", 1.0)


def child_of_client(run_id: str, *args: Any) -> None:
    tags = {"mlflow.parentRunId": run_id, "note": TOKEN}
    made = MlflowClient().create_run(*("0", None, tags, *args))
    MlflowClient().set_terminated(made.info.run_id)


CALLS: dict[str, Callable[[str], Any]] = {
    "log_param": lambda _: mlflow.log_param("hub", TOKEN),
    "log_params": lambda _: mlflow.log_params({"hub": TOKEN, "password": PASSWORD}),
    "log_metric": lambda _: mlflow.log_metric(TOKEN, 1.0),
    "log_metrics": lambda _: mlflow.log_metrics({TOKEN: 1.0, "a": 2.0}),
    "a name for log()": lambda _: [log({TOKEN: 1.0}, step=step) for step in range(3)],
    "two names for log()": lambda _: log({TOKEN: 1.0, TOKEN[:-1] + "x": 2.0}),
    "set_tag": lambda _: mlflow.set_tag("hub", TOKEN),
    "set_tags": lambda _: mlflow.set_tags({"hub": TOKEN}),
    "log_text": lambda _: mlflow.log_text(f"token {TOKEN}", "notes.txt"),
    "log_dict": lambda _: mlflow.log_dict({"hub": TOKEN}, "hub.json"),
    "a source with a password": lambda _: mlflow.log_input(
        data(f"https://me:{PASSWORD}@data.example.org/d.csv")
    ),
    "a source with a token": lambda _: mlflow.log_input(
        data(f"https://data.example.org/d.csv?token={TOKEN}")
    ),
    "the tags of an input": lambda _: mlflow.log_input(data("d.csv"), tags={"hub": TOKEN}),
    "the name of an input": lambda _: mlflow.log_input(data("d.csv", TOKEN)),
    "the name of a child run": lambda run: child(run, run_name=f"with {TOKEN}"),
    "the tags of a child run": lambda run: child(run, tags={"hub": TOKEN}),
    "the description of a child run": lambda run: child(run, description=f"uses {TOKEN}"),
    "a client's child run": child_of_client,
    "a client's child run with a name": lambda run: child_of_client(run, f"with {TOKEN}"),
    "a new name": lambda run: MlflowClient().update_run(run, name=f"with {TOKEN}"),
}


def everything(store: str, run_id: str) -> bytes:
    artifacts = Path(MlflowClient().get_run(run_id).info.artifact_uri)
    folders = (Path(store.removeprefix("sqlite:///")).parent, artifacts)
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("call", CALLS)
def test_no_call_leaves_a_secret_in_the_store(call: str, store: str) -> None:
    with mlrun("r", code=False, output=False) as run:
        log({"loss": 1.0})
        CALLS[call](run.run_id)
    kept = everything(store, run.run_id)
    for secret in (TOKEN, PASSWORD):
        assert secret.encode() not in kept
    assert any("Masked" in line for line in run.summary.notices)


WRITES: dict[str, Callable[[str], Any]] = {
    "log_param": lambda run: MlflowClient().log_param(run, "hub", TOKEN),
    "set_tag": lambda run: MlflowClient().set_tag(run, "hub", TOKEN),
    "log_batch": lambda run: MlflowClient().log_batch(
        run,
        [Metric(TOKEN, 1.0, 1, 0)],
        [Param("hub", TOKEN), Param("password", PASSWORD)],
        [RunTag("hub", TOKEN)],
    ),
    "log_metric": lambda run: MlflowClient().log_metric(run, TOKEN, 1.0),
    "log_text": lambda run: MlflowClient().log_text(run, f"token {TOKEN}", "notes.txt"),
    "log_dict": lambda run: MlflowClient().log_dict(run, {"hub": TOKEN}, "hub.json"),
}
FLUENT = ("log_param", "log_params", "set_tag", "set_tags", "log_text", "log_dict", "log_metric")


@pytest.mark.parametrize("call", WRITES)
def test_no_call_after_a_runs_end_leaves_a_secret(call: str, store: str) -> None:
    with mlrun("r", code=False, output=False) as run:
        log({"loss": 1.0})
    other = MlflowClient().create_run("0").info.run_id
    WRITES[call](run.run_id)
    MlflowClient().set_tag(other, "plain", "as-it-came-" + TOKEN[:3])
    kept = everything(store, run.run_id)
    for secret in (TOKEN, PASSWORD):
        assert secret.encode() not in kept
    assert b"***" in kept or b"masked-" in kept
    assert MlflowClient().get_run(other).data.tags["plain"] == "as-it-came-" + TOKEN[:3]


@pytest.mark.parametrize("call", [*WRITES, *(f"mlflow.{name}" for name in FLUENT)])
def test_no_call_of_a_forked_worker_leaves_a_secret(call: str, store: str) -> None:
    with mlrun("r", code=False, output=False) as run:
        log({"loss": 1.0})
        act = CALLS[call.removeprefix("mlflow.")] if call not in WRITES else WRITES[call]
        child_pid = os.fork()
        if not child_pid:
            code = 1
            try:
                act(run.run_id)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child_pid, 0)[1] == 0
    kept = everything(store, run.run_id)
    for secret in (TOKEN, PASSWORD):
        assert secret.encode() not in kept
    assert b"***" in kept or b"masked-" in kept


def test_a_masked_name_is_one_metric_in_every_stretch_and_worker(store: str) -> None:
    for stretch in range(2):
        with mlrun("r", code=False, output=False, resume=True) as run:
            log({TOKEN: 1.0 + stretch, TOKEN[:-1] + "x": 5.0}, step=stretch)
            mlflow.log_metric(TOKEN, 7.0, step=10 + stretch)
            child_pid = os.fork()
            if not child_pid:
                log({TOKEN: 9.0}, step=20 + stretch)
                os._exit(0)
            assert os.waitpid(child_pid, 0)[1] == 0
    MlflowClient().log_metric(run.run_id, TOKEN, 8.0, step=30)
    client = MlflowClient(store)
    found = client.get_run(run.run_id).data.metrics
    named = sorted(name for name in found if name.startswith("masked-github-"))
    assert len(named) == 2
    steps = [sorted(p.step for p in client.get_metric_history(run.run_id, n)) for n in named]
    assert sorted(steps) == [[0, 1], [0, 1, 10, 11, 20, 21, 30]]
