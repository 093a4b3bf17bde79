"""Labels that mean "does not count": -1, -100, 255 and whatever is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.npz import dump, load

TRUTH = np.zeros((2, 4, 4), int)
TRUTH[0, :2] = 1
HOLE = np.zeros(TRUTH.shape, bool)
HOLE[1, 0] = True


def segments(ignore: int, dtype: Any, said: int = 0, **options: Any) -> Predictions:
    truth = np.where(HOLE, ignore, TRUTH).astype(dtype)
    predicted = np.where(HOLE, said, TRUTH)
    return Predictions.semantic(None, truth, predicted, ignore=ignore, **options)


@pytest.mark.parametrize("said", ["right", "ignore"])
@pytest.mark.parametrize("classes", [None, ["a", "b"], 255, 256, 300])
@pytest.mark.parametrize(
    ("ignore", "dtype"),
    [
        (-1, int),
        (-1, np.int8),
        (-1, float),
        (-2, int),
        (-100, int),
        (-100, np.int16),
        (-100, float),
        (65535, int),
        (1000, int),
        (1 - 2**31, int),
    ],
)
def test_pixels_to_ignore_do_not_count(ignore: int, dtype: Any, classes: Any, said: str) -> None:
    made = segments(ignore, dtype, 0 if said == "right" else ignore, classes=classes)
    for part in (made, load(dump(made, None))[0]):
        found = measure(part, resamples=0)
        assert found.metrics["mIoU"] == found.metrics["pixel_acc"] == 1
        assert found.per_class["support"].sum() == 28


@pytest.mark.parametrize("classes", [None, ["a", "b"], 200, 255])
def test_255_is_ignored_where_said(classes: Any) -> None:
    for said in (0, 255):
        found = measure(segments(255, np.uint8, said, classes=classes), resamples=0)
        assert found.metrics["mIoU"] == 1
        assert found.per_class["support"].sum() == 28


def test_a_predicted_label_of_no_class_is_wrong_where_the_truth_counts() -> None:
    predicted = np.where(TRUTH == 1, 255, TRUTH)
    found = measure(Predictions.semantic(None, TRUTH, predicted, classes=["a", "b"], ignore=255))
    assert found.metrics["pixel_acc"] == 0.75
    assert any(note.startswith("8 pixels") for note in found.notes)


@pytest.mark.parametrize("label", [-1, -2, -100, 255, 65535])
@pytest.mark.parametrize("classes", [None, ["a", "b"]])
def test_a_label_that_is_hardly_a_class_is_never_taken_silently(label: int, classes: Any) -> None:
    truth = np.where(HOLE, label, TRUTH)
    try:
        found = measure(Predictions.semantic(None, truth, TRUTH, classes=classes), resamples=0)
        words = " ".join(found.notes)
    except UsageProblem as refused:
        words = str(refused)
    assert f"ignore={label}" in words


@pytest.mark.parametrize(
    ("label", "ignore", "classes"),
    [
        (-1, None, None),
        (-100, None, None),
        (-100, None, ["a", "b", "c"]),
        (-1, -1, None),
        (-100, -100, None),
        (-2, -2, None),
        (255, 255, None),
        (255, 255, ["a", "b", "c"]),
        (65535, 65535, None),
        (9, 9, None),
        (-999, -999, None),
    ],
)
def test_samples_of_unknown_truth_are_left_out(label: int, ignore: Any, classes: Any) -> None:
    made = Predictions.classification(
        None, [0, label, 2], np.eye(3) * 4.0, ignore=ignore, classes=classes
    )
    found = measure(made, resamples=0)
    assert found.metrics["top1_acc"] == 1
    assert found.per_class["support"].tolist() == [1, 0, 1]
    assert any(note.startswith("1 sample of unknown truth") for note in found.notes)


@pytest.mark.parametrize("label", [-2, -99, 255, 65535])
def test_a_label_of_no_class_is_refused_with_what_to_say(label: int) -> None:
    with pytest.raises(UsageProblem, match=f"ignore={label}"):
        Predictions.classification(None, [0, label, 2], np.eye(3) * 4.0)
