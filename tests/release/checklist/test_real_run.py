"""A run made with the package passes the list of a run; a careless one fails where it should."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch

from cvtrack_magics import (
    log,
    log_predictions,
    mlconfig,
    mldata,
    mleval,
    mlexperiment,
    mlparams,
    mlrun,
    mlseed,
    mltags,
    track,
)
from cvtrack_magics.artifacts.codec import read
from cvtrack_magics.artifacts.evaluation import Measured
from cvtrack_magics.release.card import card_of
from cvtrack_magics.release.checklist import check_run
from cvtrack_magics.release.facts import Candidate, DataFact, EvaluationFacts, Point
from tests.store_views import artifact, artifact_names, runs_of
from tests.vision.examples import example

pytestmark = pytest.mark.usefixtures("script")


def gathered(store: str, name: str) -> Candidate:
    """Return a run as the store has it."""

    run = runs_of(store)[name]
    client = mlflow.MlflowClient(tracking_uri=store)
    files = dict.fromkeys(artifact_names(store, run), 1)
    texts = {
        path: artifact(store, run, path)
        for path in files
        if path == "environment/environment.json" or path.endswith("metrics.json")
    }
    data: Any = run.data
    return Candidate(
        run_id=run.info.run_id,
        run_name=name,
        experiment=client.get_experiment(run.info.experiment_id).name,
        status=run.info.status,
        started=run.info.start_time,
        ended=run.info.end_time,
        metrics={
            key: Point(last.value, last.step, last.timestamp)
            for key in data.metrics
            for last in client.get_metric_history(run.info.run_id, key)[-1:]
        },
        params=data.params,
        tags=data.tags,
        datasets=tuple(
            DataFact(
                found.dataset.name,
                next(t.value for t in found.tags if t.key == "mlflow.data.context"),
                data.params.get("train_dataset_sha256", ""),
            )
            for found in run.inputs.dataset_inputs
        ),
        files=files,
        texts=texts,
        evaluations={
            path.split("/")[1]: EvaluationFacts(
                path.split("/")[1], read(Measured, path, texts[path])
            )
            for path in texts
            if path.startswith("evaluation/")
        },
    )


def commit(folder: Path) -> None:
    git = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    (folder / "train.py").write_text("pass\n")
    (folder / ".gitignore").write_text("*.db\nhome\nmlruns\nmlartifacts\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True)


def test_a_well_made_run_passes(store: str, own_world: Path) -> None:
    commit(own_world)
    mlexperiment("parts")
    images = torch.utils.data.TensorDataset(torch.rand(12, 4), torch.arange(12) % 3)
    network = torch.nn.Linear(4, 3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    loader = torch.utils.data.DataLoader(images, batch_size=4, shuffle=True)
    with mlrun("careful") as run:
        mlseed(42)
        mltags(task="classification", dataset="parts", env="staging")
        mlparams(optimizer, loader, network, {"epochs": 3, "img_size": 2})
        mlconfig({"epochs": 3}, name="train")
        mldata(images, name="parts-train")
        for epoch in track(range(3), "epoch"):
            log({"val/top1_acc": 0.5 + epoch / 10}, step=epoch)
            log_predictions(example("classification", seed=epoch), step=epoch)
        mleval(example("classification", 6), resamples=20)
    assert run.summary is not None
    candidate = gathered(store, "careful")
    found = check_run(candidate)
    assert found.passed, found.as_text()
    assert all(each.passed for each in found.items), found.as_text()
    card = card_of(candidate)
    assert candidate.params["train_dataset_sha256"] in card.markdown
    assert candidate.tags["git_commit"] in card.markdown
    # this file's own repository, in whatever state it is
    clean = candidate.tags["git_dirty"] == "false"
    assert ("| Uncommitted changes | no |" in card.markdown) is clean


def careless() -> None:
    log({"loss": np.float32(1.0)})
    raise ZeroDivisionError


def test_a_careless_run_fails_where_it_should(store: str) -> None:
    with pytest.raises(ZeroDivisionError), mlrun("careless", code=False):
        careless()
    found = check_run(gathered(store, "careless"))
    assert {each.key for each in found.items if each.passed} == {"environment", "versions"}
    tags = next(each for each in found.items if each.key == "tags")
    assert tags.found == "2 of 6; missing: task, backbone, dataset, git_commit"
