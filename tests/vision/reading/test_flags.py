"""Crowds and difficult objects mean what their format says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics import Predictions
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.npz import dump, load
from cvtrack_magics.tasks.truth_digest import truths

BOXES = np.array([[10.0, 10, 30, 30], [40, 40, 90, 90]])
SIZES = [(100, 100)]
FOUND = {"boxes": BOXES[:1], "labels": [0], "scores": [0.9]}


def detection(truth: Any, found: Any = None) -> Predictions:
    return Predictions.detection(None, [truth], [found or FOUND], classes=["a"], sizes=SIZES)


def measured(made: Predictions) -> Any:
    return measure(made, resamples=0, threshold=0.5)


@pytest.mark.parametrize(
    "key",
    [
        "difficult",
        "is_difficult",
        "gt_difficult",
        "ignore",
        "ignored",
        "is_ignored",
        "ignore_flag",
        "ignore_flags",
        "gt_ignore_flags",
        "iscrowd",
        "is_crowd",
        "crowd",
        "gt_is_crowd",
        "is_group_of",
        "IsGroupOf",
    ],
)
@pytest.mark.parametrize(
    "kind", [list, np.array, torch.tensor, lambda v: np.array(v, bool), lambda v: [*map(str, v)]]
)
def test_an_object_that_does_not_count_is_not_missed(key: str, kind: Any) -> None:
    found = measured(detection({"boxes": BOXES, "labels": [0, 0], key: kind([0, 1])}))
    assert found.metrics["recall"] == found.metrics["precision"] == 1
    assert found.metrics["mAP50"] == pytest.approx(1)
    assert found.per_class["support"].tolist() == [1]


def annotation(box: list[float], **more: Any) -> dict[str, Any]:
    return {"bbox": box, "category_id": 0, **more}


@pytest.mark.parametrize("key", ["difficult", "ignore", "iscrowd"])
def test_coco_annotations_have_them_one_by_one(key: str) -> None:
    truth = [annotation([10, 10, 20, 20]), annotation([40, 40, 50, 50], **{key: 1})]
    assert measured(detection(truth)).metrics["recall"] == 1


def test_a_part_of_a_crowd_is_a_match_and_of_a_difficult_object_is_not() -> None:
    part = {
        "boxes": np.array([[10.0, 10, 30, 30], [45, 45, 60, 60]]),
        "labels": [0, 0],
        "scores": [0.9, 0.8],
    }
    precision = {
        key: measured(detection({"boxes": BOXES, "labels": [0, 0], key: [0, 1]}, part)).metrics[
            "precision"
        ]
        for key in ("iscrowd", "difficult")
    }
    assert precision == {"iscrowd": 1, "difficult": 0.5}


def test_a_difficult_object_takes_as_many_predictions_as_there_are() -> None:
    said = {
        "boxes": np.concatenate((BOXES, BOXES[1:] + 1, BOXES[1:] - 1)),
        "labels": [0] * 4,
        "scores": [0.9, 0.8, 0.7, 0.6],
    }
    found = measured(detection({"boxes": BOXES, "labels": [0, 0], "difficult": [0, 1]}, said))
    assert found.metrics["precision"] == 1
    assert found.metrics["mAP50-95"] == pytest.approx(1)


def test_a_line_says_how_many() -> None:
    found = measured(detection({"boxes": BOXES, "labels": [0, 0], "ignore": [1, 1]}))
    assert any(note.startswith("2 objects to ignore") for note in found.notes)


@pytest.mark.parametrize("flags", [[0, 0], [False, False], None])
def test_flags_of_nothing_change_nothing(flags: Any) -> None:
    truth = {"boxes": BOXES, "labels": [0, 0]}
    with_flags = detection(truth | ({} if flags is None else {"difficult": flags}))
    assert with_flags.boxes.truth.ignored is None
    assert measured(with_flags).metrics["recall"] == 0.5
    assert list(truths(with_flags)) == list(truths(detection(truth)))


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 1)])
def test_they_outlive_a_join_a_selection_and_a_file(order: tuple[int, ...]) -> None:
    plain = {"boxes": BOXES, "labels": [0, 0]}
    parts = [detection(plain | ({"difficult": [0, 1]} if one else {})) for one in order]
    joined, _ = load(dump(Predictions.join(parts), None))
    assert joined.boxes.truth.ignored is not None
    assert joined.boxes.truth.ignored.tolist() == [bool(v) for one in order for v in (0, one)]
    for at, one in enumerate(order):
        assert measured(joined[at]).metrics["recall"] == (1 if one else 0.5)
    assert len(set(truths(joined))) == len(set(order))


@pytest.mark.parametrize("values", [[0], [0, 1, 0], [0, 2], [0, -1], [0.5, 0], ["yes", "no"]])
def test_flags_that_are_none_are_refused(values: Any) -> None:
    with pytest.raises(UsageProblem, match="difficult"):
        detection({"boxes": BOXES, "labels": [0, 0], "difficult": values})


def test_instance_masks_have_them_too() -> None:
    masks = np.zeros((2, 100, 100), bool)
    masks[0, :20], masks[1, 50:] = True, True
    made = Predictions.instance(
        None,
        [{"masks": masks, "labels": [0, 0], "difficult": [0, 1]}],
        [{"masks": masks[:1], "labels": [0], "scores": [0.9]}],
        classes=["a"],
        sizes=SIZES,
    )
    assert measured(made).metrics["mask_AP"] == pytest.approx(1)
