"""Records become MLflow calls within MLflow's limits, on a real store."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest

from cvtrack_magics.records import Artifact, Dataset, Metric, Param, Tag
from cvtrack_magics.store.writer import write
from tests.store_views import artifact, artifact_names


@pytest.fixture
def run(store: str) -> mlflow.entities.Run:
    return mlflow.MlflowClient(store).create_run("0")


def read(store: str, run: mlflow.entities.Run) -> mlflow.entities.Run:
    return mlflow.MlflowClient(store).get_run(run.info.run_id)


def test_more_than_one_batch_of_everything(store: str, run: mlflow.entities.Run) -> None:
    client = mlflow.MlflowClient(store)
    records = [
        *(Param(f"p{i}", str(i)) for i in range(250)),
        *(Tag(f"t{i}", str(i)) for i in range(150)),
        *(Metric("m", float(i), i, i) for i in range(2300)),
    ]
    assert write(client, run.info.run_id, records) == []
    data = read(store, run).data
    assert {f"p{i}": str(i) for i in range(250)} == data.params
    assert {f"t{i}": str(i) for i in range(150)}.items() <= data.tags.items()
    history = client.get_metric_history(run.info.run_id, "m")
    assert sorted((m.step, m.value) for m in history) == [(i, float(i)) for i in range(2300)]


def test_a_changed_param_costs_one_notice_and_nothing_else(
    store: str, run: mlflow.entities.Run
) -> None:
    client = mlflow.MlflowClient(store)
    write(client, run.info.run_id, [Param("lr", "1")])
    notices = write(
        client,
        run.info.run_id,
        [Param("lr", "2"), Param("other", "x"), Tag("t", "v"), Metric("m", 1.0, 0, 0)],
    )
    assert len(notices) == 1
    assert "lr" in notices[0].text
    data = read(store, run).data
    assert data.params == {"lr": "1", "other": "x"}
    assert data.tags["t"] == "v"
    assert data.metrics["m"] == 1.0


def test_values_longer_than_the_limits_are_cut(store: str, run: mlflow.entities.Run) -> None:
    write(
        mlflow.MlflowClient(store), run.info.run_id, [Param("p", "x" * 9000), Tag("t", "y" * 9000)]
    )
    data = read(store, run).data
    assert set(data.params["p"]) == {"x"}
    assert set(data.tags["t"]) == {"y"}


def test_artifacts_by_content_and_by_path(
    store: str, run: mlflow.entities.Run, tmp_path: Path
) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(b"\x00\xff")
    records = [
        Artifact("a/text.txt", "grüße\n"),
        Artifact("a/b/bytes.bin", b"\x01"),
        Artifact("copied.bin", source=source),
    ]
    client = mlflow.MlflowClient(store)
    write(client, run.info.run_id, records)
    assert artifact_names(store, run) == {"a/text.txt", "a/b/bytes.bin", "copied.bin"}
    assert artifact(store, run, "a/text.txt") == "grüße\n"
    copied = client.download_artifacts(run.info.run_id, "copied.bin")
    assert Path(copied).read_bytes() == b"\x00\xff"


@pytest.mark.parametrize("path", ["../out.txt", "/etc/x", "a/../../x"])
def test_an_artifact_cannot_leave_the_runs_folder(path: str) -> None:
    with pytest.raises(ValueError, match="leaves the run's folder"):
        Artifact(path, "x")


def test_a_dataset_keeps_its_full_hash(store: str, run: mlflow.entities.Run) -> None:
    digest = "a1" * 32
    write(
        mlflow.MlflowClient(store),
        run.info.run_id,
        [Dataset("coco", "s3://b/c", "training", digest, {"rows": 3}, {"files": 3})],
    )
    (entry,) = read(store, run).inputs.dataset_inputs
    assert entry.dataset.digest == digest[:36]
    assert digest in entry.dataset.profile
    assert "s3://b/c" in entry.dataset.source
