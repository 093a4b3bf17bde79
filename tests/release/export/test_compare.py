"""Numbers and decisions beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from cvtrack_magics.release.export.compare import compared
from cvtrack_magics.release.export.facts import Check, Tolerance

USUAL = Tolerance(1e-3, 1e-4)


def one(wanted: object, found: object) -> Check:
    (check,) = compared("case", ["out"], [np.asarray(wanted)], [np.asarray(found)], USUAL)
    return check


def test_equal_nan_is_not_equal() -> None:
    both = np.array([1.0, np.nan])
    assert not one(both, both).ok
    assert not one(np.array([1.0, 2.0]), both).ok
    assert one(np.array([1.0, -np.inf]), np.array([1.0, -np.inf])).ok


def test_differences_are_those_of_numpy() -> None:
    check = one([1.0, 10.0], [1.0, 10.5])
    assert check.max_abs == pytest.approx(0.5)
    assert check.max_rel == pytest.approx(0.05)
    assert not check.ok


def test_classes_agree_up_to_a_tie() -> None:
    assert one([[1.0, 2.0], [2.0, 1.0]], [[1.0, 2.0], [1.0, 2.0]]).agreement == 0.5
    assert one([[1.0, 1.00001]], [[1.0, 0.99999]]).agreement == 1.0
    assert one([0.5, 0.6], [0.5, 0.6]).agreement is None


def test_integers_and_booleans_are_exact() -> None:
    assert one([1000000, 2], [1000000, 2]).ok
    wrong = one([1000000, 2], [1000001, 2])
    assert (wrong.ok, wrong.agreement, wrong.max_abs) == (False, 0.5, 1.0)
    assert not one([True, False], [True, True]).ok


def test_shape_type_and_count_must_be_the_same() -> None:
    assert "shape" in one([1.0], [[1.0]]).note
    assert "type" in one([1.0], [1]).note
    (check,) = compared("case", ["a", "b"], [np.zeros(1)] * 2, [np.zeros(1)], USUAL)
    assert not check.ok


def detections(boxes: list[list[float]], labels: list[int], scores: list[float]) -> list[object]:
    shaped = np.array(boxes, np.float32).reshape(-1, 4)
    return [shaped, np.array(labels), np.array(scores, np.float32)]


def match(wanted: list[object], found: list[object]) -> Check:
    (check,) = compared("case", ["boxes", "labels", "scores"], wanted, found, USUAL)
    return check


BOXES = [[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 40.0, 40.0], [5.0, 5.0, 9.0, 30.0]]


def test_detections_match_in_any_order() -> None:
    wanted = detections(BOXES, [1, 2, 1], [0.9, 0.8, 0.7])
    turned = detections(BOXES[::-1], [1, 2, 1], [0.7, 0.8, 0.9])
    assert match(wanted, turned).ok
    assert match(wanted, turned).agreement == 1.0


@pytest.mark.parametrize(
    "found",
    [
        detections(BOXES, [2, 2, 1], [0.9, 0.8, 0.7]),
        detections(BOXES, [1, 2, 1], [0.5, 0.8, 0.7]),
        detections([[0, 0, 10, 20], *BOXES[1:]], [1, 2, 1], [0.9, 0.8, 0.7]),
        detections([[0, 0, 10, 10.5], *BOXES[1:]], [1, 2, 1], [0.9, 0.8, 0.7]),
        detections(BOXES[1:], [2, 1], [0.8, 0.7]),
        detections([*BOXES, BOXES[0]], [1, 2, 1, 1], [0.9, 0.8, 0.7, 0.9]),
        detections([], [], []),
    ],
)
def test_other_detections_are_found(found: list[object]) -> None:
    assert not match(detections(BOXES, [1, 2, 1], [0.9, 0.8, 0.7]), found).ok


def test_equal_scores_do_not_excuse_everything() -> None:
    """Untrained detectors give one score to all; other boxes are still other boxes."""
    rng = np.random.default_rng(0)
    low = rng.random((2, 30, 2)) * 100
    some, others = (np.concatenate([each, each + 5], 1).tolist() for each in low)
    same = [0.2] * 30
    check = match(detections(some, [1] * 30, same), detections(others, [1] * 30, same))
    assert not check.ok
    assert check.agreement is not None
    assert check.agreement < 0.5


def test_boxes_of_a_batch_are_compared_as_they_are() -> None:
    boxes, labels = np.arange(24.0).reshape(2, 3, 4), np.zeros((2, 3), np.int64)
    wanted = [boxes, labels, np.linspace(0, 1, 6).reshape(2, 3)]
    names = ["boxes", "labels", "scores"]
    found = [boxes, labels, wanted[2] + 0.5]
    assert [c.ok for c in compared("case", names, wanted, wanted, USUAL)] == [True] * 3
    assert [c.ok for c in compared("case", names, wanted, found, USUAL)] == [True, True, False]
    fewer = [one[:, :2] for one in wanted]
    assert not any(c.ok for c in compared("case", names, wanted, fewer, USUAL))
