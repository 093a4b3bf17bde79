"""What AP50 is lost to, beside hotcoco's figures and cases that can be counted by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.evaluation import LOST
from tests.vision.measure.make import measured, random_boxes, random_masks

KINDS: list[dict[str, Any]] = [
    {},
    {"flat": True},
    {"classes": 1},
    {"images": 1, "classes": 5},
    {"images": 40, "classes": 12, "most": 3},
    {"images": 3, "most": 25},
]


def by_hotcoco(data: Predictions) -> dict[str, float]:
    from hotcoco import COCO, COCOeval

    def rows(boxes: Boxes) -> list[dict[str, Any]]:
        made = []
        for row, (image, label, corners) in enumerate(
            zip(boxes.images.tolist(), boxes.labels.tolist(), boxes.xyxy.tolist(), strict=True)
        ):
            x1, y1, x2, y2 = corners
            one = {"id": row + 1, "image_id": image, "category_id": label, "iscrowd": 0}
            one |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            if boxes.scores is not None:
                one["score"] = float(boxes.scores[row])
            made.append(one)
        return made

    truth = COCO(
        {
            "images": [{"id": at, "height": 64, "width": 64} for at in range(len(data))],
            "categories": [{"id": k, "name": str(k)} for k in range(len(data.classes))],
            "annotations": rows(data.boxes.truth),
        }
    )
    run = COCOeval(truth, truth.load_res(rows(data.boxes.prediction)), "bbox")
    run.evaluate()
    found: dict[str, float] = run.tide_errors()["delta_ap"]
    return found


def without_ties(data: Predictions, seed: int) -> Predictions:
    """Give each prediction a score of its own; that of equal ones depends on their order."""
    boxes = data.boxes
    count = len(boxes.prediction.labels)
    scores = np.random.default_rng(seed).permutation(count) / max(1, count)
    prediction = replace(boxes.prediction, scores=scores)
    return replace(data, data=replace(boxes, prediction=prediction))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(10))
def test_what_is_lost_is_hotcocos(seed: int, kind: dict[str, Any]) -> None:
    data = without_ties(random_boxes(seed, **kind), seed)
    found, theirs = measured(data).metrics, by_hotcoco(data)
    for name in LOST:
        assert found[f"TIDE/{name}"] == pytest.approx(theirs[name], abs=1e-9), name


def of(truth: Any, prediction: Any) -> dict[str, float]:
    """Measure one picture; rows are (class, x1, y1, x2, y2[, score])."""
    truth, prediction = np.array(truth, float), np.array(prediction, float).reshape(-1, 6)
    made = Predictions.detection(
        None,
        [{"boxes": truth[:, 1:], "labels": truth[:, 0].astype(int)}],
        [
            {
                "boxes": prediction[:, 1:5],
                "labels": prediction[:, 0].astype(int),
                "scores": prediction[:, 5],
            }
        ],
        classes=["a", "b"],
        sizes=[(100, 100)],
    )
    return {key: value for key, value in measured(made).metrics.items() if "TIDE" in key}


OBJECT = (0, 0, 0, 20, 20)
CASES = {
    "another class": ([OBJECT, (1, 50, 50, 70, 70)], [(1, 0, 0, 20, 20, 0.9)], "Cls", 0.5),
    "badly placed": ([OBJECT], [(0, 10, 0, 30, 20, 0.9)], "Loc", 1.0),
    "class and place": ([OBJECT], [(0, 0, 0, 20, 20, 0.5), (1, 10, 0, 30, 20, 0.9)], "Both", 0.0),
    "found twice": (
        [OBJECT, (0, 40, 0, 60, 20)],
        [(0, 0, 0, 20, 20, 0.9), (0, 0, 0, 20, 19, 0.8), (0, 40, 0, 60, 20, 0.7)],
        "Dupe",
        1 - (51 + 50 * 2 / 3) / 101,
    ),
    "nothing there": (
        [OBJECT],
        [(0, 60, 60, 80, 80, 0.9), (0, 0, 0, 20, 20, 0.5)],
        "Bkg",
        0.5,
    ),
    "missed": ([OBJECT, (0, 40, 0, 60, 20)], [(0, 0, 0, 20, 20, 0.9)], "Miss", 50 / 101),
}


@pytest.mark.parametrize("name", list(CASES))
def test_each_kind_of_error_by_hand(name: str) -> None:
    truth, prediction, kind, cost = CASES[name]
    found = of(truth, prediction)
    assert found[f"TIDE/{kind}"] == pytest.approx(cost, abs=1e-12)
    others = {key: value for key, value in found.items() if key != f"TIDE/{kind}"}
    if name != "another class":  # there the object of b is missed as well
        assert others == pytest.approx(dict.fromkeys(others, 0.0), abs=1e-12)


def test_masks_are_compared_where_they_are_measured() -> None:
    found = measured(random_masks(3)).metrics
    assert {f"TIDE/{name}" for name in LOST} <= set(found)
    assert all(found[f"TIDE/{name}"] >= -1e-12 for name in LOST)


def test_without_an_object_nothing_can_be_lost() -> None:
    data = random_boxes(1)
    nothing = replace(data.boxes.truth.take(np.zeros(0, int)), offsets=np.zeros(len(data) + 1, int))
    found = measured(replace(data, data=replace(data.boxes, truth=nothing))).metrics
    assert all(math.isnan(found[f"TIDE/{name}"]) for name in LOST)
