"""Wrapped networks are kept as the network itself; odd outputs are kept or refused in a line."""

from __future__ import annotations

import copy
import re
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.build import build
from cvtrack_magics.release.model.plain_outputs import plain_output
from cvtrack_magics.release.model.serving import load
from cvtrack_magics.vision.gradcam.model import unwrapped as cam_unwrapped
from cvtrack_magics.vision.networks import unwrapped

X = torch.ones(2, 3)
Pair = namedtuple("Pair", "a b")


@dataclass
class Answer:
    logits: Any
    extra: Any = None


class Gives(nn.Module):
    """Answers with what a function makes of a linear layer's output."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.layer, self.make = nn.Linear(3, 2), make

    def forward(self, x: torch.Tensor) -> Any:
        return self.make(self.layer(x))


class KeywordOnly(nn.Linear):
    def forward(self, *, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)


class FixedBatch(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.reshape(2, 3))


class HasModule(nn.Module):
    """No wrapper, for all that it has a part of that name."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x) + 1


def compiled(model: Any) -> Any:
    return torch.compile(model, backend="eager")


def ddp_like(model: Any) -> Any:
    """A distributed wrapper without a process group, which a test has none of."""
    found = nn.parallel.DistributedDataParallel.__new__(nn.parallel.DistributedDataParallel)
    nn.Module.__init__(found)
    found.module = model
    return found


class Mine(nn.DataParallel):
    """A user's own wrapper."""


WRAPPERS = {
    "compile": compiled,
    "data parallel": nn.DataParallel,
    "subclass": Mine,
    "distributed": ddp_like,
    "compile of parallel": lambda m: compiled(nn.DataParallel(m)),
    "parallel of compile": lambda m: nn.DataParallel(compiled(m)),
    "parallel twice": lambda m: nn.DataParallel(nn.DataParallel(m)),
    "distributed of compile": lambda m: ddp_like(compiled(m)),
    "compile of distributed": lambda m: compiled(ddp_like(m)),
    "all": lambda m: compiled(nn.DataParallel(ddp_like(m))),
}
STAY = {
    "plain": lambda: nn.Linear(3, 2),
    "a part called module": HasModule,
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(nn.Linear(3, 2)),
    "script": lambda: torch.jit.script(nn.Sequential(nn.Linear(3, 2))),
    "script's part": lambda: torch.jit.script(nn.Sequential(nn.Linear(3, 2)))[0],
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)),
    "old weight norm": lambda: nn.utils.weight_norm(nn.Linear(3, 2)),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_every_door_takes_the_wrapper_off(wrap: Any) -> None:
    model = nn.Linear(3, 2)
    assert unwrapped(wrap(model)) is model
    assert cam_unwrapped(wrap(model)) is model


@pytest.mark.parametrize("make", STAY.values(), ids=STAY)
def test_what_is_part_of_the_network_stays(make: Any) -> None:
    model = make()
    assert unwrapped(model) is model


@pytest.mark.parametrize("name", ["compile of parallel", "distributed"])
def test_a_wrapped_network_is_kept(name: str, tmp_path: Path) -> None:
    model = nn.Linear(3, 2).eval()
    built = build(WRAPPERS[name](model), X, tmp_path / "m")
    assert torch.allclose(torch.as_tensor(load(built.data).predict(X.numpy())), model(X))


OUTPUTS = {
    "dataclass": (Answer, {"logits"}),
    "full dataclass": (lambda y: Answer(y, y), {"logits", "extra"}),
    "namedtuple": (lambda y: Pair(y, None), {"a"}),
    "dict": (lambda y: {"a": y}, {"a"}),
    "dict with None": (lambda y: {"a": y, "b": None}, {"a"}),
    "number keys": (lambda y: {0: y}, {"0"}),
    "ordered": (lambda y: OrderedDict(a=y), {"a"}),
    "tuple with None": (lambda y: (None, y), {"output_1"}),
    "nested": (lambda y: {"a": Answer(y), "b": [y, y]}, {"a", "b"}),
    "list of dataclasses": (lambda y: {"all": [Answer(y), Answer(y)]}, {"all"}),
}


@pytest.mark.parametrize(("make", "names"), OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_become_plain(make: Any, names: set[str]) -> None:
    assert set(plain_output(make(X))) == names


@pytest.mark.parametrize("name", ["dataclass", "dict with None", "tuple with None"])
def test_odd_outputs_are_kept(name: str, tmp_path: Path) -> None:
    make, names = OUTPUTS[name]
    model = Gives(make).eval()
    said = load(build(model, X, tmp_path / "m").data).predict(X.numpy())
    assert set(said) == names
    assert torch.allclose(torch.as_tensor(next(iter(said.values()))), model.layer(X))


REFUSED = {
    "bfloat16": (lambda: nn.Linear(3, 2).bfloat16(), X.bfloat16(), "model.float"),
    "keyword only": (lambda: KeywordOnly(3, 2), X, "by keyword only"),
    "fixed batch": (lambda: FixedBatch(3, 2), X, "any number"),
    "a number": (lambda: Gives(lambda y: {"a": y, "n": 3}), X, "returns a int as n"),
    "text": (lambda: Gives(lambda y: (y, "cat")), X, r"returns a str as \[1\]"),
}


@pytest.mark.parametrize(("make", "example", "line"), REFUSED.values(), ids=REFUSED)
def test_the_rest_is_refused_in_a_line(make: Any, example: Any, line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageProblem) as caught:
        build(make().eval(), copy.copy(example), tmp_path / "m")
    assert re.search(line, str(caught.value))
    assert "\n" not in str(caught.value)
