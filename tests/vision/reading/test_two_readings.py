"""Inputs with two readings are refused or said, in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics import Predictions, UsageProblem
from cvtrack_magics.tasks.evaluate import measure

LABELS = np.array([0, 1, 2, 1])
SHARES = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.3, 0.6], [0.5, 0.25, 0.25]])
LOGITS = np.log(SHARES)


def classified(truth: Any = LABELS, **scores: Any) -> Predictions:
    return Predictions.classification(None, truth, **scores)


@pytest.mark.parametrize("name", ["scores", "logits"])
@pytest.mark.parametrize(
    "shares",
    [SHARES * 100, (SHARES * 255).astype(np.uint8), (SHARES * 20).round().astype(int)],
    ids=["percent", "bytes", "votes"],
)
def test_shares_of_a_whole_are_no_logits(name: str, shares: Any) -> None:
    with pytest.raises(UsageProblem, match="shares"):
        classified(**{name: shares})


@pytest.mark.parametrize(
    "logits",
    [LOGITS, LOGITS + 9, np.abs(LOGITS) * 7, SHARES * 100 * np.array([[1], [2], [3], [4]])],
    ids=["negative", "shifted", "positive", "scaled"],
)
def test_logits_are_read_as_such(logits: Any) -> None:
    power = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = power / power.sum(axis=1, keepdims=True)
    assert np.allclose(classified(logits=logits).labels.probabilities, expected)


@pytest.mark.parametrize("read", ["classification", "anomaly"])
def test_signs_are_no_labels_of_unknown(read: str) -> None:
    with pytest.raises(UsageProblem, match="-1 and 1"):
        getattr(Predictions, read)(None, [-1, 1, 1], np.array([0.2, 0.3, 0.9]))


def test_labels_of_unknown_beside_both_classes_are_left_out() -> None:
    found = classified([-1, 1, 0], probabilities=np.array([0.9, 0.8, 0.1]))
    assert measure(found).metrics["top1_acc"] == 1.0


@pytest.mark.parametrize("truth", [[0.0, np.nan, 1.0], np.array([0, np.nan, 2])])
def test_missing_labels_are_named_as_missing(truth: Any) -> None:
    with pytest.raises(UsageProblem, match="missing"):
        classified(truth, probabilities=SHARES[:3])


MAP = np.arange(2 * 8 * 8).reshape(2, 8, 8) % 3


@pytest.mark.parametrize(
    ("truth", "ignore"),
    [
        (MAP * 1000 + 7, None),
        (np.where(MAP == 2, 26_001, MAP), None),
        (np.where(MAP == 2, 255, MAP * 1000), 255),
    ],
    ids=["class × 1000", "one id", "beside a label to ignore"],
)
def test_ids_of_objects_are_no_classes(truth: Any, ignore: int | None) -> None:
    with pytest.raises(UsageProblem, match="ids of objects"):
        Predictions.semantic(None, truth, MAP, ignore=ignore)
    names = [str(at) for at in range(30_000)]
    assert Predictions.semantic(None, truth, MAP, ignore=ignore, classes=names).notes == ()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 255], "Label 255 was read as a class"),
        ([0, 1, 254], "Label 254 was read as a class"),
        ([0, 1, 200, 201], "Labels from 200 on were read as classes, 1 comes before"),
        ([0, 1, 50], ""),
        (list(range(150)), ""),
    ],
)
def test_a_label_far_from_all_others_is_said(labels: list[int], words: str) -> None:
    plane = np.resize(np.array(labels), (1, 16, 16))
    notes = Predictions.semantic(None, plane, plane).notes
    assert len(notes) == bool(words)
    assert "".join(notes).startswith(words)


@pytest.mark.parametrize("after_sigmoid", [False, True])
def test_one_channel_is_the_second_classs_logit(after_sigmoid: bool) -> None:
    truth = MAP[:, :4] % 2
    logits = np.random.default_rng(0).normal(size=(2, 1, 4, 8)) * 3
    logits[0, 0, 0, 0] = np.nan
    given = 1 / (1 + np.exp(-logits)) if after_sigmoid else logits
    found = Predictions.semantic(None, truth, logits=given, classes=["back", "object"])
    right = (logits[:, 0] > 0) == truth
    right[0, 0, 0] = False
    assert measure(found).metrics["pixel_acc"] == pytest.approx(right.mean())
    assert bool(found.notes) == after_sigmoid


TRUTH = {"boxes": [[10.0, 10, 30, 40]], "labels": [0]}
FOUND = {**TRUTH, "scores": [0.9]}


def detected(truth: Any = TRUTH, found: Any = FOUND) -> tuple[str, ...]:
    return Predictions.detection(None, [truth], [found], classes=["a"], sizes=[(100, 100)]).notes


@pytest.mark.parametrize("key", ["gt_bboxes_ignore", "isDifficult", "groundtruth_is_crowd"])
def test_flags_under_an_unknown_name_are_said(key: str) -> None:
    (note,) = detected({**TRUTH, key: [1]})
    assert key in note


@pytest.mark.parametrize(
    "key", ["area", "occluded", "truncated", "image_id", "iscrowd", "difficult"]
)
def test_other_columns_are_passed_by(key: str) -> None:
    assert detected({**TRUTH, key: [0]}) == ()


@pytest.mark.parametrize(
    ("scores", "said"), [([0.0], 0), ([1.0], 0), ([1.0004], 0), ([87.0], 1), ([-1.5], 1)]
)
def test_scores_that_are_no_probabilities_are_said(scores: list[float], said: int) -> None:
    notes = detected(found={**FOUND, "scores": scores})
    assert len(notes) == said


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        ([[100.0, 200, 400, 600]], True),
        ([[-30.0, -30, 10, 10]], True),
        ([[90.0, 90, 105, 105]], False),
        ([[0.0, 0, 100, 100]], False),
        ([[10.0, 10, 20, 20]] * 10 + [[150, 10, 160, 20]], False),
    ],
)
def test_boxes_off_their_picture_are_said(boxes: list[list[float]], said: bool) -> None:
    count = len(boxes)
    found = {"boxes": boxes, "labels": [0] * count, "scores": [0.5] * count}
    assert [("outside" in note) for note in detected(found=found)] == [True] * said


def test_masks_of_whole_numbers_without_a_zero_are_said() -> None:
    mask = np.where(MAP[0] > 0, 2, 1)[None]
    truth = {"masks": mask > 1, "labels": [0]}
    found = {"masks": mask, "labels": [0], "scores": [0.9]}
    made = Predictions.instance(None, [truth], [found], classes=["a"], sizes=[(8, 8)])
    assert any("whole numbers up to 2" in note for note in made.notes)
