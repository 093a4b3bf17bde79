"""MLflow's own calls inside a run take the journal's way, and no others do."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from cvtrack_magics import log, mlrun
from cvtrack_magics.run import current
from tests.conftest import closed_uri
from tests.store_views import artifact, points, runs_of

METHODS = ("log_metric", "log_batch", "get_run", "create_run", "set_terminated", "search_runs")


pytestmark = pytest.mark.usefixtures("script")


def test_every_way_to_log_ends_in_the_same_run(store: str) -> None:
    client = MlflowClient()
    before = {name: getattr(MlflowClient, name) for name in METHODS}
    with mlrun("all", output=False) as run:
        assert MlflowClient.log_metric is not before["log_metric"]
        for step in range(50):
            mlflow.log_metric("fluent", step, step=step)
            mlflow.log_metrics({"many/a": step, "many/b": -step}, step=step)
            client.log_metric(run.run_id, "client", step / 2, step=step)
            now = int(time.time() * 1000)
            client.log_batch(run.run_id, [Metric("batch", step, now, step)])
            log(ours=step)
        client.log_metric(run.run_id, "strange", math.nan, timestamp=1_234_567, step=3)
        mlflow.log_metric("strange", math.inf, step=4)
        client.log_batch(run.run_id, [], [Param("p", "1")], [RunTag("t", "x")])
        if "synchronous" in inspect.signature(mlflow.log_metric).parameters:
            mlflow.log_metric("later", 1.0, synchronous=False).wait()
    assert {name: getattr(MlflowClient, name) for name in METHODS} == before
    found = runs_of(store)["all"]
    names = ("fluent", "many/a", "client", "batch", "ours")
    expected = {"many/b": -1.0, "client": 0.5}
    for name in (*names, "many/b"):
        factor = expected.get(name, 1.0)
        assert points(store, found, name) == [(s, s * factor) for s in range(50)], name
    strange = client.get_metric_history(found.info.run_id, "strange")
    assert [(m.step, m.timestamp) for m in strange if m.step == 3] == [(3, 1_234_567)]
    assert found.data.params["p"] == "1"
    assert found.data.tags["t"] == "x"
    assert set(run.summary.metrics) >= set(names)


def test_what_was_logged_can_be_read_back_at_once(store: str) -> None:
    client = MlflowClient()
    with mlrun("read", output=False) as run:
        for step in range(10):
            mlflow.log_metric("a", step, step=step)
            assert client.get_run(run.run_id).data.metrics["a"] == step
            assert len(client.get_metric_history(run.run_id, "a")) == step + 1
        assert client.search_runs(["0"])[0].data.metrics["a"] == 9
        assert mlflow.get_run(run.run_id).data.metrics["a"] == 9


def test_calls_for_other_runs_pass_untouched(store: str) -> None:
    client = MlflowClient()
    other = client.create_run("0").info.run_id
    with mlrun("ours", output=False):
        client.log_metric(other, "m", 1.0, 5, 6)
        client.log_batch(other, [Metric("b", 2.0, 7, 8)], [Param("p", "v")])
        direct = client.get_metric_history(other, "m")
        assert [(m.value, m.timestamp, m.step) for m in direct] == [(1.0, 5, 6)]
        assert client.get_run(other).data.params == {"p": "v"}
        client.set_terminated(other, "FAILED")
        assert client.get_run(other).info.status == "FAILED"


@pytest.mark.parametrize(
    ("key", "value"), [("a", "high"), ("a", None), ("a\nb", 1.0), ("a", [1, 2])]
)
def test_what_mlflow_refuses_it_refuses_as_ever(store: str, key: str, value: Any) -> None:
    with mlflow.start_run(), pytest.raises((mlflow.MlflowException, TypeError)) as plain:
        mlflow.log_metric(key, value)
    with mlrun("ours", output=False), pytest.raises(type(plain.value)) as seen:
        mlflow.log_metric(key, value)
    text = str(plain.value).split("timestamp")[0]
    assert str(seen.value).startswith(text)


def test_runs_that_other_code_opens_inside_are_kept_and_shown_too(store: str) -> None:
    client = MlflowClient()
    with mlrun("outer", output=False) as run:
        with mlflow.start_run(run_name="kid", nested=True):
            for step in range(20):
                mlflow.log_metric("kid/loss", step, step=step)
        made = client.create_run("0", run_name="made", tags={"by": "a logger"}).info.run_id
        client.log_batch(made, [Metric("made/acc", s / 10, 1000 + s, s) for s in range(10)])
        client.set_terminated(made)
        assert client.get_run(made).info.status == "FINISHED"
        assert len(client.get_metric_history(made, "made/acc")) == 10
    found = runs_of(store)
    assert points(store, found["kid"], "kid/loss") == [(s, float(s)) for s in range(20)]
    assert found["kid"].data.tags["mlflow.parentRunId"] == run.run_id
    assert found["made"].data.tags["by"] == "a logger"
    assert "mlflow.parentRunId" not in found["made"].data.tags
    assert {r.info.status for r in found.values()} == {"FINISHED"}
    assert {"kid/loss", "made/acc"} <= set(run.summary.metrics)
    assert "made/acc" not in found["outer"].data.metrics


def test_a_run_without_the_store_takes_all_of_mlflows_calls(store: str, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(closed_uri())
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    (tmp_path / "folder" / "sub" / "b.txt").write_text("second")
    started = time.monotonic()
    with mlrun("away", output=False):
        active = mlflow.active_run().info.run_id
        mlflow.log_metric("m", 1.5, step=2)
        mlflow.log_metrics({"n": 1, "o": 2}, step=3)
        mlflow.log_param("p", 7)
        mlflow.log_params({"q": 8})
        mlflow.set_tag("t", "x")
        mlflow.set_tags({"u": "y"})
        mlflow.log_text("first", "texts/a.txt")
        mlflow.log_artifacts(str(tmp_path / "folder"), "copied")
        data = mlflow.get_run(active).data
        assert data.metrics == {"m": 1.5, "n": 1.0, "o": 2.0}
        assert data.params == {"p": "7", "q": "8"}
        assert len(MlflowClient().get_metric_history(active, "m")) == 1
    assert time.monotonic() - started < 15
    session = current.get_session()
    (delivery,) = session.sender.deliveries
    delivery._uri = store  # the server is there again, at an address that a test can use
    assert session.sender.wait(delivery, 30, patient=True)
    run = runs_of(store)["away"]
    assert run.info.status == "FINISHED"
    assert points(store, run, "m") == [(2, 1.5)]
    assert run.data.params.items() >= {"p": "7", "q": "8"}.items()
    assert run.data.tags.items() >= {"t": "x", "u": "y"}.items()
    assert artifact(store, run, "texts/a.txt") == "first"
    assert artifact(store, run, "copied/sub/b.txt") == "second"


LIGHTNING = """
import warnings, logging
warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import MLFlowLogger
from torch.utils.data import DataLoader, TensorDataset
from cvtrack_magics import mlrun
import mlflow, sys

class Model(LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = self.layer(batch[0]).square().mean()
        self.log("train_loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)

data = DataLoader(TensorDataset(torch.randn(64, 4)), batch_size=4)
with mlrun("lightning", output=False, auto=sys.argv[1] != "left alone") as run:
    given = {"run_id": run.run_id} if sys.argv[1] == "told" else {"experiment_name": "Default"}
    logger = MLFlowLogger(tracking_uri=mlflow.get_tracking_uri(), **given)
    Trainer(max_epochs=2, logger=logger, log_every_n_steps=1, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False, accelerator="cpu").fit(
        Model(), data)
print("RUN", logger.run_id, sorted(run.summary.metrics))
"""


@pytest.mark.parametrize("which", ["told", "not told", "left alone"])
def test_lightnings_logger_takes_our_way(store: str, tmp_path: Path, which: str) -> None:
    pytest.importorskip("lightning")
    ran = subprocess.run(
        [sys.executable, "-c", LIGHTNING, which],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr
    line = next(line for line in ran.stdout.splitlines() if line.startswith("RUN"))
    assert "train_loss" in line
    run_id = line.split()[1]
    history = MlflowClient(store).get_metric_history(run_id, "train_loss")
    assert sorted(m.step for m in history) == list(range(32))
    ours = runs_of(store)["lightning"]
    assert (ours.info.run_id == run_id) == (which != "left alone")
    assert {r.info.status for r in MlflowClient(store).search_runs(["0"])} == {"FINISHED"}


def test_autologging_takes_our_way(store: str) -> None:
    with mlrun("auto", output=False) as run:
        queue = mlflow.utils.autologging_utils.MlflowAutologgingQueueingClient()
        queue.log_metrics(run.run_id, {"loss": 0.5}, step=1)
        queue.flush(synchronous=True)
        assert run._scope.channel.count() == 1
        assert MlflowClient().get_run(run.run_id).data.metrics["loss"] == 0.5
    assert "loss" in run.summary.metrics


def test_no_thread_of_ours_looks_for_spark(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import in a thread can wait for ever for one in the cell: MLflow's hooks have a lock."""

    class Watching:
        seen: ClassVar[list[tuple[str, str]]] = []

        def find_spec(self, name: str, *rest: Any) -> None:
            self.seen.append((threading.current_thread().name, name))

    monkeypatch.setattr(sys, "meta_path", [Watching(), *sys.meta_path])
    with mlrun("watched") as run:
        log(loss=1.0)
        mlflow.log_text("x", "x.txt")
    assert run.summary is not None
    assert runs_of(store)["watched"].info.status == "FINISHED"
    ours = {name for thread, name in Watching.seen if thread.startswith("cvtrack-")}
    assert not any(name.startswith("pyspark") for name in ours)
    mlflow.MlflowClient(tracking_uri=store)
    assert any(name.startswith("pyspark") for _, name in Watching.seen)
