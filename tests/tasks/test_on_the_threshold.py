"""A score that lies on the threshold counts, in however few bits it came."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics.display.viewer.build import Frame, build_sheet
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.columns import exact, read_column

PICTURE = np.zeros((1, 12, 16, 3), np.uint8)
BOX = [[2.0, 2.0, 8.0, 8.0]]


def objects(score: Any, make: Any) -> Predictions:
    one = {"boxes": np.array(BOX), "labels": np.array([0]), "masks": np.ones((1, 12, 16), bool)}
    return make(PICTURE, [one], [{**one, "scores": np.array([score])}], classes=["a", "b"])


def anomaly(score: Any) -> Predictions:
    return Predictions.anomaly(PICTURE, np.array([1]), np.array([score]))


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.9])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "made",
    [
        lambda score: objects(score, Predictions.detection),
        lambda score: objects(score, Predictions.instance),
        anomaly,
    ],
    ids=["detection", "instance", "anomaly"],
)
def test_a_score_on_the_threshold_counts(made: Any, kind: Any, threshold: float) -> None:
    predictions = made(kind(threshold))
    held = {np.float16: np.float16(threshold), np.float32: threshold, np.float64: threshold}[kind]
    found = measure(predictions, threshold=float(held), resamples=0)
    assert found.metrics["recall"] == 1


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (np.array([0.7, np.nan, np.inf], np.float32), "f4"),
        (np.array([0.5, 0.25, np.nan]), "f4"),
        (np.array([0.7, 0.1]), "f8"),
        (np.array([1e300, 0.5]), "f8"),
        (np.zeros(0), "f4"),
    ],
)
def test_no_column_of_the_viewer_rounds_a_score(values: Any, dtype: str) -> None:
    held = exact(values)
    assert held["dtype"] == dtype
    np.testing.assert_array_equal(read_column(held), values)


def test_figures_of_the_viewer_have_the_digits_that_were_set() -> None:
    frame = Frame(anomaly(0.5))
    assert build_sheet([frame], limit=10**6, digits=6).document["digits"] == 6
