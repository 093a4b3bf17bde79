"""The plain picture: right tiles in the right places, whatever the sample."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtrack_magics.display.contact_sheet import compose
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions
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
