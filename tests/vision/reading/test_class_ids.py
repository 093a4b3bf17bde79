"""Classes of objects under other names, YOLO's rows, crowds of joined parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure

PICTURE = np.zeros((1, 100, 100, 3), np.uint8)
BOXES = np.array([[10.0, 10, 30, 30], [40, 40, 90, 90]])


def detection(truth: Any, predictions: Any = None, **options: Any) -> Predictions:
    said = {"boxes": np.zeros((0, 4)), "labels": [], "scores": []}
    return Predictions.detection(PICTURE, [truth], [predictions or said], **options)


@pytest.mark.parametrize(
    "key",
    [
        "labels",
        "class_labels",
        "gt_classes",
        "pred_classes",
        "category_ids",
        "category_id",
        "class_ids",
        "class_id",
        "label",
        "cls",
    ],
)
def test_labels_are_read_under_the_names_they_have(key: str) -> None:
    read = detection({"boxes": BOXES, key: [2, 1]}, classes=["a", "b", "c"])
    assert read.boxes.truth.labels.tolist() == [2, 1]


@pytest.mark.parametrize(
    "keys",
    [
        ("object",),
        ("kind",),
        ("classes",),
        ("names",),
        ("category",),
        ("target",),
        ("y",),
        ("ids",),
        ("area", "class"),
        ("cls", "category_id"),
    ],
)
def test_objects_without_known_labels_are_refused_by_their_keys(keys: tuple[str, ...]) -> None:
    with pytest.raises(UsageProblem) as refused:
        detection({"boxes": BOXES, **{key: [0, 1] for key in keys}})
    assert all(key in str(refused.value) for key in keys)


def test_boxes_alone_are_of_one_class() -> None:
    assert detection({"boxes": BOXES}).boxes.truth.labels.tolist() == [0, 0]


@pytest.mark.parametrize("label", [0.9, 1.7, 0.5, 0.01, 2.5, -0.5, 1e-6, 1.0001, np.nan, np.inf])
def test_a_label_is_never_a_fraction(label: float) -> None:
    with pytest.raises(UsageProblem, match="labels are"):
        detection({"boxes": BOXES, "labels": np.array([0, label])})


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ([0, 0.5, 0.5, 0.2, 0.3], "cxcywh-rel"),
        ([1, 0.25, 0.25, 0.1, 0.1], "cxcywh-rel"),
        ([2, 0.7, 0.7, 0.1, 0.12], "cxcywh-rel"),
        ([0, 0.5, 0.5, 1, 1], "cxcywh-rel"),
        ([1, 0.5, 0.5, 0.4, 1], "cxcywh-rel"),
        ([0, 50, 50, 20, 30], "cxcywh"),
        ([1, 50, 50, 20, 30], "cxcywh"),
        ([2, 30, 70, 60, 60], "cxcywh"),
        ([7, 20, 80, 40, 10], "cxcywh"),
        ([3, 50, 50, 100, 100], "cxcywh"),
    ],
)
def test_rows_that_begin_with_the_class_are_refused(row: list[float], form: Any) -> None:
    with pytest.raises(UsageProblem, match="YOLO"):
        detection(np.array([row]), box_format=form)


def test_rows_that_end_with_the_class_are_read() -> None:
    read = detection(np.array([[50.0, 50, 20, 30, 0]]), box_format="cxcywh", classes=["a"])
    assert read.boxes.truth.xyxy.tolist() == [[40, 35, 60, 65]]


def part(index: int, crowd: list[int] | None) -> Predictions:
    boxes = BOXES[: len(crowd) if crowd else 1]
    truth: dict[str, Any] = {"boxes": boxes, "labels": np.zeros(len(boxes), int)}
    if crowd is not None:
        truth["iscrowd"] = crowd
    said = {"boxes": boxes, "labels": truth["labels"], "scores": np.full(len(boxes), 0.9)}
    return Predictions.detection(PICTURE, [truth], [said], classes=["a"], ids=[index])


@pytest.mark.parametrize(
    "crowds",
    [
        (None, [0, 1]),
        ([0, 1], None),
        ([0], [0, 1]),
        ([0, 1], [0]),
        (None, None, [0, 1]),
        (None, [0, 1], None),
        ([0, 1], None, None),
        ([1, 0], None, [0, 1]),
        ([0, 1], [1, 0]),
        ([1, 1], None, [0, 0], None),
    ],
)
def test_crowds_outlive_a_join(crowds: tuple[list[int] | None, ...]) -> None:
    joined = Predictions.join([part(at, crowd) for at, crowd in enumerate(crowds)])
    kept = joined.boxes.truth.crowd
    assert kept is not None
    assert kept.tolist() == [bool(c) for crowd in crowds for c in (crowd or [0])]
    assert len(measure(joined).samples["id"]) == len(crowds)
