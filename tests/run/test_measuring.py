"""An evaluation in a run: metrics, interval, table and pictures, as anybody can read them."""

from __future__ import annotations

import json
import math
from typing import Any

import mlflow
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from cvtrack_magics import Predictions, log, mleval, mlrun, track
from cvtrack_magics.commands.mleval import data_digest
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.metric_catalog import VERSION
from tests.store_views import artifact, artifact_names, points, runs_of
from tests.vision.examples import TASKS, example

SEED = 3  # every class is in three of the six pictures, or there is no interval
pytestmark = pytest.mark.usefixtures("script")


@pytest.mark.parametrize("task", TASKS)
def test_what_is_found_is_recorded(store: str, task: str) -> None:
    made = example(task, 6, seed=SEED, seconds=0.5)
    with mlrun("eval", output=False, code=False):
        report = mleval(made, prefix="test", resamples=50)
    run = runs_of(store)["eval"]
    for name, value in report.metrics.items():
        if math.isfinite(value):
            assert run.data.metrics[f"test/{name}"] == pytest.approx(value), name
    assert run.data.metrics["test/FPS"] == pytest.approx(12)
    interval = report.evaluation.interval
    assert interval is not None
    assert run.data.metrics[f"test/{interval.metric}/ci_low"] == pytest.approx(interval.low)
    facts = json.loads(artifact(store, run, "evaluation/test/metrics.json"))
    assert (facts["prefix"], facts["samples"]) == ("test", 6)
    assert facts["data_sha256"] == data_digest(made)
    assert facts["interval"]["resamples"] == interval.resamples
    settings, replicates = facts["settings"], report.evaluation.replicates
    assert (settings["threshold"], settings["iou"], settings["scheme"]) == (None, 0.5, VERSION)
    assert (replicates is None) == (task == "classification")
    if replicates is None:
        assert facts["replicates"] == []
    else:
        values = [math.nan if value is None else value for value in facts["replicates"]]
        assert values == pytest.approx(replicates.values.tolist(), nan_ok=True)
        assert (settings["seed"], settings["first_draw"]) == (0, replicates.first)
    names = artifact_names(store, run)
    assert {f"evaluation/test/{name}.png" for name in report.figures} <= names
    assert report.figures


def test_clusters_are_recorded_with_the_samples(store: str) -> None:
    made = example("classification", 6)
    with mlrun("clusters", output=False, code=False):
        report = mleval(made, figures=False, cluster=["a", "a", "b", "b", "c", "c"])
    run = runs_of(store)["clusters"]
    table = json.loads(artifact(store, run, "evaluation/val/samples.json"))
    column = table["columns"].index("cluster")
    assert [row[column] for row in table["data"]] == [0, 0, 1, 1, 2, 2]
    facts = json.loads(artifact(store, run, "evaluation/val/metrics.json"))
    assert facts["notes"] == ["3 clusters of 6 samples: the interval counts clusters."]
    assert report.evaluation.interval is not None


def test_the_table_of_samples_is_one_that_mlflow_reads(store: str) -> None:
    made = example("classification", 6)
    with mlrun("table", output=False, code=False):
        mleval(made, resamples=0, figures=False)
    run = runs_of(store)["table"]
    path = mlflow.MlflowClient(store).download_artifacts(
        run.info.run_id, "evaluation/val/samples.json"
    )
    import pandas

    table = pandas.read_json(path, orient="split")
    assert table["id"].tolist() == list(range(6))
    assert table["truth"].tolist() == made.labels.truth.tolist()
    accuracy = accuracy_score(made.labels.truth, made.labels.probabilities.argmax(axis=1))
    assert table["correct"].mean() == pytest.approx(accuracy)
    assert run.data.metrics["val/top1_acc"] == pytest.approx(accuracy)


def test_into_a_finished_run_and_into_none(store: str) -> None:
    with mlrun("train", output=False, code=False):
        log(loss=1.0, step=41)
    report = mleval(example("depth"), resamples=20, run="train", step=3)
    assert repr(report).startswith("depth: 4 samples. Recorded in run 'train'.")
    assert points(store, runs_of(store)["train"], "val/AbsRel")[0][0] == 3
    alone = mleval(example("depth"), resamples=0)
    assert "Not recorded, since no run is open" in repr(alone)
    assert set(runs_of(store)) == {"train"}


def test_without_a_step_it_is_the_one_that_the_run_has_reached(store: str) -> None:
    def step_of(name: str, metric: str = "val/AbsRel") -> list[int]:
        return [at for at, _ in points(store, runs_of(store)[name], metric)]

    with mlrun("train", output=False, code=False):
        for _ in range(3):
            log(loss=1.0)
        log({"given": 1.0}, step=41)
    mleval(example("depth"), resamples=0, run="train")
    assert step_of("train") == [41]
    with mlrun("plain", output=False, code=False):
        for _ in range(3):
            log(loss=1.0)
            mleval(example("depth"), resamples=0)
    assert step_of("plain") == step_of("plain", "loss") == [0, 1, 2]
    with mlrun("alone", output=False, code=False):
        for _ in range(3):
            mleval(example("depth"), resamples=0)
    assert step_of("alone") == [0, 1, 2]
    with mlrun("loops", output=False, code=False):
        for _ in track(range(2), "epoch"):
            for _ in track(range(3), "batch"):
                log(loss=1.0)
            mleval(example("depth"), resamples=0)
        mleval(example("depth"), resamples=0, prefix="test")
    assert step_of("loops") == [2, 5]
    assert step_of("loops", "test/AbsRel") == [5]


def test_nothing_that_is_not_a_number_is_logged(store: str) -> None:
    one = Predictions.anomaly(None, [1, 1], [0.5, 0.2])
    with mlrun("nan", output=False, code=False):
        report = mleval(one)
    assert math.isnan(report.metrics["AUROC"])
    assert report.evaluation.notes
    run = runs_of(store)["nan"]
    assert not any(math.isnan(value) for value in run.data.metrics.values())
    assert (
        json.loads(artifact(store, run, "evaluation/val/metrics.json"))["metrics"]["AUROC"] is None
    )


def test_hostile_names_do_no_harm(store: str) -> None:
    names = ["<script>alert(1)</script>", "a/../../b", "x" * 300]
    made = Predictions.classification(
        None, [0, 1, 2, 0], np.eye(3)[[0, 1, 2, 1]], classes=names, ids=["<b>", "'", '"', "&"]
    )
    with mlrun("hostile", output=False, code=False):
        report = mleval(made, resamples=0)
    html = report._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html.replace("<b>classification", "")
    run = runs_of(store)["hostile"]
    assert run.info.status == "FINISHED"
    assert sum(name.startswith("val/per_class_f1/") for name in run.data.metrics) == 3


def test_the_digest_is_of_the_data_and_not_of_the_model() -> None:
    for task in TASKS:
        made = example(task, 4)
        assert data_digest(made) == data_digest(made[[3, 1, 0, 2]])
        assert data_digest(made) != data_digest(made[:3])
    one, other = example("classification", 4), example("classification", 4, seed=5)
    assert (one.labels.truth != other.labels.truth).any()
    assert data_digest(one) != data_digest(other)
    better = Predictions.classification(
        one.pixels, one.labels.truth, np.eye(3)[one.labels.truth], classes=one.classes, ids=one.ids
    )
    assert data_digest(better) == data_digest(one)


def since(version: str) -> Any:
    from packaging.version import Version

    older = Version(mlflow.__version__) < Version(version)
    return pytest.mark.skipif(older, reason=f"MLflow evaluates predictions since {version}")


@since("2.8")
def test_mlflows_own_evaluation_of_these_predictions(store: str) -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 60)
    made = Predictions.classification(
        None, truth, logits=np.eye(3)[truth] + rng.normal(size=(60, 3))
    )
    with mlrun("both", output=False, code=False):
        report = mleval(made, resamples=0, mlflow="predictions", figures=False)
    run = runs_of(store)["both"]
    ours = report.metrics["top1_acc"]
    assert report.beside["accuracy_score"] == pytest.approx(ours)
    assert report.beside["macro_precision"] == pytest.approx(report.metrics["precision"])
    assert run.data.metrics["val_mlflow_accuracy_score"] == pytest.approx(ours)
    assert "MLflow's own evaluation:" in repr(report)
    with pytest.raises(UsageProblem, match="none is open"):
        mleval(made, resamples=0, mlflow="predictions", figures=False)
    with pytest.raises(UsageProblem, match="MLflow has no evaluation for depth"):
        mleval(example("depth"), resamples=0, mlflow="predictions", figures=False)


@since("2.8")
def test_mlflows_evaluation_of_a_logged_model(store: str) -> None:
    torch = pytest.importorskip("torch")

    torch.manual_seed(0)
    inputs = torch.rand(12, 1, 6, 6)
    model: Any = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3))
    with torch.no_grad():
        logits = model(inputs)
    made = Predictions.classification(inputs, np.arange(12) % 3, logits=logits)
    with mlrun("model", output=False, code=False):
        uri = mlflow.pytorch.log_model(model, "model", input_example=inputs[:2].numpy()).model_uri
        report = mleval(made, resamples=0, mlflow=uri, inputs=inputs, figures=False)
        assert report.beside["accuracy_score"] == pytest.approx(report.metrics["top1_acc"])
        with pytest.raises(UsageProblem, match="needs what it takes as inputs"):
            mleval(made, resamples=0, mlflow=uri, figures=False)
        with pytest.raises(UsageProblem, match="5 inputs for 12 predictions"):
            mleval(made, resamples=0, mlflow=uri, inputs=inputs[:5], figures=False)


def test_the_end_of_a_training_is_summed_up(store: str) -> None:
    with mlrun("train", output=False, code=False):
        for epoch, (accuracy, loss) in enumerate([(0.5, 0.9), (0.8, 0.4), (0.7, 0.3)]):
            log({"val/mAP50": accuracy, "val/loss": loss, "train/loss": 1.0}, step=epoch)
    with mlrun("by batch", output=False, code=False):
        for epoch, accuracy in enumerate([0.5, 0.7, 0.6]):
            log({"val_acc": accuracy}, step=100 * (epoch + 1))
    with mlrun("none", output=False, code=False):
        log({"train/loss": 1.0, "val/acc": 1.0})
    runs = runs_of(store)
    found = runs["train"].data.metrics
    assert (found["best_val_mAP50"], found["best_val_loss"], found["best_epoch"]) == (0.8, 0.3, 1)
    assert found["total_train_time_hrs"] == pytest.approx(
        found["resources/wall_time_s"] / 3600, abs=1e-6
    )
    assert "best_train_loss" not in found
    found = runs["by batch"].data.metrics
    assert (found["best_val_acc"], found["best_epoch"]) == (0.7, 1)
    assert not any(name.startswith("best_") for name in runs["none"].data.metrics)


def test_parts_of_the_samples_are_recorded_beside_the_whole(store: str) -> None:
    made = example("detection", 6, seed=SEED).with_about(camera=["A", "B/2", "B/2"] * 2)
    with mlrun("parts", output=False, code=False):
        report = mleval(made, prefix="test", figures=False, resamples=50, by=["camera", "size"])
        with pytest.raises(UsageProblem, match="no column 'lens'"):
            mleval(made, prefix="other", figures=False, by=["lens"])
    run = runs_of(store)["parts"]
    found = {
        key.removeprefix("test/slices/"): value
        for key, value in run.data.metrics.items()
        if key.startswith("test/slices/")
    }
    assert found["camera/A/n"] == 2
    assert found["camera/B_2/n"] == 4
    for one in report.slices:
        for name, value in one.measured.metrics.items():
            key = f"{one.measured.prefix}/{name}".removeprefix("test/slices/")
            assert (key in found) == math.isfinite(value or 0), key
            assert key not in found or found[key] == pytest.approx(value)
    assert {key.split("/")[0] for key in found} == {"camera", "size"}
    assert not any(key.startswith("other/") for key in run.data.metrics)
    facts = json.loads(artifact(store, run, "evaluation/test/slices/slices.json"))
    assert [one["value"] for one in facts["slices"]][:2] == ["A", "B/2"]
    assert sorted(row for one in facts["slices"][:2] for row in one["rows"]) == [*range(6)]
    tag = run.data.tags["cvtrack.evidence_sha256.evaluation/test/slices"]
    assert len(tag) == 64
    text = repr(report)
    assert all(word in text for word in ("camera", "B/2", "size", "small", "95%"))
