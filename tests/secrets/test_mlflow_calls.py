"""No call of MLflow's own leaves a secret in the store while a run of ours is open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

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


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("call", CALLS)
def test_no_call_leaves_a_secret_in_the_store(call: str, store: str, tmp_path: Path) -> None:
    with mlrun("r", code=False, output=False) as run:
        log({"loss": 1.0})
        CALLS[call](run.run_id)
    kept = everything(Path(store.removeprefix("sqlite:///")).parent)
    for secret in (TOKEN, PASSWORD):
        assert secret.encode() not in kept
    assert any("Masked" in line for line in run.summary.notices)
