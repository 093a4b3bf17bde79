"""The plain picture: right tiles in the right places, whatever the sample."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtrack_magics.display.contact_sheet import compose
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.sample_scores import rate
from cvtrack_magics.vision.blending import shades
from tests.vision.examples import TASKS, example, photos


def opened(data: bytes) -> Any:
    image = Image.open(io.BytesIO(data))
    assert image.format == "WEBP"
    return np.asarray(image.convert("RGB")).astype(int)


def test_the_pictures_stand_where_they_should() -> None:
    images = np.zeros((3, 100, 120, 3), np.uint8)
    images[0, :, :, 0] = images[1, :, :, 1] = images[2, :, :, 2] = 255
    made = Predictions.classification(images, [0, 0, 0], np.eye(3))
    sheet = opened(compose(made, [0, 1, 2], columns=2, quality=100))
    assert sheet.shape == (2 * 118 + 18, 2 * 120 + 18, 3)
    for at, (y, x) in enumerate([(56, 66), (56, 192), (180, 66)]):
        assert sheet[y, x].argmax() == at
        assert sheet[y, x].max() > 200
    assert (sheet[200, 200] > 240).all()


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_picture_and_a_caption(task: str) -> None:
    made = example(task)
    plain = Predictions.classification(photos()[:4], None, np.eye(4))
    assert opened(compose(made, range(4))).std() > 20
    if task in ("detection", "instance", "semantic", "depth"):
        assert compose(made, range(4)) != compose(plain, range(4))
    words, right = kind_of(made.task).caption(made, 0)
    assert words
    assert isinstance(right, bool)


def detected(*scores: float, dtype: type = np.float64) -> Predictions:
    """Two pictures: the first object is found with the first score, an empty place with others."""
    truth = [{"boxes": [[10, 10, 40, 40]], "labels": [0]}, {"boxes": [], "labels": []}]
    found = [
        {
            "boxes": np.array([[10, 10, 40, 40]], dtype),
            "scores": np.array(scores[:1], dtype),
            "labels": [0],
        },
        {
            "boxes": np.array([[60, 60, 90, 90]] * len(scores[1:]), dtype).reshape(-1, 4),
            "scores": np.array(scores[1:], dtype),
            "labels": [0] * len(scores[1:]),
        },
    ]
    images = np.full((2, 100, 100, 3), 90, np.uint8)
    return Predictions.detection(images, truth, found, classes=["a"])


def box_is_drawn(made: Predictions, row: int, ratings: Any) -> bool:
    """Whether anything stands in the colour of the class."""
    sheet = opened(compose(made, [row], ratings, quality=100))[: 100 + 6]
    red, green, blue = shades(made.classes)[0]
    return bool((np.abs(sheet - [red, green, blue]).sum(axis=2) < 60).any())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7])
def test_what_is_drawn_counts_from_the_best_threshold(threshold: float, dtype: type) -> None:
    made = detected(threshold, threshold / 2, dtype=dtype)
    ratings = rate(made)
    assert ratings.threshold == pytest.approx(threshold)
    assert box_is_drawn(made, 0, ratings)
    assert not box_is_drawn(made, 1, ratings)
    said = replace(rate(made, threshold / 2), threshold=threshold / 2)
    assert box_is_drawn(made, 1, said)
    assert (said.is_right(0), said.is_right(1)) == (True, False)


def test_as_many_boxes_elsewhere_are_not_right() -> None:
    truth = [{"boxes": [[10, 10, 40, 40]], "labels": [0]}] * 2
    found = [
        {"boxes": [box], "scores": [0.9], "labels": [0]}
        for box in ([60, 60, 90, 90], [10, 10, 40, 40])
    ]
    images = np.full((2, 100, 100, 3), 90, np.uint8)
    made = Predictions.detection(images, truth, found, classes=["a"])
    assert kind_of(made.task).caption(made, 0)[1]  # as many as there are
    assert [rate(made).is_right(row) for row in (0, 1)] == [False, True]
    judged, plain = (opened(compose(made, [0], one)) for one in (rate(made), None))
    assert (judged[-18:] != plain[-18:]).any()  # its words are in the colour of what is wrong


def test_a_wrong_class_is_said() -> None:
    made = Predictions.classification(
        photos()[:2], [0, 1], np.array([[0.2, 0.8], [0.3, 0.7]]), classes=["cat", "<b>dog</b>"]
    )
    assert kind_of(made.task).caption(made, 0) == ("<b>dog</b> 0.80, is cat", False)
    assert kind_of(made.task).caption(made, 1) == ("<b>dog</b> 0.70", True)


def test_odd_samples() -> None:
    names = ["x" * 300, "\n\t", "日本", "🦆"]
    images = [np.zeros(shape, np.uint8) for shape in ((1, 1), (3000, 20), (20, 3000, 3), (9, 9, 4))]
    made = Predictions.classification(images, [0, 1, 2, 3], np.eye(4), classes=names)
    assert opened(compose(made, range(4))).shape[1] < 2500
    none = Predictions.classification(None, [0], np.array([[np.nan, np.nan]]))
    assert opened(compose(none, [0])).size
    assert kind_of(none.task).caption(none, 0) == ("no score", False)
