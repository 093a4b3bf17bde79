from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from torchmetrics.functional.classification import multiclass_jaccard_index

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.predictions import Predictions
from tests.vision.measure.make import measured, predictions, random_segments, segmented

NEAR: dict[str, Any] = {"abs": 1e-6, "rel": 0}


def pixels(data: Predictions) -> tuple[Any, Any]:
    """Return the truth and the prediction of every pixel that counts."""
    truth = np.concatenate([part.reshape(-1).astype(int) for part in data.segments.truth])
    said = np.concatenate([part.reshape(-1) for part in data.segments.prediction])
    kept = truth != data.segments.ignore
    return truth[kept], said[kept]


@pytest.mark.parametrize("ignore", [None, 255, 0, -1])
@pytest.mark.parametrize("classes", [2, 4, 21])
@pytest.mark.parametrize("seed", range(3))
def test_figures_are_scikit_learns_from_the_raw_pixels(
    seed: int, classes: int, ignore: int | None
) -> None:
    data = random_segments(seed, classes=classes, ignore=ignore)
    truth, said = pixels(data)
    found = measured(data)
    assert found.metrics["mIoU"] == pytest.approx(
        sk.jaccard_score(truth, said, average="macro", zero_division=0), **NEAR
    )
    assert found.metrics["pixel_acc"] == pytest.approx(sk.accuracy_score(truth, said), **NEAR)
    dice = sk.f1_score(truth, said, average="macro", zero_division=0)
    assert found.metrics["mean_dice"] == pytest.approx(dice, **NEAR)
    each = np.full(classes, np.nan)
    occurring = np.union1d(truth, said)
    each[occurring] = sk.jaccard_score(truth, said, labels=occurring, average=None, zero_division=0)
    mine = [found.metrics[f"per_class_IoU/{name}"] for name in data.classes]
    assert mine == pytest.approx(each, nan_ok=True, **NEAR)
    table = sk.confusion_matrix(truth, said, labels=range(classes))
    assert np.array_equal(found.confusion, table)


@pytest.mark.parametrize("ignore", [None, 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_mean_is_torchmetrics(seed: int, ignore: int | None) -> None:
    data = random_segments(50 + seed, classes=4)
    truth, said = pixels(data)
    if ignore is not None:
        # torchmetrics leaves an ignored class out of the mean as well; here it may be predicted
        said = np.where(said == ignore, 0, said)
    shape = (5, 24, 24)
    index = multiclass_jaccard_index(
        torch.tensor(said), torch.tensor(truth), num_classes=4, ignore_index=ignore
    )
    found = measured(segmented(truth.reshape(shape), said.reshape(shape), 4, ignore))
    assert found.metrics["mIoU"] == pytest.approx(float(index), **NEAR)


@pytest.mark.parametrize("seed", range(4))
def test_each_sample_has_its_own_figures(seed: int) -> None:
    data = random_segments(seed, classes=9, ignore=255)
    found = measured(data).samples
    for row in range(len(data)):
        truth, said = pixels(data[[row]])
        iou = sk.jaccard_score(truth, said, average="macro", zero_division=0)
        assert found["iou"][row] == pytest.approx(iou, **NEAR)
        assert found["pixel_acc"][row] == pytest.approx((truth == said).mean(), **NEAR)


def test_what_is_predicted_on_ignored_pixels_does_not_matter() -> None:
    truth = np.array([[0, 1, 255, 255]])
    calm = measured(segmented([truth], [np.array([[0, 1, 0, 0]])], 2, 255))
    wild = measured(segmented([truth], [np.array([[0, 1, 200, 255]])], 2, 255))
    assert calm.metrics == wild.metrics
    assert calm.metrics["mIoU"] == 1


def test_an_image_without_a_pixel_that_counts_has_no_figures() -> None:
    blank, said = np.full((2, 2), 9), np.zeros((2, 2), int)
    found = measured(segmented([blank, said], [said, said], 2, 9), resamples=20)
    assert found.metrics["mIoU"] == 1
    assert np.isnan(found.samples["iou"]).tolist() == [True, False]
    assert found.notes[0] == "In 1 of 2 samples every pixel is ignored."
    assert found.notes[1:] == ("No interval: too few samples with class 0 (1); 3 are the least.",)
    alone = measured(segmented([blank], [said], 2, 9))
    assert math.isnan(alone.metrics["mIoU"])
    assert math.isnan(alone.metrics["pixel_acc"])
    assert "nothing was measured" in alone.notes[0]


def test_all_wrong_and_all_right() -> None:
    zeros, ones = np.zeros((3, 3), int), np.ones((3, 3), int)
    assert measured(segmented([zeros], [ones], 2)).metrics["mIoU"] == 0
    right = measured(segmented([zeros], [zeros], 2)).metrics
    assert right["mIoU"] == 1
    assert math.isnan(right["per_class_IoU/class 1"])


@pytest.mark.parametrize(("label", "where"), [(7, "truth"), (-1, "truth"), (4, "prediction")])
def test_a_label_out_of_range_is_named(label: int, where: str) -> None:
    good = np.zeros((2, 2), int)
    bad = np.array([[0, 0], [label, 0]])
    truth, said = ([bad], [good]) if where == "truth" else ([good], [bad])
    with pytest.raises(UsageProblem, match=rf"s0: {where}: label {label} .* 4 classes"):
        measured(segmented(truth, said, 4))


def test_a_prediction_of_another_size_is_named() -> None:
    with pytest.raises(UsageProblem, match="s0: the prediction is of 2×3 pixels"):
        measured(segmented([np.zeros((2, 2), int)], [np.zeros((2, 3), int)], 2))


def test_without_names_the_classes_are_numbered() -> None:
    data = random_segments(1, classes=6, ignore=255)
    bare = predictions("semantic", len(data), data.data)
    assert measured(bare).classes == tuple("012345")
    assert measured(bare).metrics["mIoU"] == measured(data).metrics["mIoU"]
