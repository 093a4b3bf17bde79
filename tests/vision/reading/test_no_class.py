"""Pixels, samples and scores of NaN are wrong answers, and are counted in a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cvtrack_magics import Predictions
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.npz import dump, load

TRUTH = np.zeros((2, 16, 16), int)
TRUTH[:, :8] = 1


def right(classes: int = 3, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    """Return logits of which every pixel is right."""
    return np.moveaxis(np.eye(classes)[TRUTH], -1, 1).astype(dtype)


def broken(value: float, where: Any, classes: int = 3, dtype: Any = np.float32) -> Any:
    logits = right(classes, dtype)
    logits[where] = value
    return logits


ALL = (slice(None),) * 4
ONE_CHANNEL = (slice(None), 1, slice(0, 4))
ONE_SAMPLE = (1,)


@pytest.mark.parametrize(
    ("logits", "lost"),
    [
        (broken(np.nan, ALL), 512),
        (broken(np.nan, ONE_CHANNEL), 128),
        (broken(np.nan, ONE_SAMPLE), 256),
        (broken(np.nan, ALL, dtype=np.float16), 512),
        (broken(np.nan, ALL, dtype=np.float64), 512),
        (broken(np.nan, ALL, classes=2), 512),
        (broken(np.nan, ALL, classes=255), 512),
        (broken(np.nan, ONE_SAMPLE, classes=256), 256),
        (broken(np.nan, ONE_SAMPLE, classes=300), 256),
        (broken(np.inf, ALL), 512),
        (broken(-np.inf, ALL), 512),
        (broken(np.nan, (0, 0, 0, 0)), 1),
    ],
)
def test_a_pixel_of_no_class_is_wrong(logits: Any, lost: int) -> None:
    made = Predictions.semantic(None, TRUTH, logits=logits)
    found = measure(made, resamples=20)
    assert found.metrics["pixel_acc"] == pytest.approx(1 - lost / 512)
    assert found.metrics["mIoU"] < 1
    assert found.per_class["support"].sum() == 512
    assert found.confusion is not None
    assert found.confusion.sum() == 512 - lost
    assert any(note.startswith(f"{lost:,} pixel") for note in found.notes)
    again, _ = load(dump(made, None))
    assert measure(again, resamples=20).metrics == pytest.approx(found.metrics, nan_ok=True)


def test_one_logit_of_minus_infinity_rules_a_class_out() -> None:
    found = measure(Predictions.semantic(None, TRUTH, logits=broken(-np.inf, (slice(None), 2))))
    assert found.metrics["pixel_acc"] == 1
    assert not any("no predicted" in n for n in found.notes)


@pytest.mark.parametrize("where", [0, 1])
def test_joined_parts_keep_what_is_lost(where: int) -> None:
    parts = [
        Predictions.semantic(None, TRUTH, logits=right(), ids=[f"a{i}", f"b{i}"]) for i in "xy"
    ]
    parts[where] = Predictions.semantic(None, TRUTH, logits=broken(np.nan, ALL), ids=["c", "d"])
    found = measure(parts[0] + parts[1])
    assert found.metrics["pixel_acc"] == 0.5
    assert any(note.startswith("512 pixels") for note in found.notes)


def test_lost_pixels_that_are_ignored_are_told_apart() -> None:
    truth = np.where(TRUTH == 1, 255, TRUTH)
    made = Predictions.semantic(None, truth, logits=broken(np.nan, ALL), ignore=255)
    assert "256 pixels of no predicted class (NaN) counted as wrong; 256 more ignored." in (
        measure(made).notes
    )


def semantic_maps() -> Predictions:
    return Predictions.semantic(None, TRUTH, np.where(TRUTH == 1, np.nan, 0.0), classes=["bg", "a"])


def classified(key: str, rows: Any) -> Callable[[], Predictions]:
    given: dict[str, Any] = {key: np.array(rows)}
    return lambda: Predictions.classification(None, [0, 0, 1, 1], **given)


NAN = np.nan
CLASSES = [[3.0, 0, 0], [NAN, 0, 0], [0, 3, 0], [NAN] * 3]
BINARY = [-2.0, NAN, 2.0, NAN]


@pytest.mark.parametrize(
    ("make", "metric", "value", "line"),
    [
        (semantic_maps, "pixel_acc", 0.5, "256 pixels"),
        (classified("logits", CLASSES), "top1_acc", 0.5, "2 samples"),
        (classified("scores", CLASSES), "top1_acc", 0.5, "2 samples"),
        (classified("logits", [[NAN] * 3] * 4), "top1_acc", 0.0, "4 samples"),
        (classified("scores", [[NAN] * 3] * 4), "top1_acc", 0.0, "4 samples"),
        (classified("probabilities", [[NAN] * 2] * 4), "top1_acc", 0.0, "4 samples"),
        (classified("logits", BINARY), "top1_acc", 0.5, "2 samples"),
        (classified("logits", [[np.inf] * 3] * 4), "top1_acc", 0.0, "4 samples"),
        (classified("logits", [[-np.inf] * 3] * 4), "top1_acc", 0.0, "4 samples"),
        (
            lambda: Predictions.anomaly(None, [0, 1, 0, 1], [0.1, 0.9, NAN, NAN]),
            "F1",
            0.5,
            "2 samples",
        ),
        (
            lambda: Predictions.depth(None, np.ones((1, 4, 4)), np.full((1, 4, 4), NAN)),
            "delta_1",
            0.0,
            "16 pixels",
        ),
    ],
)
def test_no_answer_is_no_right_answer(
    make: Callable[[], Predictions], metric: str, value: float, line: str
) -> None:
    found = measure(make(), resamples=20)
    assert found.metrics[metric] == pytest.approx(value)
    assert any(line in note and "wrong" in note for note in found.notes)
