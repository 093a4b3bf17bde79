"""Versions of a registered model, made quickly: what they predict is made up, the rest is real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

SAMPLES, CLASSES = 300, 4
Version = Callable[..., str]


def inputs() -> torch.Tensor:
    """Return N × 1 × 4 × 6 images, each with one bright row: its class."""
    rng = np.random.default_rng(0)
    images = rng.random((SAMPLES, 1, CLASSES, 6)).astype("float32") / 2
    images[np.arange(SAMPLES), 0, truth()] += 0.5
    return torch.as_tensor(images)


def truth() -> np.ndarray[Any, Any]:
    """Return the classes, int64 N."""
    return np.arange(SAMPLES) % CLASSES


class RowSums(nn.Module):
    """Predicts the brightest row, and for some inputs the next class instead."""

    def __init__(self, noise: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.ones(6))
        self.offset = nn.Parameter(noise * torch.randn(4, generator=generator))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images[:, 0] * self.weight).sum(-1) + self.offset


def predicted(wrong: int, seed: int = 1) -> np.ndarray[Any, Any]:
    """Return probabilities N × K that are wrong for so many samples."""
    said = truth().copy()
    rows = np.random.default_rng(seed).permutation(SAMPLES)[:wrong]
    said[rows] = (said[rows] + 1) % CLASSES
    return np.eye(CLASSES)[said] * 0.9 + 0.025


@pytest.fixture
def make(store: str, script: None) -> Version:
    """Return a function that makes a run with a model and an evaluation, and registers it."""
    from cvtrack_magics import Predictions, mleval, mlmodel, mlrun

    def made(name: str, wrong: int, *, register: str = "shapes", seed: int = 1) -> str:
        images = inputs()
        with mlrun(name, tags={"task": "classification"}, plot=False, code=False) as run:
            predictions = Predictions.classification(
                images.numpy(), truth(), probabilities=predicted(wrong, seed), ids=range(SAMPLES)
            )
            mleval(predictions, prefix="test", figures=False, resamples=100)
            mlmodel(RowSums(), images[:2], register=register, force=True)
            _as_if_proved(register)
        return run.run_id

    return made


def _as_if_proved(model: str) -> None:
    """Take the newest version for one that answers what was made up."""
    import mlflow

    client = mlflow.MlflowClient()
    newest = max(client.search_model_versions(f"name='{model}'"), key=lambda v: int(v.version))
    client.delete_model_version_tag(model, newest.version, "cvtrack.unproved")
    client.set_model_version_tag(model, newest.version, "cvtrack.proved", "made up")
