"""Functions as text: what they use comes along, what cannot is named in one line."""

from __future__ import annotations

import builtins
import functools
import linecache
import math
import os.path as paths
from math import sqrt as root
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

import tests.release.model.nets as own_module
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.carrying import carry
from cvtrack_magics.release.model.serving.functions import defined

SCALE, NAMES, DTYPE = 2.5, ["cat", "dog"], torch.float32
SETTINGS = {"least": 0.5, "nested": {"a": [1, 2, (3, None)]}}
WEIGHT = torch.ones(3)
TOKEN = "https://me:secret@example.org/x"


def helper(values: Any, least: float = SCALE) -> Any:
    return deeper(values) * least


def deeper(values: Any) -> Any:
    return np.asarray(values) + math.floor(root(4.0))


def everything(output: torch.Tensor, names: list[str] = NAMES) -> dict[str, Any]:
    """Uses modules, helpers, constants, defaults and a nested function."""
    local: NotDefinedAnywhere = 1  # noqa: F821

    def inside(value: Any) -> Any:
        return value * SCALE + local

    scores = [inside(v) for v in helper(output.to(DTYPE)).tolist()]
    overlap = box_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 1, 3, 3]]))
    return {"scores": scores, "names": names, "s": SETTINGS, "iou": overlap.item()}


def alone(text: str, name: str) -> Any:
    return defined(text, name, "carried.py")


def test_a_function_brings_what_it_uses() -> None:
    carried = carry(everything)
    again = alone(carried.text, carried.name)
    value = torch.tensor([1.0, 2.0])
    assert again(value) == everything(value)
    assert {"torch", "torchvision", "numpy"} <= set(carried.packages)
    assert "math" not in carried.packages
    assert "WEIGHT" not in carried.text
    assert again.__globals__.keys() >= {"helper", "deeper", "SCALE", "np", "root"}


def test_constants_are_those_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    carried = carry(helper)
    monkeypatch.setattr("tests.release.model.test_carrying.SCALE", 100)
    assert alone(carried.text, "helper")([1]) == pytest.approx(7.5)


def countdown(n: int) -> int:
    return 0 if n == 0 else countdown(n - 1) + 1


alias = deeper


def uses_alias(v: Any) -> Any:
    return alias(v)


@torch.no_grad()
def decorated(x: torch.Tensor) -> torch.Tensor:
    return x * 2


def test_recursion_alias_decorator() -> None:
    assert alone(carry(countdown).text, "countdown")(5) == 5
    assert alone(carry(uses_alias).text, "uses_alias")([1])[0] == 3
    again = alone(carry(decorated).text, "decorated")
    assert not again(torch.ones(1, requires_grad=True)).requires_grad


def closed(over: Any) -> Any:
    def inner(x: Any) -> Any:
        return x * over

    return inner


def test_a_closure_over_a_constant_is_carried() -> None:
    assert alone(carry(closed(3)).text, "inner")(2) == 6


def uses_tensor(x: Any) -> Any:
    return x * WEIGHT


def uses_deep_tensor(x: Any) -> Any:
    return uses_tensor(x)


def uses_missing(x: Any) -> Any:
    return x + not_there  # type: ignore[name-defined]  # noqa: F821


def uses_own_module(x: Any) -> Any:
    return own_module.text(x)


def uses_class(x: Any) -> Any:
    return own_module_class(x)


own_module_class = own_module.Classifier


def uses_secret(x: Any) -> Any:
    return TOKEN + x


def uses_paths(x: Any) -> Any:
    return paths.join("a", x)


class Callable_:
    def __call__(self, x: Any) -> Any:
        return x

    def method(self, x: Any) -> Any:
        return x


REFUSED = {
    "tensor": (uses_tensor, "uses_tensor uses WEIGHT, a Tensor"),
    "tensor further down": (uses_deep_tensor, "uses_tensor uses WEIGHT, a Tensor"),
    "closure over a tensor": (closed(torch.ones(2)), "inner uses over, a Tensor"),
    "lambda": (lambda x: x, "lambda"),
    "no name": (uses_missing, "not_there, which is not defined"),
    "own module": (uses_own_module, "module of your own"),
    "class": (uses_class, "a type, which cannot be carried"),
    "object": (Callable_(), "A Callable_ cannot be carried"),
    "method": (Callable_().method, "A method cannot be carried"),
    "partial": (functools.partial(helper, least=2), "A partial cannot"),
    "builtin": (len, "cannot be carried"),
    "password": (uses_secret, "password or a token"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_carried_is_one_line(case: str) -> None:
    function, said = REFUSED[case]
    with pytest.raises(UsageProblem, match=said) as caught:
        carry(function)
    assert "\n" not in str(caught.value)


def test_a_function_without_source() -> None:
    space: dict[str, Any] = {}
    exec("def made(x):\n    return x", space)
    with pytest.raises(UsageProblem, match="source of made is not known"):
        carry(space["made"])


def test_a_module_under_another_name() -> None:
    carried = carry(uses_paths)
    assert alone(carried.text, "uses_paths")("b") == paths.join("a", "b")


def test_names_that_ipython_adds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def display(*objects: Any) -> None:
        del objects

    source = "def shows(x):\n    display(x)\n    return x\n"
    space: dict[str, Any] = {"__name__": "__main__"}
    monkeypatch.setattr(builtins, "display", display, raising=False)
    monkeypatch.setitem(
        linecache.cache, "cell", (len(source), None, source.splitlines(True), "cell")
    )
    exec(compile(source, "cell", "exec"), space)
    with pytest.raises(UsageProblem, match="display, which is not defined"):
        carry(space["shows"])
