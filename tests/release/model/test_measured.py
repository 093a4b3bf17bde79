"""A served answer is told from the measured one, task by task, without a server."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cvtrack_magics.release.model.measured import Alike, Differs, compared
from cvtrack_magics.tasks.predictions import Predictions

NAMES = ("a", "b")
BOXES = [[10.0, 20.0, 60.0, 80.0], [5.0, 5.0, 50.0, 40.0]]
OTHER = [100.0, 20.0, 180.0, 90.0]


def mask(box: list[float]) -> Any:
    made = np.zeros((100, 200), bool)
    left, top, right, bottom = map(int, box)
    made[top:bottom, left:right] = True
    return made


MASKS = [mask(box) for box in BOXES]


def said(boxes: Any, labels: Any, scores: Any, **more: Any) -> dict[str, Any]:
    return {"boxes": boxes, "labels": labels, "scores": scores, **more}


FIRST, NOTHING = said(BOXES, [0, 1], [0.9, 0.8]), said([], [], [])
LAST = said(BOXES[:1], [1], [0.5])
DETECTED = Predictions.detection(
    None,
    [said(BOXES, [0, 1], [1, 1])] * 3,
    [FIRST, NOTHING, LAST],
    sizes=[(100, 200)] * 3,
    classes=NAMES,
)

ANSWERS: dict[str, tuple[list[Any], bool]] = {
    "names": ([said(BOXES, ["a", "b"], [0.9, 0.8]), NOTHING, LAST], True),
    "in another order": ([said(BOXES[::-1], [1, 0], [0.8, 0.9]), NOTHING, LAST], True),
    "more, of low scores": ([FIRST, said([OTHER], [0], [0.3]), LAST], True),
    "a box where there was none": ([FIRST, said([OTHER], [0], [0.95]), LAST], False),
    "a box too many": (
        [said([*BOXES, OTHER], [0, 1, 0], [0.9, 0.8, 0.7]), NOTHING, LAST],
        False,
    ),
    "each twice": ([said(BOXES * 2, [0, 1] * 2, [0.9, 0.8] * 2), NOTHING, LAST], False),
    "nothing": ([NOTHING] * 3, False),
    "classes from 1": ([said(BOXES, [1, 2], [0.9, 0.8]), NOTHING, LAST], False),
    "NaN": ([said(BOXES, [0, 1], [np.nan, 0.8]), NOTHING, LAST], False),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_boxes(case: str) -> None:
    answers, same = ANSWERS[case]
    assert isinstance(compared(answers, DETECTED, NAMES), Alike if same else Differs)


def segmented(boxes: Any, labels: Any, scores: Any, masks: Any) -> Predictions:
    one = said(boxes, labels, scores, masks=np.stack(masks))
    return Predictions.instance(None, [one], [one], sizes=[(100, 200)], classes=NAMES)


INSTANCES: dict[str, tuple[list[Any], bool]] = {
    "the same": (MASKS, True),
    "of probabilities": ([one.astype(np.float32) * 0.9 for one in MASKS], True),
    "with an axis of channels": ([one[None] for one in MASKS], True),
    "of each other": (MASKS[::-1], False),
    "one for both": ([MASKS[0]] * 2, False),
    "one empty": ([MASKS[0], MASKS[0] & False], False),
    "one too few": (MASKS[:1], False),
}


@pytest.mark.parametrize("case", INSTANCES)
def test_each_object_has_its_own_mask(case: str) -> None:
    masks, same = INSTANCES[case]
    measured = segmented(BOXES, [0, 1], [0.9, 0.8], MASKS)
    answer = said(BOXES, ["a", "b"], [0.9, 0.8], masks=masks)
    assert isinstance(compared([answer], measured, NAMES), Alike if same else Differs)


def test_objects_of_one_box_are_told_apart_by_their_masks() -> None:
    box, parts = [BOXES[0]] * 2, [mask([10, 20, 60, 50]), mask([10, 50, 60, 80])]
    measured = segmented(box, [0, 0], [0.9, 0.9], parts)
    answer = said(box, [0, 0], [0.9, 0.9], masks=parts[::-1])
    assert isinstance(compared([answer], measured, NAMES), Alike)


@pytest.mark.parametrize("name", ["heat", "output_1", "anomaly_map"])
def test_a_heat_map_is_compared_under_any_name(name: str) -> None:
    maps = np.linspace(0, 1, 2 * 12).reshape(2, 3, 4)
    measured = Predictions.anomaly(None, [0, 1], [0.1, 0.9], heat=maps, sizes=[(3, 4)] * 2)
    same = [{"scores": score, name: one} for score, one in zip((0.1, 0.9), maps, strict=True)]
    other = [
        {"scores": score, name: one} for score, one in zip((0.1, 0.9), maps[::-1], strict=True)
    ]
    assert isinstance(compared(same, measured, ()), Alike)
    assert isinstance(compared(other, measured, ()), Differs)


LABELS = Predictions.multilabel(
    None,
    [[1, 0, 1]] * 2,
    probabilities=np.array([[0.9, 0.2, 0.6], [0.1, 0.3, 0.4]]),
    classes=("cat", "dog", "bird"),
)
CAT, DOG, BIRD = ({"label": name} for name in LABELS.classes)
SEVERAL: dict[str, tuple[Any, bool]] = {
    "probabilities": (np.array([[[0.9, 0.2, 0.6]], [[0.1, 0.3, 0.4]]]), True),
    "logits": (np.log([[9.0, 0.25, 1.5], [1 / 9, 3 / 7, 2 / 3]]), True),
    "those above a threshold": (
        [[{**CAT, "score": 0.9}, {**BIRD, "score": 0.6}], [{**BIRD, "score": 0.4}]],
        True,
    ),
    "nothing above it": ([[{**CAT, "score": 0.9}, {**BIRD, "score": 0.6}], []], False),
    "a class left out": (
        [[{**CAT, "score": 0.9}, {**DOG, "score": 0.2}], [{**BIRD, "score": 0.4}]],
        False,
    ),
    "of each other's class": (
        [[{**DOG, "score": 0.9}, {**BIRD, "score": 0.6}], [{**BIRD, "score": 0.4}]],
        False,
    ),
    "a softmax": (np.array([[[0.42, 0.21, 0.37]], [[0.28, 0.35, 0.37]]]), False),
    "one too few": (np.array([[[0.9, 0.2]], [[0.1, 0.3]]]), False),
    "NaN": (np.array([[[0.9, np.nan, 0.6]], [[0.1, 0.3, 0.4]]]), False),
    "labels alone": ([np.array([1, 0, 1]), np.array([0, 0, 0])], False),
}


def test_nothing_above_the_threshold_of_serving_is_an_answer() -> None:
    first = [{**CAT, "score": 0.9}, {**BIRD, "score": 0.6}]
    assert isinstance(compared([first, []], LABELS, LABELS.classes, 0.5), Alike)
    low = compared([first, []], LABELS, LABELS.classes, 0.35)
    assert isinstance(low, Differs)
    assert "bird (0.400) was measured and is not served" in low.how


@pytest.mark.parametrize("case", SEVERAL)
def test_several_labels(case: str) -> None:
    answers, same = SEVERAL[case]
    found = compared(list(answers), LABELS, LABELS.classes)
    assert isinstance(found, Alike) if same else not isinstance(found, Alike)
