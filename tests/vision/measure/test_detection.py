from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Detections
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.boxes import Boxes
from tests.vision.measure.make import detected, measured, names, predictions, random_boxes
from tests.vision.measure.references import faster_coco, matched, torch_map

NEAR = {"abs": 1e-6, "rel": 0}
KINDS: list[dict[str, Any]] = [
    {},
    {"ties": True},
    {"crowd": True},
    {"flat": True},
    {"classes": 1},
    {"images": 1, "classes": 5},
    {"images": 40, "classes": 12, "most": 3},
    {"images": 3, "most": 25, "ties": True, "crowd": True},
]


def check_precision(data: Predictions) -> None:
    precision = faster_coco(data)
    found = measured(data)
    there = precision[0, 0] > -1

    def mean(part: Any) -> float:
        return float(part[..., there].mean()) if there.any() else math.nan

    near: Any = {"nan_ok": True, **NEAR}
    assert found.metrics["mAP50"] == pytest.approx(mean(precision[0]), **near)
    assert found.metrics["mAP75"] == pytest.approx(mean(precision[5]), **near)
    assert found.metrics["mAP50-95"] == pytest.approx(mean(precision), **near)
    each = np.where(there, precision[0].mean(axis=0), np.nan)
    assert found.per_class["AP50"] == pytest.approx(each, **near)
    mine = [found.metrics[f"AP50/{name}"] for name in data.classes]
    assert mine == pytest.approx(each, **near)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(5))
def test_average_precisions_are_faster_coco_evals(seed: int, kind: dict[str, Any]) -> None:
    check_precision(random_boxes(seed, **kind))


@pytest.mark.parametrize("kind", KINDS[:5], ids=str)
def test_average_precisions_are_torchmetrics(kind: dict[str, Any]) -> None:
    data = random_boxes(77, **kind)
    reference, found = torch_map(data), measured(data).metrics
    # its boxes are 32-bit floats, and so is its mean
    for name, theirs in (("mAP50", "map_50"), ("mAP75", "map_75"), ("mAP50-95", "map")):
        assert found[name] == pytest.approx(reference[theirs], abs=1e-5)


@pytest.mark.parametrize("threshold", [None, 0.5, 0.0])
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_a_plain_loop(
    seed: int, kind: dict[str, Any], threshold: float | None
) -> None:
    data = random_boxes(100 + seed, **kind)
    iou = (0.5, 0.3, 0.72)[seed]
    found = measured(data, threshold=threshold, iou=iou)
    if threshold is None:
        threshold = found.metrics["best_threshold"]
    images, table = matched(data, threshold, iou)
    tp, fp, fn = (np.array([row[at] for row in images]) for at in range(3))
    rows = found.samples
    assert rows["tp"].tolist() == tp.tolist()
    assert rows["fp"].tolist() == fp.tolist()
    assert rows["fn"].tolist() == fn.tolist()
    assert rows["correct"].tolist() == ((fp == 0) & (fn == 0)).tolist()
    overlaps = [np.mean(row[3]) if row[3] else math.nan for row in images]
    assert rows["iou"] == pytest.approx(overlaps, nan_ok=True, **NEAR)
    assert np.array_equal(found.confusion, table)
    metrics = found.metrics
    for name, part, whole in (
        ("precision", tp.sum(), (tp + fp).sum()),
        ("recall", tp.sum(), (tp + fn).sum()),
        ("F1", 2 * tp.sum(), (2 * tp + fp + fn).sum()),
    ):
        value = part / whole if whole else math.nan
        assert metrics[name] == pytest.approx(value, nan_ok=True, **NEAR)


@pytest.mark.parametrize("seed", range(6))
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    data = random_boxes(seed, ties=seed % 2 == 1, crowd=seed > 3)
    best = measured(data).metrics
    tried = {
        float(score): measured(data, threshold=float(score)).metrics["F1"]
        for score in np.unique(data.boxes.prediction.scores)
    }
    assert best["F1"] == max(tried.values())
    assert best["best_threshold"] == max(s for s, f1 in tried.items() if f1 == best["F1"])
    assert "best_threshold" not in measured(data, threshold=0.5).metrics


def test_only_the_best_100_of_a_class_count_for_ap_but_all_for_recall() -> None:
    truth = [[(0, 0, 0, 9, 9)]]
    wrong = [(0, 30, 30, 40, 40, 0.9 - i / 1000) for i in range(100)]
    data = detected(truth, [[*wrong, (0, 0, 0, 9, 9, 0.1)]], 1)
    found = measured(data, threshold=0.0)
    assert found.metrics["mAP50"] == 0
    assert found.metrics["recall"] == 1
    assert found.metrics["precision"] == pytest.approx(1 / 101)
    check_precision(data)


NAN = math.nan
ONE = (0, 10, 10, 20, 20)
SAID = (*ONE, 0.8)
HALF = [[(0, 0, 0, 10, 10)]], [[(0, 0, 0, 10, 5, 0.5)]]
EDGES: dict[str, tuple[Any, Any, dict[str, float]]] = {
    "perfect": ([[ONE]], [[SAID]], {"mAP50": 1, "mAP50-95": 1, "precision": 1, "F1": 1}),
    "nothing predicted": ([[ONE]], [[]], {"mAP50": 0, "precision": NAN, "recall": 0, "F1": 0}),
    "nothing there": ([[]], [[SAID]], {"mAP50": NAN, "precision": 0, "recall": NAN, "F1": 0}),
    "nothing at all": ([[], []], [[], []], {"mAP50": NAN, "precision": NAN, "F1": NAN}),
    "all wrong": ([[ONE]], [[(0, 40, 40, 50, 50, 0.9)]], {"mAP50": 0, "precision": 0}),
    "other class": ([[ONE]], [[(1, *SAID[1:])]], {"mAP50": 0, "precision": 0, "recall": 0}),
    "found twice": ([[ONE]], [[SAID, (*ONE, 0.7)]], {"mAP50": 1, "precision": 1, "recall": 1}),
    "no size": ([[(0, 5, 5, 5, 5)]], [[(0, 5, 5, 5, 5, 0.5)]], {"mAP50": 0, "recall": 0}),
    "exactly at the IoU": (*HALF, {"mAP50": 1, "recall": 1}),
    "score of 0": ([[ONE]], [[(*ONE, 0.0)]], {"mAP50": 1, "best_threshold": 0, "recall": 1}),
    "infinite score": ([[ONE]], [[(*ONE, math.inf)]], {"mAP50": 1, "recall": 1}),
}


@pytest.mark.parametrize("edge", EDGES)
def test_edges(edge: str) -> None:
    truth, said, wanted = EDGES[edge]
    data = detected(truth, said)
    found = measured(data, resamples=50)
    assert {name: found.metrics[name] for name in wanted} == pytest.approx(wanted, nan_ok=True)
    check_precision(data)
    assert np.array_equal(found.confusion, matched(data, found.metrics["best_threshold"], 0.5)[1])
    if "nothing" in edge:
        assert found.notes


def test_an_image_with_nothing_to_find_and_nothing_found_is_right() -> None:
    found = measured(detected([[], [ONE]], [[], []])).samples
    assert found["correct"].tolist() == [True, False]
    assert found["f1"].tolist() == [1, 0]
    assert np.isnan(found["confidence"]).all()


def test_a_box_without_a_score_is_dropped() -> None:
    data = random_boxes(4)
    boxes = data.boxes.prediction
    lost = np.arange(len(boxes.labels)) % 7 == 2
    spoilt = np.where(lost, np.nan, boxes.scores)
    per_image = np.bincount(boxes.images[~lost], minlength=len(boxes))
    offsets = np.concatenate(([0], np.cumsum(per_image)))
    kept = Boxes(offsets, boxes.xyxy[~lost], boxes.labels[~lost], boxes.scores[~lost])
    given = Boxes(boxes.offsets, boxes.xyxy, boxes.labels, spoilt)

    def found(prediction: Boxes) -> Any:
        sides = Detections(data.boxes.truth, prediction)
        return measured(predictions("detection", len(data), sides, data.classes))

    assert found(given).metrics == found(kept).metrics
    assert found(given).notes[0] == f"{lost.sum()} predicted boxes with score NaN dropped."
    with pytest.raises(UsageProblem, match="no scores"):
        found(Boxes(boxes.offsets, boxes.xyxy, boxes.labels))


@pytest.mark.parametrize(("label", "where"), [(3, "truth"), (-1, "truth"), (5, "prediction")])
def test_a_label_out_of_range_is_named(label: int, where: str) -> None:
    box = (label, 1, 1, 2, 2)
    truth, said = ([[box]], [[SAID]]) if where == "truth" else ([[ONE]], [[(*box, 0.5)]])
    with pytest.raises(UsageProblem, match=rf"{where}: label {label} .* 2 classes"):
        measured(detected(truth, said))


def test_without_names_the_classes_are_numbered() -> None:
    data = random_boxes(3, classes=4)
    bare = predictions("detection", len(data), data.data)
    assert measured(bare).classes == ("0", "1", "2", "3")
    assert measured(bare).metrics["mAP50"] == measured(data).metrics["mAP50"]


def test_the_confusion_counts_every_object_and_every_prediction_once() -> None:
    data = random_boxes(11, images=30, classes=5)
    found = measured(data, threshold=0.3)
    kept = data.boxes.prediction.scores >= 0.3
    assert (
        found.confusion[:-1].sum(axis=1).tolist() == np.bincount(data.boxes.truth.labels).tolist()
    )
    said = np.bincount(data.boxes.prediction.labels[kept]).tolist()
    assert found.confusion[:, :-1].sum(axis=0).tolist() == said
    assert found.confusion[-1, -1] == 0
    assert np.triu(found.confusion[:-1, :-1], 1).any(), "the case has no mix-ups"


def test_a_mix_up_takes_its_object() -> None:
    # both of the wrong class, at an IoU of exactly 0.5 and of 0.9: only the first of them by score
    said = [(1, 0, 0, 10, 5, 0.9), (1, 0, 0, 10, 9, 0.8)]
    found = measured(detected([[(0, 0, 0, 10, 10)]], [said]), threshold=0.5)
    assert found.confusion.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]
    stricter = measured(detected([[(0, 0, 0, 10, 10)]], [said]), threshold=0.5, iou=0.6)
    assert stricter.confusion.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0]]
    strictest = measured(detected([[(0, 0, 0, 10, 10)]], [said[:1]]), threshold=0.5, iou=0.6)
    assert strictest.confusion.tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 0]]
    exact = measured(detected([[(0, 0, 0, 10, 10)]], [said[:1]]), threshold=0.5)
    assert exact.confusion.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_pr_curves_are_the_librarys() -> None:
    data = random_boxes(9)
    precision = faster_coco(data)
    for k, curve in enumerate(measured(data).curves):
        assert curve.name == names(3)[k]
        assert curve.x == pytest.approx(np.linspace(0, 1, 101))
        assert curve.y == pytest.approx(precision[0, :, k], **NEAR)
        assert curve.area == pytest.approx(precision[0, :, k].mean(), **NEAR)
