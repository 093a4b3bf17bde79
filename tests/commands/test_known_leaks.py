"""``%mleval`` of samples that ``%mldata --against`` found in the training set too."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from PIL import Image

from cvtrack_magics import Predictions, mldata, mleval, mlrun
from cvtrack_magics.artifacts.paths import metrics_path
from tests.pictures import encoded, pictures

CLASSES = ("a", "b")
COUNT = 30
LEAKED = (3, 8, 9, 21)


def written(root: Path, shown: Sequence[Image.Image], kind: str = "PNG") -> Path:
    """Write pictures into folders of two classes; in order of their paths they are in order."""
    for at, one in enumerate(shown):
        path = root / CLASSES[at >= len(shown) // 2] / f"p{at:02d}.{kind.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(one, kind))
    return root


def sets(root: Path) -> tuple[Path, Path, list[Image.Image]]:
    """Return a training set with four pictures of the other one, stored anew."""
    shown = pictures(COUNT + 20)
    held = shown[:COUNT]
    train = written(root / "train", shown[COUNT:])
    for at in LEAKED:
        (train / "a" / f"again{at}.jpg").write_bytes(encoded(held[at], "JPEG"))
    return train, written(root / "val", held), held


def said(ids: Sequence[str] | None, shown: Sequence[Image.Image], rows: Sequence[int]) -> Any:
    """Return predictions that are right of leaked samples, and of every other of the rest."""
    truth = np.array([int(at >= COUNT // 2) for at in rows])
    right = np.array([at in LEAKED or at % 2 == 0 for at in rows])
    scores = np.eye(2)[np.where(right, truth, 1 - truth)]
    images = [np.asarray(shown[at].convert("RGB")) for at in rows]
    return Predictions.classification(images, truth, probabilities=scores, classes=CLASSES, ids=ids)


WAYS: dict[str, Callable[[int], str]] = {
    "path": lambda at: f"{CLASSES[at >= COUNT // 2]}/p{at:02d}.png",
    "file": lambda at: f"p{at:02d}.png",
    "stem": lambda at: f"p{at:02d}",
    "index": str,
}


@pytest.mark.parametrize("way", list(WAYS))
def test_what_is_left_is_measured_too(way: str, store: str, own_world: Path) -> None:
    train, val, shown = sets(own_world)
    order = np.random.default_rng(1).permutation(COUNT).tolist()
    predictions = said([WAYS[way](at) for at in order], shown, order)
    with mlrun("leaks", code=False) as run:
        mldata(train, against=val)
        report = mleval(predictions, figures=False)
    rest = [at for at in range(COUNT) if at not in LEAKED]
    expected = sum(at % 2 == 0 for at in rest) / len(rest)
    metrics = mlflow.get_run(run.run_id).data.metrics
    assert metrics["val/slices/leaked/no/top1_acc"] == pytest.approx(expected, abs=1e-12)
    assert metrics["val/slices/leaked/no/n"] == COUNT - len(LEAKED)
    assert metrics["val/slices/leaked/yes/top1_acc"] == 1
    low = metrics["val/slices/leaked/no/top1_acc/ci_low"]
    assert low < expected
    line = next(note for note in report.evaluation.notes if "in train too" in note)
    assert line.startswith(f"4 of {COUNT} samples are in train too. top1_acc without: ")
    assert f"{expected:.4g} [{low:.4g}, " in line
    assert line in repr(report)
    kept = mlflow.artifacts.load_text(f"runs:/{run.run_id}/{metrics_path('val')}")
    assert line in json.loads(kept)["notes"]


def test_an_index_of_other_pictures_is_not_believed(store: str, own_world: Path) -> None:
    train, val, shown = sets(own_world)
    order = list(range(COUNT))
    turned = said([str(at) for at in order[::-1]], shown, order)
    with mlrun("leaks", code=False) as run:
        mldata(train, against=val)
        report = mleval(turned, figures=False)
    assert not any("slices" in name for name in mlflow.get_run(run.run_id).data.metrics)
    assert any("which of these samples they are is not known" in n for n in report.evaluation.notes)


def test_an_index_of_a_list_of_files_needs_pictures(store: str, own_world: Path) -> None:
    train, val, shown = sets(own_world)
    order = list(range(COUNT))
    bare = said([str(at) for at in order], shown, order).with_pixels(None)
    with mlrun("leaks", code=False):
        mldata(train, against=val)
        report = mleval(bare, figures=False)
    assert any("is not known" in note for note in report.evaluation.notes)


def test_samples_of_a_loader_are_known_through_subsets(store: str, own_world: Path) -> None:
    import torch
    from torch.utils.data import DataLoader, Subset, TensorDataset

    shown = pictures(COUNT + 20)
    pixels = np.stack([np.asarray(one.convert("RGB").resize((64, 64))) for one in shown])
    tensors = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    labels = torch.arange(len(shown)) % 2
    every = TensorDataset(
        torch.cat([tensors, tensors[[3, 7]]]), torch.cat([labels, labels[[3, 7]]])
    )
    train = Subset(every, [*range(30), 50, 51])  # the same pictures as 3 and 7, under other places
    val = Subset(every, [*range(30, 50), 3, 7])

    def model(batch: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.zeros(len(batch)), torch.ones(len(batch))], dim=1)

    with mlrun("loader", code=False) as run:
        mldata(train, against=val, against_name="val")
        loader = DataLoader(val, batch_size=5, shuffle=True)
        found = Predictions.collect(
            model, loader, "classification", classes=CLASSES, value_range=(0, 255)
        )
        mleval(found, figures=False)
    metrics = mlflow.get_run(run.run_id).data.metrics
    assert metrics["val/slices/leaked/yes/n"] == 2
    assert metrics["val/slices/leaked/no/n"] == 20


def test_nothing_is_said_where_nothing_leaked(store: str, own_world: Path) -> None:
    shown = pictures(COUNT + 20)
    train = written(own_world / "train", shown[COUNT:])
    val = written(own_world / "val", shown[:COUNT])
    order = list(range(COUNT))
    with mlrun("clean", code=False) as run:
        mldata(train, against=val)
        report = mleval(said([str(at) for at in order], shown, order), figures=False)
    assert not any("slices" in name for name in mlflow.get_run(run.run_id).data.metrics)
    assert not any("train" in note for note in report.evaluation.notes)


def test_predictions_of_another_set_are_left_alone(store: str, own_world: Path) -> None:
    train, val, shown = sets(own_world)
    order = list(range(COUNT))
    with mlrun("other", code=False) as run:
        mldata(train, against=val)
        mleval(said([str(at) for at in order], shown, order), prefix="test", figures=False)
    assert not any("slices" in name for name in mlflow.get_run(run.run_id).data.metrics)
