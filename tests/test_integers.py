"""Whole numbers of any type are steps; nothing else is."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics.integers import whole

WHOLE: list[tuple[Any, int]] = [
    (3, 3),
    (True, 1),
    (2**80, 2**80),
    (3.0, 3),
    (np.int8(-3), -3),
    (np.int64(3), 3),
    (np.uint64(2**63), 2**63),
    (np.float16(4), 4),
    (np.float64(4), 4),
    (np.array(5), 5),
    (np.array([6.0]), 6),
    (Decimal("7"), 7),
    (Fraction(8, 2), 4),
    (torch.tensor(9), 9),
    (torch.tensor(9.0, requires_grad=True), 9),
    (torch.tensor([9], dtype=torch.uint8), 9),
]
NONE: list[Any] = [
    2.5,
    math.nan,
    math.inf,
    np.float32(0.5),
    np.array([1, 2]),
    np.array("3"),
    np.datetime64("2026-01-01"),
    np.timedelta64(5, "s"),
    Decimal("1.5"),
    torch.tensor([1, 2]),
    "3",
    b"3",
    None,
    [1],
    3 + 0j,
    object(),
]


@pytest.mark.parametrize(("value", "expected"), WHOLE, ids=repr)
def test_whole_numbers(value: Any, expected: int) -> None:
    found = whole(value)
    assert found == expected
    assert type(found) is int


@pytest.mark.parametrize(
    "value", NONE, ids=[f"{type(item).__name__} {n}" for n, item in enumerate(NONE)]
)
def test_what_is_no_whole_number(value: Any) -> None:
    assert whole(value) is None
