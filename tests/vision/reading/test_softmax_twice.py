"""Probabilities are never taken for logits without a word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("classes", [2, 3, 10, 100])
def test_logits_after_a_softmax_are_read_as_what_they_are(kind: Any, classes: int) -> None:
    rows = torch.softmax(torch.randn(32, classes, generator=torch.manual_seed(0)), 1).to(kind)
    read = Predictions.classification(None, np.zeros(32, int), logits=rows)
    np.testing.assert_array_equal(read.labels.probabilities, rows.double().numpy())
    assert "probabilities=" in read.notes[0]
    assert read.notes[0] in measure(read, resamples=0).notes


def test_rows_of_nan_do_not_hide_a_softmax() -> None:
    rows = torch.softmax(torch.randn(8, 3, generator=torch.manual_seed(0)), 1)
    rows[2] = np.nan
    read = Predictions.classification(None, np.zeros(8, int), logits=rows)
    np.testing.assert_array_equal(read.labels.probabilities, rows.numpy())


@pytest.mark.parametrize("scale", [0.001, 0.1, 1, 10])
def test_logits_are_read(scale: float) -> None:
    rows = np.random.default_rng(0).normal(size=(32, 5)) * scale
    read = Predictions.classification(None, np.zeros(32, int), logits=rows)
    reference = torch.softmax(torch.from_numpy(rows), 1).numpy()
    np.testing.assert_allclose(read.labels.probabilities, reference, atol=1e-12)
    assert read.notes == ()


@pytest.mark.parametrize("shape", [(32,), (32, 1), (32, 4)])
def test_logits_as_after_a_sigmoid_are_remarked_on(shape: tuple[int, ...]) -> None:
    rows = np.random.default_rng(0).uniform(0.01, 0.99, shape)
    assert "sigmoid" in Predictions.classification(None, [0] * 32, logits=rows).notes[0]


class Net(nn.Module):  # type: ignore[misc]
    """A network that ends as a function says."""

    def __init__(self, last: Any, outputs: int = 4) -> None:
        super().__init__()
        self.last = last  # a module registered before the layer that comes first
        self.linear = nn.Linear(192, outputs)

    def logits(self, x: Any) -> Any:
        return self.linear(x.flatten(1)) * 5

    def forward(self, x: Any) -> Any:
        return self.last(self.logits(x))


class Gated(Net):
    """Has a sigmoid inside, but gives logits."""

    def logits(self, x: Any) -> Any:
        y = self.linear(x.flatten(1))
        return y * torch.sigmoid(y)


def softmax(x: Any) -> Any:
    return torch.softmax(x, 1)


def second(x: Any) -> Any:
    p = torch.sigmoid(x[:, 0])
    return torch.stack((1 - p, p), 1)


@pytest.mark.parametrize(
    ("net", "reference"),
    [
        (Net(nn.Softmax(1)), softmax),
        (Net(nn.LogSoftmax(1)), softmax),
        (Net(nn.Identity()), softmax),
        (Net(nn.Sequential(nn.Identity(), nn.Softmax(1))), softmax),
        (Net(lambda x: functional.softmax(x, dim=1)), softmax),
        (Net(lambda x: torch.softmax(x, -1)), softmax),
        (Net(lambda x: x.softmax(dim=1)), softmax),
        (Net(lambda x: functional.log_softmax(x, 1)), softmax),
        (Net(lambda x: {"logits": x.softmax(1)}), softmax),
        (Net(lambda x: x.double().softmax(1).half().float()), softmax),
        (Net(nn.Sigmoid(), 1), second),
        (Net(lambda x: torch.sigmoid(x).squeeze(1), 1), second),
        (Net(lambda x: x.sigmoid()[:, 0], 1), second),
        (Net(nn.Identity(), 1), second),
        (Net(nn.Sigmoid(), 4), torch.sigmoid),
        (Gated(nn.Identity()), softmax),
    ],
)
def test_collect_applies_softmax_once(net: Net, reference: Any) -> None:
    pictures = torch.rand(10, 3, 8, 8, generator=torch.manual_seed(0))
    loader = [(part, torch.zeros(len(part), dtype=torch.long)) for part in pictures.split(4)]
    read = Predictions.collect(net, loader, "classification")
    expected = reference(net.logits(pictures)).detach().numpy()
    np.testing.assert_allclose(read.labels.probabilities, expected, atol=1e-3)


@pytest.mark.parametrize("wrap", [torch.jit.script, torch.nn.DataParallel])
def test_collect_looks_into_wrapped_networks(wrap: Any) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 1), nn.Sigmoid())
    pictures = torch.rand(4, 3, 8, 8)
    read = Predictions.collect(wrap(net), [(pictures, torch.zeros(4))], "classification")
    expected = net(pictures).detach().numpy()[:, 0]
    np.testing.assert_allclose(read.labels.probabilities[:, 1], expected, atol=1e-6)


LOW, MIXED = [0.1, 0.2, 0.3, 0.4], [-3.0, 2.0, 0.3, -0.2]


@pytest.mark.parametrize("one", [LOW, [0.0, 0.5, 1.0, 0.7], [0.9, 0.9, 0.9, 0.9]])
@pytest.mark.parametrize("other", [MIXED, [5.0, 0.1, 0.2, 0.3], [-0.1, 0.2, 0.3, 0.4]])
@pytest.mark.parametrize("turned", [False, True])
def test_parts_of_which_one_looks_like_logits_are_not_joined_unsaid(
    one: list[float], other: list[float], turned: bool
) -> None:
    truth = np.array([0, 1, 1, 0])
    parts = [np.array(one), np.array(other)][:: -1 if turned else 1]
    made = [Predictions.classification(None, truth, part) for part in parts]
    with pytest.raises(UsageProblem, match="logits= or probabilities="):
        made[0] + made[1]
    whole = Predictions.classification(None, np.tile(truth, 2), logits=np.concatenate(parts))
    said = [Predictions.classification(None, truth, logits=part) for part in parts]
    joined = (said[0] + said[1]).labels.probabilities
    np.testing.assert_allclose(joined, whole.labels.probabilities)
