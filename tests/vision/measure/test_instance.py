from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Detections
from cvtrack_magics.vision.boxes import Boxes
from tests.vision.measure.make import measured, names, predictions, random_masks
from tests.vision.measure.references import faster_coco, matched, torch_map

NEAR = {"abs": 1e-6, "rel": 0}


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_average_precisions_are_faster_coco_evals(seed: int, empty: bool) -> None:
    data = random_masks(seed, empty=empty)
    found = measured(data).metrics
    for kind, name in (("segm", "mask_AP"), ("bbox", "bbox_AP")):
        precision = faster_coco(data, kind)
        there = precision[0, 0] > -1
        assert found[name] == pytest.approx(precision[..., there].mean(), **NEAR)
        assert found[f"{name}50"] == pytest.approx(precision[0][:, there].mean(), **NEAR)


@pytest.mark.parametrize("seed", range(3))
def test_average_precisions_are_torchmetrics(seed: int) -> None:
    data = random_masks(40 + seed)
    found, reference = measured(data).metrics, torch_map(data, "segm")
    assert found["mask_AP"] == pytest.approx(reference["map"], abs=1e-5)
    assert found["mask_AP50"] == pytest.approx(reference["map_50"], abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_counts_are_those_of_a_plain_loop(seed: int) -> None:
    data = random_masks(200 + seed, empty=seed > 3)
    found = measured(data, threshold=0.3, iou=0.6)
    images, table = matched(data, 0.3, 0.6, masks=True)
    for at, name in enumerate(("tp", "fp", "fn")):
        assert found.samples[name].tolist() == [row[at] for row in images]
    overlaps = [np.mean(row[3]) if row[3] else math.nan for row in images]
    assert found.samples["iou"] == pytest.approx(overlaps, nan_ok=True, **NEAR)
    assert np.array_equal(found.confusion, table)


def test_no_objects_at_all() -> None:
    none = Boxes(np.zeros(3, np.int64), np.zeros((0, 4)), np.zeros(0, np.int64))
    said = replace(none, scores=np.zeros(0))
    found = measured(predictions("instance", 2, Detections(none, said), names(2)))
    assert math.isnan(found.metrics["mask_AP"])
    assert found.samples["correct"].all()
    assert len(found.notes) == 2


def test_masks_are_needed() -> None:
    data = random_masks(1)
    bare = Detections(data.boxes.truth, replace(data.boxes.prediction, masks=None))
    with pytest.raises(UsageProblem, match="prediction: there are 0 masks"):
        measured(predictions("instance", len(data), bare, data.classes))
