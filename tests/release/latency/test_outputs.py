"""Whether two outputs agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cvtrack_magics.release.latency.parity import arrays, difference


def said(one: object, two: object, precision: str = "float32") -> str:
    return difference(arrays(one), arrays(two), precision)


def test_nested_outputs_are_read_in_order() -> None:
    output = {"out": torch.ones(2), "rest": [(torch.zeros(1), np.arange(3)), None, "word"]}
    assert [array.tolist() for array in arrays(output)] == [[1, 1], [0], [0, 1, 2]]


def test_the_same_with_other_containers() -> None:
    value = torch.randn(2, 5, requires_grad=True)
    assert said({"logits": value}, [value.detach().numpy() * (1 + 1e-6)]) == ""
    assert said(None, None) == ""
    assert said(torch.zeros(0, 4), np.zeros((0, 4))) == ""


def test_bfloat16_is_read_and_half_is_given_room() -> None:
    value = torch.linspace(0, 1, 50)
    assert said(value, value.to(torch.bfloat16), "bfloat16") == ""
    assert said(value, value + 0.01, "float16") == ""
    assert "0.01 off" in said(value, value + 0.01, "float32")


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (torch.ones(2), [torch.ones(2)] * 2, "2 outputs instead of 1"),
        (torch.ones(2, 3), torch.ones(3, 2), "output 1 is 3×2 instead of 2×3"),
        (torch.ones(4), torch.full((4,), 1.5), "output 1 is up to 0.5 off, at values up to 1"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "output 1: 50.0% of the values differ"),
        (torch.tensor([1.0, torch.nan]), torch.ones(2), "not finite in other places"),
    ],
)
def test_differences_in_words(one: object, two: object, words: str) -> None:
    assert words in said(one, two)


def test_not_finite_in_the_same_places() -> None:
    value = torch.tensor([1.0, torch.inf, torch.nan])
    assert said(value, value.clone()) == ""
