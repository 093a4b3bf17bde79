from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.regression as tm

from cvtrack_magics.errors import UsageProblem
from tests.vision.measure.make import measured, measured_depth, random_depths

NEAR: dict[str, Any] = {"abs": 1e-6, "rel": 0}


def pixels(data: Any) -> tuple[Any, Any]:
    truth = np.concatenate([part.reshape(-1).astype(float) for part in data.depths.truth])
    said = np.concatenate([part.reshape(-1).astype(float) for part in data.depths.prediction])
    kept = np.isfinite(truth) & (truth > 0)
    return truth[kept], said[kept]


@pytest.mark.parametrize("holes", [0.0, 0.3, 0.95])
@pytest.mark.parametrize("seed", range(8))
def test_figures_are_those_of_the_pooled_pixels(seed: int, holes: float) -> None:
    data = random_depths(seed, 1 + seed, holes)
    truth, said = pixels(data)
    found = measured(data).metrics
    relative = sk.mean_absolute_percentage_error(truth, said)
    assert found["AbsRel"] == pytest.approx(relative, **NEAR)
    assert found["RMSE"] == pytest.approx(sk.mean_squared_error(truth, said) ** 0.5, **NEAR)
    pair = torch.tensor(said), torch.tensor(truth)
    theirs = float(tm.mean_absolute_percentage_error(*pair))
    assert found["AbsRel"] == pytest.approx(theirs, **NEAR)
    root = float(tm.mean_squared_error(*pair, squared=False))
    assert found["RMSE"] == pytest.approx(root, **NEAR)
    far = np.maximum(said / truth, truth / said)
    for power in (1, 2, 3):
        assert found[f"delta_{power}"] == pytest.approx((far < 1.25**power).mean(), **NEAR)


def test_the_limit_of_delta_is_not_within() -> None:
    found = measured(
        measured_depth([np.array([[1.0, 1.25, 4.0, 4.0]])], [np.array([[1.25, 1.0, 5.0, 4.9]])])
    )
    assert found.metrics["delta_1"] == 0.25
    assert found.metrics["delta_2"] == 1


def test_samples_have_their_own_figures_and_the_whole_is_pooled() -> None:
    data = random_depths(3, 4)
    found = measured(data)
    for row in range(4):
        truth, said = pixels(data[[row]])
        relative = np.abs(said - truth) / truth
        assert found.samples["AbsRel"][row] == pytest.approx(relative.mean(), **NEAR)
        root = np.sqrt(np.square(said - truth).mean())
        assert found.samples["RMSE"][row] == pytest.approx(root, **NEAR)
        assert found.samples["valid"][row] == len(truth)
    weights = found.samples["valid"]
    mean = np.average(found.samples["AbsRel"], weights=weights)
    assert found.metrics["AbsRel"] == pytest.approx(mean, **NEAR)
    assert found.metrics["AbsRel"] != pytest.approx(found.samples["AbsRel"].mean(), abs=1e-4)


def test_no_valid_pixel() -> None:
    none = np.array([[0.0, -1.0, np.nan]])
    said = np.ones((1, 3))
    found = measured(measured_depth([none], [said]))
    assert all(math.isnan(value) for value in found.metrics.values())
    assert found.notes == ("No pixel has a valid truth: nothing was measured.",)
    assert found.pictures == {}
    half = measured(measured_depth([none, said], [said, said * 2]), resamples=20)
    assert half.metrics["AbsRel"] == 1
    assert np.isnan(half.samples["AbsRel"]).tolist() == [True, False]
    assert half.notes[0] == "1 of 2 samples have no valid pixel."
    assert half.notes[1:] == (
        "No interval: too few samples with valid pixels (1); 3 are the least.",
    )


def test_what_is_not_finite_is_no_error_but_wrong() -> None:
    truth = np.full((1, 4), 2.0)
    found = measured(measured_depth([truth], [np.array([[2.0, np.nan, np.inf, 3.0]])]))
    assert found.metrics["AbsRel"] == 0.25
    assert found.metrics["RMSE"] == pytest.approx(math.sqrt(0.5))
    assert found.metrics["delta_1"] == 0.25
    assert "2 pixels predicted as NaN or infinity" in found.notes[0]
    lost = measured(measured_depth([truth], [np.full((1, 4), np.nan)]))
    assert math.isnan(lost.metrics["AbsRel"])
    assert lost.metrics["delta_3"] == 0


def test_a_depth_of_0_or_below_counts() -> None:
    truth = np.full((1, 4), 2.0)
    found = measured(measured_depth([truth], [np.array([[2.0, 0.0, -2.0, 2.0]])]))
    assert found.metrics["AbsRel"] == 0.75
    assert found.metrics["RMSE"] == pytest.approx(math.sqrt(5))
    assert found.metrics["delta_3"] == 0.5
    assert found.notes == ("2 pixels predicted as 0 or below.",)


def test_the_error_map_is_the_mean_at_each_place() -> None:
    truth = [np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[2.0, 0.0], [0.0, 4.0]])]
    said = [np.array([[2.0, 1.0], [9.0, 4.0]]), np.array([[2.0, 1.0], [9.0, 5.0]])]
    picture = measured(measured_depth(truth, said)).pictures["depth_error"]
    assert picture == pytest.approx(np.array([[0.5, 0.5], [np.nan, 0.125]]), nan_ok=True)
    big = [truth[0], np.full((4, 4), 2.0)]
    found = measured(measured_depth(big, [said[0], np.full((4, 4), 3.0)]))
    assert found.pictures["depth_error"].shape == (2, 2)
    assert "stretched" in found.notes[0]


def test_a_prediction_of_another_size_is_named() -> None:
    with pytest.raises(UsageProblem, match="s0: the prediction is of 2×3 pixels"):
        measured(measured_depth([np.ones((2, 2))], [np.ones((2, 3))]))
