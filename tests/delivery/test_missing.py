"""A masked or missing value is NaN, never what lies under it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cvtrack_magics.delivery.numbers import as_number

HIDDEN = np.ma.array([0.5, 0.7], mask=[True, True])
MISSING: dict[str, Any] = {
    "masked mean": HIDDEN.mean(),
    "masked sum": HIDDEN.sum(),
    "masked maximum": HIDDEN.max(),
    "the constant": np.ma.masked,
    "0-d": np.ma.array(3.0, mask=True),
    "0-d whole": np.ma.array(3, mask=True),
    "0-d flag": np.ma.array(True, mask=True),
    "one element": np.ma.array([3.0], mask=[True]),
    "one by one": np.ma.array([[3.0]], mask=[[True]]),
    "an item": HIDDEN[1],
    "pandas NA": pd.NA,
    "pandas NaT": pd.NaT,
    "NA of a column": pd.array([None], dtype="Int64")[0],
    "NA in an array": np.array(pd.NA, dtype=object),
    "mean of nothing": pd.Series([], dtype=float).mean(),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing_is_nan(what: str) -> None:
    assert math.isnan(as_number("loss", MISSING[what]))


@pytest.mark.parametrize(
    "value",
    [
        np.ma.array([0.5, 0.7], mask=[True, False]).mean(),
        np.ma.array(0.7),
        np.ma.array([0.7], mask=[False]),
        pd.array([0.7], dtype="Float64")[0],
    ],
)
def test_what_is_there_is_kept(value: object) -> None:
    assert as_number("loss", value) == pytest.approx(0.7)
