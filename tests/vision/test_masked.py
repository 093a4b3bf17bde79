"""Masked arrays as truth and predictions: what lies under the mask is not measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import to_array

MASK = np.array([[True, False], [False, False]])
FRACTIONS: dict[str, Any] = {
    "double": np.ma.array(np.full((2, 2), 9.0), mask=MASK),
    "single": np.ma.array(np.full((2, 2), 9.0, np.float32), mask=MASK),
    "half": np.ma.array(np.full((2, 2), 9.0, np.float16), mask=MASK),
    "list": [np.ma.array([9.0, 9.0], mask=[True, False]), np.ma.array([9.0, 9.0])],
    "tuple": (np.ma.array([9.0, 9.0], mask=[True, False]), np.array([9.0, 9.0])),
}
WHOLE: dict[str, Any] = {
    "labels": np.ma.array([[9, 1], [1, 1]], mask=MASK),
    "bytes": np.ma.array(np.ones((2, 2), np.uint8), mask=MASK),
    "flags": np.ma.array(np.ones((2, 2), bool), mask=MASK),
    "list": [np.ma.array([9, 1], mask=[True, False]), np.array([1, 1])],
}


@pytest.mark.parametrize("what", FRACTIONS)
def test_a_masked_fraction_is_nan(what: str) -> None:
    found = to_array(FRACTIONS[what], "truth")
    assert np.isnan(found).tolist() == MASK.tolist()


@pytest.mark.parametrize("what", WHOLE)
def test_a_masked_whole_number_is_refused(what: str) -> None:
    with pytest.raises(UsageProblem, match="1 of 4 whole numbers are masked"):
        to_array(WHOLE[what], "truth")


def test_a_mask_that_hides_nothing_is_none() -> None:
    assert to_array(np.ma.array([1, 2]), "truth").tolist() == [1, 2]
