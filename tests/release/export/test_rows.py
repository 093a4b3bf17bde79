"""Rows that depend on each other are told from rows that a kernel rounds by the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cvtrack_magics.release.export.compare import tolerance_of
from cvtrack_magics.release.export.inputs import inputs_of
from cvtrack_magics.release.export.rows import mixed_rows
from cvtrack_magics.release.export.subject import subject_of, undisturbed

Forward = Callable[[torch.Tensor], Any]


class Net(nn.Module):
    """A function as a network, with weights to find its precision by."""

    def __init__(self, function: Forward) -> None:
        super().__init__()
        self.function, self.head = function, nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self.head(x))


def _by_hand(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()


def _before(x: torch.Tensor) -> torch.Tensor:
    return torch.cat((x[:1], x[1:] + 1e-3 * x[:-1]))


MIXED: dict[str, Forward] = {
    "softmax of the batch": lambda x: x.softmax(0),
    "batch norm by hand": _by_hand,
    "less the mean": lambda x: (x - x.mean(0)) * 1e-3,
    "less a thousandth of the mean": lambda x: x - 1e-3 * x.mean(0),
    "less a hundred-thousandth of the mean": lambda x: x - 1e-5 * x.mean(0),
    "a little of all": lambda x: x + 1e-4 * x.sum(),
    "a little of the largest": lambda x: x + 1e-4 * x.amax(0),
    "a little of the one before": _before,
    "a little of the last": lambda x: x + 1e-4 * x[-1:],
    "a little of the first": lambda x: x + 1e-4 * x[:1],
    "a little of the other way round": lambda x: x + 1e-4 * x.flip(0),
    "running sum": lambda x: x + 1e-4 * x.cumsum(0),
    "the number of rows": lambda x: x + 1e-4 * x.shape[0],
    "the place of the row": lambda x: x + 1e-4 * torch.arange(x.shape[0])[:, None],
    "the range of the batch": lambda x: (x / x.abs().max() * 127).round(),
    "one number of the batch": lambda x: (x, x.mean()),
}


@pytest.mark.parametrize("what", MIXED)
def test_rows_that_depend_on_each_other_are_found(what: str) -> None:
    assert _mixed(Net(MIXED[what]))


@pytest.mark.parametrize("what", ["less the mean", "softmax of the batch", "batch norm by hand"])
def test_they_are_found_where_nothing_computes_in_double(what: str) -> None:
    def single(x: torch.Tensor) -> torch.Tensor:
        return MIXED[what](x.float() * 100)

    assert _mixed(Net(single))


def _chaos(x: torch.Tensor) -> torch.Tensor:
    """Rounding grows a thousandfold, so that a batch and its rows differ in the first digits."""
    weights = torch.linspace(-1, 1, 64 * 64, dtype=x.dtype).reshape(64, 64).sin()
    wide = (x.repeat(1, 16)[:, :64] @ weights).sin()
    for _ in range(12):
        wide = ((wide @ weights.cos()) * 7).sin()
    return wide


def _experts(x: torch.Tensor) -> torch.Tensor:
    """Rows go to one of two experts together, so that what stands beside a row shapes its sum."""
    out = torch.zeros(x.shape[0], 512, dtype=x.dtype)
    weights = torch.linspace(0, 3, 4 * 512, dtype=x.dtype).reshape(4, 512).sin()
    for sign in (True, False):
        at = torch.nonzero((x[:, 0] > 0) == sign)[:, 0]
        out = out.index_copy(0, at, x[at] @ (weights if sign else -weights))
    return out @ out.new_ones(512, 3)


ALONE: dict[str, Forward] = {
    "the same": lambda x: x,
    "softmax of the classes": lambda x: x.softmax(1),
    "normalised by itself": lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True),
    "chaos": _chaos,
    "experts": _experts,
    "single precision within": lambda x: (x.float() * 3).to(x.dtype).sin(),
    "two rows of each": lambda x: x.repeat_interleave(2, 0),
    "a table for all": lambda x: (x, torch.ones(())),
    "infinite": lambda x: x / 0,
    "half": lambda x: x.to(torch.bfloat16).cos().float(),
}


@pytest.mark.parametrize("what", ALONE)
def test_rows_that_do_not_are_left(what: str) -> None:
    assert not _mixed(Net(ALONE[what]))


def test_the_tolerance_alone_would_refuse_the_chaos() -> None:
    """Else nothing is tested by it."""
    torch.manual_seed(0)
    net, batch = Net(_chaos), torch.randn(3, 4)
    with torch.no_grad():
        alone = torch.cat([net(row) for row in batch.split(1)])
        assert not torch.allclose(net(batch), alone, 1e-3, 1e-4)


def test_the_default_type_and_the_model_stay_as_they_are() -> None:
    net = Net(_chaos)
    _mixed(net)
    assert torch.get_default_dtype() == torch.float32
    assert net.head.weight.dtype == torch.float32


def test_quantised_rows_share_the_range_of_their_batch() -> None:
    torch.manual_seed(0)
    net = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 8)), {nn.Linear})
    assert not _mixed(net)


def _mixed(net: nn.Module) -> list[Any]:
    with undisturbed(0):
        torch.manual_seed(0)
        example = torch.randn(2, 4)
        subject = subject_of(net, inputs_of(net, (example,), ("batch",)))
        names = [name for name, _ in subject.named_outputs([example.clone()])]
        tolerance = tolerance_of([example], None, None)
        return mixed_rows(subject, names, tolerance, np.random.default_rng(0))
