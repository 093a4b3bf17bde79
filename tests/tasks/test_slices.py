"""Parts of the samples: which there are, and that each is measured as if it were alone."""

from __future__ import annotations

import contextlib
import io
import math
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.kind import TASKS
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.slices import (
    columns_there,
    measure_slices,
    only_where,
    parts_of,
    witnesses,
)
from tests.vision.examples import example
from tests.vision.measure.make import random_classes

SIDE = 480
SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}


def some_boxes(rng: np.random.Generator, count: int) -> Any:
    start = rng.uniform(0, 300, (count, 2))
    return np.concatenate((start, start + rng.uniform(5, 180, (count, 2))), axis=1)


def objects(seed: int, count: int = 30) -> tuple[list[Any], list[Any]]:
    """Return truth and predictions, of which some are of another size than what they hit."""
    rng = np.random.default_rng(seed)
    truth, said = [], []
    for _ in range(count):
        boxes = some_boxes(rng, int(rng.integers(0, 7)))
        labels = rng.integers(0, 3, len(boxes))
        crowd = rng.random(len(boxes)) < 0.1
        truth.append({"boxes": boxes, "labels": labels, "iscrowd": crowd})
        kept = rng.random(len(boxes)) < 0.8
        near = boxes[kept] + rng.normal(0, 4, (kept.sum(), 4))
        twice = near[rng.random(len(near)) < 0.3] + 1
        more = some_boxes(rng, int(rng.integers(0, 3)))
        every = np.concatenate((near, twice, more))
        every[:, 2:] = np.maximum(every[:, 2:], every[:, :2] + 1)
        own = np.concatenate((labels[kept], rng.integers(0, 3, len(every) - kept.sum())))
        said.append({"boxes": every, "labels": own, "scores": rng.random(len(every))})
    return truth, said


def detected(seed: int, count: int = 30, **about: Any) -> Predictions:
    truth, said = objects(seed, count)
    sizes = [(SIDE, SIDE)] * count
    return Predictions.detection(
        None, truth, said, classes=["a", "b", "c"], sizes=sizes, about=about or None
    )


def by_pycocotools(predictions: Predictions) -> dict[str, float]:
    """Return COCO's AP at IoU 0.5 of small, medium and large objects, as pycocotools has it."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(boxes: Any, crowd: Any, scores: Any) -> list[Any]:
        corners = boxes.xyxy.astype(np.float64)
        sides = corners[:, 2:] - corners[:, :2]
        return [
            {
                "id": at + 1,
                "image_id": int(boxes.images[at]),
                "category_id": int(boxes.labels[at]),
                "bbox": [*corners[at, :2].tolist(), *sides[at].tolist()],
                "area": float(sides[at].prod()),
                "iscrowd": int(crowd[at]),
                "score": float(scores[at]),
            }
            for at in range(len(corners))
        ]

    truth, said = predictions.boxes.truth, predictions.boxes.prediction
    none = np.zeros(len(truth.labels))
    index: dict[str, Any] = {
        "images": [{"id": at, "height": SIDE, "width": SIDE} for at in range(len(predictions))],
        "categories": [{"id": k} for k in range(3)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for found in (
            rows(truth, none if truth.crowd is None else truth.crowd, none),
            rows(said, np.zeros(len(said.labels)), said.scores),
        ):
            coco = COCO()
            coco.dataset = {**index, "annotations": found}
            coco.createIndex()
            sides.append(coco)
        run = COCOeval(*sides, "bbox")
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][0, :, :, :, 2]
    made = {}
    for at, name in enumerate(SIZES, 1):
        there = precision[:, (precision[:, :, at] > -1).any(axis=0), at]
        made[name] = float(there.mean()) if there.size else math.nan
    return made


@pytest.mark.parametrize("seed", range(12))
def test_sizes_of_objects_are_those_of_pycocotools(seed: int) -> None:
    predictions = detected(seed, 15)
    whole = measure(predictions, resamples=0)
    expected = by_pycocotools(predictions)
    for one in measure_slices(predictions, parts_of(predictions, ["size"]), whole, resamples=0):
        assert one.evaluation is not None
        value = one.evaluation.metrics["mAP50"]
        assert value == pytest.approx(expected[one.part.value], abs=1e-12, nan_ok=True)


def test_a_size_counts_its_own_objects_only() -> None:
    predictions = detected(3)
    truth = predictions.boxes.truth
    sides = truth.xyxy[:, 2:] - truth.xyxy[:, :2]
    area = sides.prod(axis=1)
    counted = ~truth.crowd if truth.crowd is not None else np.ones(len(area), bool)
    for one in measure_slices(
        predictions, parts_of(predictions, ["size"]), measure(predictions, resamples=0)
    ):
        low, high = SIZES[one.part.value]
        inside = (area >= low) & (area <= high) & counted
        assert one.evaluation is not None
        assert one.evaluation.per_class["support"].sum() == inside.sum()
        assert witnesses(one.evaluation, one.part.area) == len(np.unique(truth.images[inside]))


@pytest.mark.parametrize("task", TASKS)
def test_a_part_is_measured_as_if_it_were_alone(task: str) -> None:
    predictions = example(task, 6, seed=3).with_about(camera=["u", "v", "v"] * 2)
    whole = measure(predictions, resamples=50)
    threshold = whole.metrics.get("best_threshold")
    found = measure_slices(predictions, parts_of(predictions, ["camera"]), whole, resamples=50)
    assert [one.part.value for one in found] == ["u", "v"]
    for one, rows in zip(found, ([0, 3], [1, 2, 4, 5]), strict=True):
        alone = measure(predictions[rows], resamples=50, threshold=threshold)
        assert one.evaluation is not None
        figures = {name: v for name, v in alone.metrics.items() if "TIDE/" not in name}
        assert dict(one.evaluation.metrics) == pytest.approx(figures, nan_ok=True)
        assert one.evaluation.interval == alone.interval
        assert witnesses(one.evaluation, None) == len(rows)


def test_numbers_are_binned_and_values_are_words() -> None:
    night = [True, False, None] * 10
    lux = np.arange(30.0)
    predictions = detected(1, 30, night=night, lux=lux, few=[1, 2] * 15)
    values = {
        column: [(part.value, len(part.rows)) for part in parts_of(predictions, [column])]
        for column in ("night", "lux", "few", "night*few")
    }
    assert values["night"] == [("no", 10), ("yes", 10), ("unknown", 10)]
    assert values["few"] == [("1", 15), ("2", 15)]
    assert [count for _, count in values["lux"]] == [8, 7, 7, 8]
    assert values["lux"][0][0] == "0 to 7.25"
    assert {value for value, _ in values["night*few"]} == {
        f"{first} x {second}" for first in ("no", "yes", "unknown") for second in "12"
    }
    assert sum(count for _, count in values["night*few"]) == 30


def test_every_task_says_what_its_samples_may_be_parted_by() -> None:
    assert columns_there(detected(0)) == ("objects", "size")
    assert columns_there(example("classification", 4)) == ("class", "brightness")
    assert columns_there(example("anomaly", 4)) == ("class", "brightness")
    predictions = example("classification", 6, seed=3)
    truth = predictions.labels.truth
    for part in parts_of(predictions, ["class"]):
        assert {predictions.classes[k] for k in truth[part.rows]} == {part.value}


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("camra", "no column 'camra' of the samples. Did you mean 'camera'"),
        ("serial", "has 70 different values: those are samples"),
        ("brightness", "no column 'brightness'"),
        ("camera*nothing", "no column 'nothing'"),
    ],
)
def test_what_cannot_be_parted_is_said(by: str, said: str) -> None:
    names = [f"n{at}" for at in range(70)]
    predictions = detected(0, 70, camera=["u", "v"] * 35, serial=names)
    with pytest.raises(UsageProblem, match=said):
        parts_of(predictions, [by])


def test_a_part_of_unknown_truth_is_said_and_the_others_are_measured() -> None:
    scores = np.eye(2)[[0, 1, 0, 1]]
    predictions = Predictions.classification(
        None, [0, 1, -1, -1], probabilities=scores, about={"camera": ["u", "u", "v", "v"]}
    )
    first, second = measure_slices(
        predictions, parts_of(predictions, ["camera"]), measure(predictions)
    )
    assert first.evaluation is not None
    assert second.evaluation is None
    assert "No sample has a known truth" in second.why


def test_clusters_stay_together_in_a_part() -> None:
    predictions = random_classes(3, 24, 3).with_about(camera=["u", "v"] * 12)
    keys = [at // 4 for at in range(24)]
    whole = measure(predictions, cluster=keys)
    for given in (keys, dict(zip(predictions.ids, keys, strict=True))):
        found = measure_slices(predictions, parts_of(predictions, ["camera"]), whole, cluster=given)
        for one in found:
            assert one.evaluation is not None
            assert len(np.unique(one.evaluation.samples["cluster"])) == 6


def test_samples_of_a_part_are_chosen_by_its_name() -> None:
    predictions = detected(3, 30, camera=["u", "v", "w"] * 10, night=[True, False] * 15)
    assert len(only_where(predictions, [])) == 30
    found = only_where(predictions, ["camera=v", "night = yes"])
    assert set(zip(found.about["camera"], found.about["night"], strict=True)) == {("v", True)}
    assert len(found) == 5
    small = only_where(predictions, ["size=small"])
    measured = measure_slices(
        predictions, parts_of(predictions, ["size"]), measure(predictions, resamples=0)
    )[0]
    assert measured.evaluation is not None
    assert len(small) == witnesses(measured.evaluation, measured.part.area)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("camera", "'camera' is no condition"),
        ("camera=x", "camera has no value 'x'"),
        ("lens=x", "no column 'lens'"),
        ("=x", "is no condition"),
    ],
)
def test_what_is_no_condition_is_said(condition: str, said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        only_where(detected(3, 6, camera=["u", "v"] * 3), [condition])
