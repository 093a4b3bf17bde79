"""One rule cuts the masks of grey values, whatever their type and task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure

HARD = np.zeros((40, 40), bool)
HARD[10:30, 10:30] = True


def resized(mode: str) -> Any:
    """Return the mask as interpolation leaves it, with its edge at half."""
    small = torch.zeros(1, 1, 20, 20)
    small[..., 5:15, 5:15] = 1
    return torch.nn.functional.interpolate(small, (40, 40), mode=mode)[0, 0].numpy()


SOFT, CUBIC = resized("bilinear"), resized("bicubic")
GREY = "grey edges"


MASKS: list[tuple[Any, str]] = [
    (HARD, ""),
    (HARD.astype(np.uint8), ""),
    (HARD * 255, ""),
    (HARD.astype(np.float32), ""),
    (HARD * np.float64(255), ""),
    (HARD * np.uint8(7), ""),
    (HARD * 65535, ""),
    (torch.from_numpy(HARD), ""),
    (SOFT, GREY),
    (SOFT.astype(np.float16), GREY),
    (SOFT.astype(np.float64), GREY),
    (torch.from_numpy(SOFT), GREY),
    (SOFT * 255, GREY),
    ((SOFT * 255).round().astype(np.uint8), GREY),
    ((SOFT * 255).round().astype(np.int64), GREY),
    ((SOFT * 65535).round().astype(np.uint16), GREY),
    ((SOFT * 65535).round().astype(np.int32), GREY),
    (SOFT * 65535, GREY),
    (CUBIC, GREY),
    (CUBIC * 255, GREY),
    (np.where(HARD, 1, -1), "logits"),
    (np.where(HARD, 0.4, -3), "logits"),
    (np.where(HARD, 12.5, -0.1), "logits"),
    (np.where(HARD, 0.001, -0.001), "logits"),
    (torch.from_numpy((SOFT - 0.5) * 8), "logits"),
    (np.where(HARD, SOFT.round() + (np.arange(40) % 3), 0), ""),
    (np.where(HARD, 3 + 4 * (np.arange(40) % 2), 0), "whole numbers"),
    (np.where(HARD, SOFT, np.nan), "NaN"),
]


def instance(mask: Any, side: str) -> Predictions:
    hard = {"masks": HARD[None], "labels": [0]}
    given = {"masks": mask[None], "labels": [0]}
    truth, said = (given, hard) if side == "truth" else (hard, given)
    scored = {**said, "scores": [0.9]}
    return Predictions.instance(None, [truth], [scored], classes=["a"], sizes=[(40, 40)])


def anomaly(mask: Any) -> Predictions:
    heat = np.stack((HARD, HARD & False)).astype(np.float32)
    masks = [mask, mask * 0]
    return Predictions.anomaly(None, [1, 0], [0.9, 0.1], heat=heat, masks=masks)


WAYS: list[Callable[[Any], Predictions]] = [
    lambda mask: instance(mask, "truth"),
    lambda mask: instance(mask, "predictions"),
    anomaly,
]


@pytest.mark.parametrize("make", WAYS)
@pytest.mark.parametrize(("mask", "word"), MASKS)
def test_a_mask_is_the_same_in_every_form(make: Any, mask: Any, word: str) -> None:
    made = make(mask)
    if made.task == "anomaly":
        assert made.anomalies.masks is not None
        np.testing.assert_array_equal(made.anomalies.masks[0], HARD)
        assert not made.anomalies.masks[1].any()
    else:
        for side in (made.boxes.truth, made.boxes.prediction):
            np.testing.assert_array_equal(side.masks[0].array(), HARD)
    assert any(word in note for note in made.notes) if word else made.notes == ()
    found = measure(made, resamples=0)
    assert found.notes[: len(made.notes)] == made.notes


def test_the_scale_is_that_of_the_set() -> None:
    """An image whose only object is dim is not read by another rule than its neighbours."""
    masks = np.stack((SOFT * 255, np.where(HARD, 1.0, 0)))
    made = Predictions.anomaly(None, [1, 1], [0.9, 0.1], masks=masks)
    assert made.anomalies.masks is not None
    assert [int(mask.sum()) for mask in made.anomalies.masks] == [400, 0]


@pytest.mark.parametrize("top", [1.5, 2, 6.3, 10, 31])
@pytest.mark.parametrize("make", WAYS)
def test_fractions_of_no_range_are_refused(make: Any, top: float) -> None:
    with pytest.raises(UsageProblem, match="mask > threshold"):
        make(SOFT * top)


@pytest.mark.parametrize("value", [0, 0.0, False, np.nan, 0.4])
def test_an_empty_mask_stays_empty(value: Any) -> None:
    made = anomaly(np.full((40, 40), value))
    assert made.anomalies.masks is not None
    assert not made.anomalies.masks[0].any()


def test_a_join_says_it_once() -> None:
    joined = anomaly(SOFT) + anomaly(SOFT)
    assert joined.notes == ("truth: masks with grey edges were cut at 0.5.",)
