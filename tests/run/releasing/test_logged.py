"""What MLflow 3 lists of the models and exports of a run."""

from __future__ import annotations

import json
from typing import Any

import mlflow
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cvtrack_magics import Predictions, mleval, mlexport, mlload, mlmodel, mlrun
from cvtrack_magics.commands.mlgrid import run_over
from cvtrack_magics.errors import ExportRefused, NotAsMeasured, UsageProblem
from cvtrack_magics.run.current import get_session
from tests.run.releasing.conftest import SAMPLES, RowSums, inputs, predicted, truth
from tests.store_views import artifact_names, models_of, points, runs_of


class Random(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.5, training=True)


def asked(model: nn.Module) -> Predictions:
    """Return what a model says of the first images, which the session sees it asked for."""
    data = TensorDataset(inputs()[:40], torch.as_tensor(truth()[:40]))
    return run_over(model, DataLoader(data, batch_size=20), "classification", lambda *_: None)


def statuses(store: str, run: str = "a") -> dict[str, tuple[str, str]]:
    """Return the name of each model of a run with its status and why it failed."""
    found = models_of(store, runs_of(store)[run])
    return {m.name: (str(m.status), m.tags.get("cvtrack.why", "")) for m in found}


def measured(model: Any) -> dict[str, tuple[str, str]]:
    """Return the data set, by name and digest, that each figure of a model was measured on."""
    return {m.key: (m.dataset_name, m.dataset_digest) for m in model.metrics or ()}


def test_a_model_is_found_by_what_was_measured_before_and_after_it(
    store: str, script: None
) -> None:
    for name, noise in (("a", 5.0), ("b", 0.0)):
        model = RowSums(noise=noise).eval()
        with mlrun(name, plot=False, code=False, params={"noise": noise}):
            mleval(asked(model), prefix="val", figures=False, resamples=0)
            mlmodel(model, inputs()[:2], register="shapes")
            mleval(asked(model), prefix="test", figures=False, resamples=0)
            mleval(asked(RowSums(noise=3.0)), prefix="other", figures=False, resamples=0)
    best, other = mlflow.search_logged_models(
        experiment_ids=["0"],
        order_by=[{"field_name": "metrics.val/top1_acc", "ascending": False}],
        output_format="list",
    )
    assert (best.params["noise"], other.params["noise"]) == ("0.0", "5.0")
    found = measured(best)
    assert {key.split("/")[0] for key in found} == {"val", "test"}
    assert {name for name, _ in found.values()} == {"val", "test"}
    assert len({digest for _, digest in found.values()}) == 1  # the same samples and truth
    assert len(points(store, runs_of(store)["b"], "val/top1_acc")) == 1
    version = mlflow.MlflowClient().get_model_version("shapes", "2")
    assert version.source == f"models:/{best.model_id}"
    [named] = json.loads(best.tags["mlflow.modelVersions"])
    assert (named["name"], str(named["version"])) == ("shapes", "2")
    assert str(best.status) == "READY"


def test_what_does_not_hold_is_listed_as_failed_and_nothing_is_kept_of_it(
    store: str, script: None
) -> None:
    with mlrun("a", plot=False, code=False):
        made_up = Predictions.classification(
            inputs().numpy(), truth(), probabilities=predicted(SAMPLES), ids=range(SAMPLES)
        )
        mleval(made_up, prefix="val", figures=False, resamples=0)
        with pytest.raises(NotAsMeasured):
            mlmodel(RowSums(), inputs()[:2], register="shapes", name="other")
        with pytest.raises(ExportRefused):
            mlexport("torchscript", Random(), inputs()[:1])
        mlexport("pt2", RowSums(), inputs()[:1])
    found = statuses(store)
    assert {name: status for name, (status, _) in found.items()} == {
        "other": "FAILED",
        "torchscript": "FAILED",
        "pt2": "READY",
    }
    assert "does not answer as was measured" in found["other"][1]
    assert found["torchscript"][1].startswith("ExportRefused")
    names = artifact_names(store, runs_of(store)["a"])
    assert {"pt2/evidence.json"} <= names
    assert not [name for name in names if name.startswith(("other/", "torchscript/"))]


def test_what_is_mistyped_leaves_no_model(store: str, script: None) -> None:
    model, example = RowSums(), inputs()[:2]
    with mlrun("a", plot=False, code=False):
        for wrong in (
            lambda: mlmodel("model", example),
            lambda: mlmodel(model, example, post="sofmax"),
            lambda: mlmodel(model, "example"),
            lambda: mlmodel(model, example, pre="resize:no"),
            lambda: mlmodel(model, example, name="../x"),
            lambda: mlexport("onnx", model, "example"),
            lambda: mlexport("onnx", "model", example),
        ):
            with pytest.raises(UsageProblem):
                wrong()
    assert not statuses(store)


def test_a_finished_run_gets_its_model_to_the_end(store: str, script: None) -> None:
    with mlrun("a", plot=False, code=False):
        pass
    mlmodel(RowSums(), inputs()[:2], run="a", name="models/best")
    with pytest.raises(ExportRefused):
        mlexport("onnx", Random(), inputs()[:1], run="a")
    get_session().sender.drain(20, print)
    assert statuses(store) == {
        "models_best": ("READY", ""),
        "onnx": ("FAILED", statuses(store)["onnx"][1]),
    }
    assert not list(get_session().journal.glob("*/facts.jsonl"))
    assert (
        mlload(runs_of(store)["a"].info.run_id, name="models/best")
        .predict(inputs()[:3].numpy())
        .argmax(1)
        .tolist()
        == truth()[:3].tolist()
    )
    assert runs_of(store)["a"].info.status == "FINISHED"
