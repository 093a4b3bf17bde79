"""MLflow's calls for an open run neither wait nor raise while the store is away, and arrive."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib.figure
import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, LoggedModelInput, LoggedModelOutput, Metric
from PIL import Image

from cvtrack_magics import log, mlrun
from cvtrack_magics.run import current
from tests.conftest import closed_uri
from tests.store_views import artifact, artifact_names, points, runs_of

pytestmark = pytest.mark.usefixtures("script")

PICTURE = np.zeros((8, 8, 3), dtype=np.uint8)


def _figure() -> Any:
    figure = matplotlib.figure.Figure()
    figure.subplots().plot([1, 2])
    return figure


def _file(folder: Path) -> str:
    path = folder / "own.txt"
    path.write_text("own")
    return str(path)


def _rename(client: MlflowClient, run: str) -> None:
    client.update_run(run, name="renamed")


def write_everything(folder: Path, model: str) -> dict[str, Callable[[MlflowClient, str], Any]]:
    """Return each way to write to a run, by its name."""
    data = DatasetEntity("data", "d1", "local", "{}", "{}", "{}")
    own = _file(folder)
    return {
        "log_metric": lambda *_: mlflow.log_metric("a", np.float32(1.5), step=np.int64(3)),
        "log_metrics": lambda *_: mlflow.log_metrics({"b": Decimal("2")}, step=4.0),  # type: ignore[arg-type]
        "log_batch": lambda c, r: c.log_batch(r, [Metric("c", torch.tensor(3.0), 9, np.int32(5))]),
        "0-d arrays": lambda *_: mlflow.log_metric("d", np.array(4), step=np.array(6)),
        "later": lambda *_: mlflow.log_metric("e", 5.0, synchronous=False).wait(),
        "log_param": lambda *_: mlflow.log_param("p", 1),
        "log_params": lambda *_: mlflow.log_params({"q": "x" * 3000}),
        "set_tag": lambda *_: mlflow.set_tag("t", 1),
        "set_tags": lambda *_: mlflow.set_tags({"u": 2, "gone": 3}),
        "delete_tag": lambda *_: mlflow.delete_tag("gone"),
        "log_text": lambda *_: mlflow.log_text("text", "texts/a.txt"),
        "log_dict": lambda *_: mlflow.log_dict({"a": 1}, "dict.json"),
        "log_figure": lambda *_: mlflow.log_figure(_figure(), "figure.png"),
        "log_image": lambda *_: mlflow.log_image(PICTURE, "image.png"),
        "log_image of a step": lambda *_: mlflow.log_image(PICTURE, key="seen", step=1),
        "log_image later": lambda *_: mlflow.log_image(
            Image.new("RGB", (9, 9)), key="later", step=1, synchronous=False
        ),
        "log_table": lambda *_: mlflow.log_table({"n": [1]}, "table.json"),
        "log_table again": lambda *_: mlflow.log_table(pd.DataFrame({"n": [2]}), "table.json"),
        "log_artifact": lambda *_: (mlflow.log_artifact(own, "files"), Path(own).unlink()),
        "log_inputs": lambda c, r: c.log_inputs(r, [DatasetInput(data)]),
        "linked inputs": lambda c, r: c.log_inputs(r, models=[LoggedModelInput(model)]),
        "log_outputs": lambda c, r: c.log_outputs(r, models=[LoggedModelOutput(model, 1)]),
        "linked metric": lambda c, r: c.log_metric(r, "f", 6.0, model_id=model),
        "rename": _rename,
        "get_artifact_uri": lambda *_: mlflow.get_artifact_uri("x"),
        "get_run": lambda c, r: c.get_run(r),
        "history": lambda c, r: c.get_metric_history(r, "a"),
        "list_artifacts": lambda c, r: c.list_artifacts(r),
        "log": lambda *_: log({"g": 7.0}, step=np.float64(7)),
    }


@contextmanager
def silent() -> Iterator[str]:
    """Give the address of a server that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def write(folder: Path, model: str) -> tuple[dict[str, float], list[str]]:
    took: dict[str, float] = {}
    raised: list[str] = []
    active = mlflow.active_run().info.run_id
    for name, call in write_everything(folder, model).items():
        began = time.monotonic()
        try:
            call(MlflowClient(), active)
        except Exception as error:
            raised.append(f"{name}: {error!r}"[:300])
        took[name] = time.monotonic() - began
    began = time.monotonic()
    with mlflow.start_run(run_name="nested", nested=True):
        mlflow.log_metric("n", 1.0)
        mlflow.log_text("n", "n.txt")
    took["start_run"] = time.monotonic() - began
    return took, raised


def check(store: str, model: str) -> None:
    found = runs_of(store)
    run = found["renamed"]
    assert run.info.status == "FINISHED"
    for name, step, value in (("a", 3, 1.5), ("b", 4, 2.0), ("c", 5, 3.0), ("d", 6, 4.0)):
        assert points(store, run, name) == [(step, value)]
    assert points(store, run, "g") == [(7, 7.0)]
    assert run.data.metrics.items() >= {"e": 5.0, "f": 6.0}.items()
    assert run.data.params.items() >= {"p": "1", "q": "x" * 3000}.items()
    assert run.data.tags.items() >= {"t": "1", "u": "2"}.items()
    assert "gone" not in run.data.tags
    names = artifact_names(store, run)
    assert {"texts/a.txt", "dict.json", "figure.png", "image.png", "files/own.txt"} <= names
    assert len([name for name in names if name.startswith("images/")]) == 4
    assert artifact(store, run, "files/own.txt") == "own"
    assert (
        artifact(store, run, "table.json").replace(" ", "") == '{"columns":["n"],"data":[[1],[2]]}'
    )
    assert "data" in {item.dataset.name for item in run.inputs.dataset_inputs}
    run = MlflowClient(store).get_run(run.info.run_id)  # a search leaves the links out
    assert {item.model_id for item in run.inputs.model_inputs} == {model}
    assert {item.model_id for item in run.outputs.model_outputs} == {model}
    measured = MlflowClient(store).get_logged_model(model).metrics
    assert [(item.key, item.value) for item in measured] == [("f", 6.0)]
    nested = found["nested"]
    assert nested.info.status == "FINISHED"
    assert nested.data.metrics == {"n": 1.0}
    assert nested.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert artifact(store, nested, "n.txt") == "n"


@pytest.fixture
def model(store: str) -> str:
    """A logged model that the store has."""
    return str(MlflowClient(store).create_logged_model("0", "net").model_id)


def test_all_of_it_arrives_in_a_store_that_answers(store: str, model: str, tmp_path: Path) -> None:
    with mlrun("well", output=False):
        _, raised = write(tmp_path, model)
    assert raised == []
    check(store, model)


@pytest.mark.parametrize("state", ["gone at the start", "hung at the start", "hung meanwhile"])
def test_nothing_waits_or_raises_and_all_of_it_arrives(
    store: str, model: str, tmp_path: Path, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")  # libraries then ask the store for it
    MlflowClient(store).create_experiment("named")
    with silent() as hung:
        at_start = {"gone at the start": closed_uri(), "hung at the start": hung}.get(state, store)
        mlflow.set_tracking_uri(at_start)
        with mlrun("away", output=False):
            if state == "hung meanwhile":
                session = current.get_session()
                for delivery in session.sender.deliveries:
                    delivery._uri = hung  # it has answered until now
                mlflow.set_tracking_uri(hung)
                for way in session.guests._own.values():
                    way.run = type(way.run)(**{**_fields(way.run), "uri": hung})
            took, raised = write(tmp_path, model)
        session = current.get_session()
        for delivery in session.sender.deliveries:
            delivery._uri = store  # the server is there again, at an address a test can use
    assert raised == []
    reads = ("get_run", "history", "list_artifacts")
    slow = {name: s for name, s in took.items() if name not in reads and s > 2.5}
    assert slow == {}
    for delivery in session.sender.deliveries:
        assert session.sender.wait(delivery, 60, patient=True)
    check(store, model)


def _fields(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


@pytest.mark.parametrize("where", ["in the store", "on disk"])
def test_a_param_that_changes_raises_as_mlflow_does(store: str, where: str) -> None:
    mlflow.set_tracking_uri(store if where == "in the store" else closed_uri())
    changes = [
        lambda: mlflow.log_param("p", 2),
        lambda: mlflow.log_params({"p": 3}),
        lambda: MlflowClient().log_param(mlflow.active_run().info.run_id, "p", "4"),
    ]
    with mlrun("params", output=False):
        mlflow.log_param("p", 1)
        assert mlflow.log_param("p", 1) == 1
        for change in changes:
            with pytest.raises(mlflow.MlflowException, match="Changing param values"):
                change()


REFUSED = [
    ("name\n", 1.0, 0),
    ("a//b", 1.0, 0),
    ("a", "high", 0),
    ("a", None, 0),
    ("a", [1, 2], 0),
    ("a", np.zeros(3), 0),
    ("a", 1.0, 2.5),
    ("a", 1.0, "3"),
    ("a", 1.0, 2**70),
    ("a", 1j, 0),
    (None, 1.0, 0),
]


@pytest.mark.parametrize("where", ["in the store", "on disk"])
def test_what_is_no_metric_raises_at_once_and_harms_nothing(store: str, where: str) -> None:
    mlflow.set_tracking_uri(store if where == "in the store" else closed_uri())
    with mlrun("refused", output=False) as run:
        for key, value, step in REFUSED:
            with pytest.raises((mlflow.MlflowException, TypeError)):
                mlflow.log_metric(key, value, step=step)  # type: ignore[arg-type]
        mlflow.log_metric("fine", 1.0)
    assert set(run.summary.metrics) == {"fine"}


ACCEPTED = {"a ": "a", " b": "b", " c  d ": "c  d", "e/...": "e/___", "plain": "plain"}


@pytest.mark.parametrize("where", ["in the store", "on disk"])
def test_a_name_that_mlflow_takes_is_kept_as_every_store_takes_it(
    store: str, model: str, where: str
) -> None:
    mlflow.set_tracking_uri(store if where == "in the store" else closed_uri())
    with mlrun("names", output=False):
        for key in ACCEPTED:
            mlflow.log_metric(key, 1.0, step=3, model_id=model)
        mlflow.log_metrics({"a": 2.0}, step=3)
    session = current.get_session()
    for delivery in session.sender.deliveries:
        delivery._uri = store
        assert session.sender.wait(delivery, 60, patient=True)
    found = runs_of(store)["names"]
    apart = (
        set(found.data.metrics)
        - {name for name in found.data.metrics if name.startswith(("resources/", "system/"))}
        - set(ACCEPTED.values())
    )
    assert len(apart) == 1
    assert apart.pop().startswith("a-")
    for key, stored in ACCEPTED.items():
        assert set(points(store, found, stored)) == {(3, 1.0)}
        assert found.data.tags.get(f"cvtrack.name.{stored}", stored) == key
    linked = {item.key for item in MlflowClient(store).get_logged_model(model).metrics}
    assert linked == set(ACCEPTED.values())
