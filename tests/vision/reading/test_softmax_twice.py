"""Probabilities are never taken for logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_logits_after_a_softmax_are_refused(kind: str, classes: int) -> None:
    rows = torch.softmax(torch.randn(32, classes, generator=torch.manual_seed(0)), 1).numpy()
    with pytest.raises(UsageProblem, match="softmax"):
        Predictions.classification(None, np.zeros(32, int), logits=rows.astype(kind))


@pytest.mark.parametrize("scale", [0.001, 0.1, 1, 10])
def test_logits_are_read(scale: float) -> None:
    rows = np.random.default_rng(0).normal(size=(32, 5)) * scale
    read = Predictions.classification(None, np.zeros(32, int), logits=rows)
    reference = torch.softmax(torch.from_numpy(rows), 1).numpy()
    np.testing.assert_allclose(read.labels.probabilities, reference, atol=1e-12)


@pytest.mark.parametrize("last", [torch.nn.Softmax(1), torch.nn.LogSoftmax(1), torch.nn.Identity()])
@pytest.mark.parametrize("nested", [False, True])
def test_collect_applies_softmax_once(last: torch.nn.Module, nested: bool) -> None:
    linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(768, 4))
    net = torch.nn.Sequential(linear, torch.nn.Sequential(last) if nested else last)
    pictures = torch.rand(8, 3, 16, 16)
    loader = [(pictures, torch.zeros(8, dtype=torch.long))]
    read = Predictions.collect(net, loader, "classification")
    reference = torch.softmax(linear(pictures), 1).detach().numpy()
    np.testing.assert_allclose(read.labels.probabilities, reference, atol=1e-6)
