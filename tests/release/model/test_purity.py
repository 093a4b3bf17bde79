"""A model is kept as an export is: what is no function of its inputs is refused, or kept right."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.release.model.build import build
from cvtrack_magics.release.model.serving import load
from tests.release.export import traps as known


class Length(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * len(x)


class MeanOfAll(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean()


class ByRow(nn.Module):
    """Each sample by itself, which a loop in Python does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([row * 2 if row.sum() > 0 else row - 1 for row in x])


class Star(nn.Module):
    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return inputs[0] * 2 + len(inputs)


class StarOfTwo(nn.Module):
    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return inputs[0] if len(inputs) == 1 else inputs[0] + inputs[1]


class Fixed(nn.Module):
    """A loop as long as the width, which does not change."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for at in range(x.shape[1]):
            x = x + at
        return x


class SometimesNaN(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - 100).sqrt()


class Infinite(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / (x * 0)


class Item(nn.Module):
    """A number of the first sample goes into all of them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x[0, 0].item()


class Rounded(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * round(float(x.detach().numpy().max()))


OWN = [Length, MeanOfAll, ByRow, Star, StarOfTwo, Fixed, SometimesNaN, Infinite, Item, Rounded]
KEPT = {
    *known.KEPT_BY_SCRIPT, "Untrained", "FixedHeight", "ByRow", "Star", "StarOfTwo", "Fixed",
    "Infinite",
}  # fmt: skip


def _all() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    torch.manual_seed(0)
    found = {name: (model, x) for name, (model, x, _) in known.traps().items()}
    found = {name: one for name, one in found.items() if not name.endswith("Fixed")}
    return found | {kind.__name__: (kind(), torch.randn(2, 4) + 0.5) for kind in OWN}


TRAPS = _all()


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_refused_or_kept_right(name: str, tmp_path: Path) -> None:
    model, example = copy.deepcopy(TRAPS[name])
    example = example.repeat(2, *[1] * (example.ndim - 1))
    if name not in KEPT:
        with pytest.raises(CvtrackError) as refused:
            build(model, example, tmp_path / "m")
        assert len(refused.value._render_traceback_()) == 1
        return
    built = build(model, example.clone(), tmp_path / "m")
    stored = load(built.data, trust=True)
    for batch in _batches(example):
        with torch.no_grad():
            wanted: Any = model.eval()(batch.clone())
        served = torch.as_tensor(stored.predict(batch.numpy()))
        assert torch.allclose(served, wanted, 1e-3, 1e-4, equal_nan=True)


def _batches(example: torch.Tensor) -> list[torch.Tensor]:
    rest = [1] * (example.ndim - 1)
    return [
        *(example[:1].repeat(count, *rest) for count in (1, 2, 5, 7, 100)),
        *(example * factor for factor in (-1, 0, 30, 1e7)),
    ]
