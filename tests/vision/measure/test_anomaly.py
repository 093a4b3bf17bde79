from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.anomaly import metrics as module
from tests.vision.measure.make import measured, random_scores, scored

NEAR: dict[str, Any] = {"abs": 1e-6, "rel": 0}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_areas_are_scikit_learns_and_torchmetrics(seed: int, ties: bool) -> None:
    data = random_scores(seed, 3 + 7 * seed, ties=ties)
    truth, scores = data.anomalies.truth, data.anomalies.scores
    found = measured(data).metrics
    # torchmetrics would squash scores beyond 0..1; what it ranks is the same
    squashed = torch.tensor((scores - scores.min()) / np.ptp(scores))
    target = torch.tensor(truth)
    assert found["AUROC"] == pytest.approx(sk.roc_auc_score(truth, scores), **NEAR)
    assert found["AUROC"] == pytest.approx(float(tm.binary_auroc(squashed, target)), **NEAR)
    assert found["AUPRC"] == pytest.approx(sk.average_precision_score(truth, scores), **NEAR)
    theirs = float(tm.binary_average_precision(squashed, target))
    assert found["AUPRC"] == pytest.approx(theirs, **NEAR)


@pytest.mark.parametrize("seed", range(10))
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    data = random_scores(seed, 40, ties=seed % 2 == 1)
    truth, scores = data.anomalies.truth, data.anomalies.scores
    found = measured(data)
    tried = {float(s): float(sk.f1_score(truth, scores >= s)) for s in np.unique(scores)}
    best = max(tried.values())
    metrics = found.metrics
    assert metrics["F1_at_best_threshold"] == pytest.approx(best, **NEAR)
    assert metrics["best_threshold"] == max(s for s, f1 in tried.items() if f1 > best - 1e-12)
    alarm = scores >= metrics["best_threshold"]
    assert metrics["F1"] == pytest.approx(best, **NEAR)
    assert metrics["precision"] == pytest.approx(sk.precision_score(truth, alarm), **NEAR)
    assert metrics["recall"] == pytest.approx(sk.recall_score(truth, alarm), **NEAR)
    assert found.samples["correct"].tolist() == (alarm == truth).tolist()
    assert np.array_equal(found.confusion, sk.confusion_matrix(truth, alarm))


@pytest.mark.parametrize("threshold", [-9.0, 0.0, 0.5, 1.0, 9.0])
def test_a_given_threshold_is_used(threshold: float) -> None:
    data = random_scores(4)
    truth, alarm = data.anomalies.truth, data.anomalies.scores >= threshold
    found = measured(data, threshold=threshold)
    free = measured(data)
    assert found.metrics["best_threshold"] == free.metrics["best_threshold"]
    nothing = math.nan if not alarm.any() else 0
    precision = sk.precision_score(truth, alarm, zero_division=nothing)
    assert found.metrics["precision"] == pytest.approx(precision, nan_ok=True)
    assert found.metrics["recall"] == pytest.approx(sk.recall_score(truth, alarm))
    assert found.metrics["F1"] == pytest.approx(sk.f1_score(truth, alarm))


@pytest.mark.parametrize("seed", range(8))
def test_pixels_are_pooled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = [tuple(rng.integers(4, 12, 2)) for _ in range(6)]
    masks = [rng.random(shape) < 0.2 for shape in shapes]
    heat = [(mask + rng.normal(size=mask.shape)).astype(np.float32) for mask in masks]
    if seed % 2:
        heat = [part.round(1) for part in heat]
    found = measured(scored([0, 1, 0, 1, 1, 0], range(6), heat, masks)).metrics
    truth, score = (np.concatenate([m.reshape(-1) for m in maps]) for maps in (masks, heat))
    assert found["pixel_AUROC"] == pytest.approx(sk.roc_auc_score(truth, score), **NEAR)
    area = sk.average_precision_score(truth, score)
    assert found["pixel_AUPRC"] == pytest.approx(area, **NEAR)


def test_of_many_pixels_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    masks = [rng.random((100, 100)) < 0.2 for _ in range(4)]
    heat = [mask + rng.normal(size=mask.shape) for mask in masks]
    data = scored([0, 1, 0, 1], range(4), heat, masks)
    whole = measured(data).metrics["pixel_AUROC"]
    monkeypatch.setattr(module, "MAX_PIXELS", 10_000)
    part = measured(data)
    assert part.metrics["pixel_AUROC"] == pytest.approx(whole, abs=0.03)
    assert part.metrics["pixel_AUROC"] != whole
    assert "25.0% of the pixels" in part.notes[0]
    assert part.metrics == measured(data).metrics


def test_masks_without_a_defect_and_maps_with_nan() -> None:
    heat = [np.arange(4.0).reshape(2, 2)] * 2
    clean = [np.zeros((2, 2), bool)] * 2
    found = measured(scored([0, 1], [0, 1], heat, clean))
    assert math.isnan(found.metrics["pixel_AUROC"])
    assert "masks are all empty or all full" in found.notes[0]
    masks = [np.array([[0, 0], [1, 1]], bool)] * 2
    assert measured(scored([0, 1], [0, 1], heat, masks)).metrics["pixel_AUROC"] == 1
    spoilt = [heat[0], np.array([[0, 1], [np.nan, 3]])]
    found = measured(scored([0, 1], [0, 1], spoilt, masks))
    worst = [np.arange(4.0).reshape(2, 2), np.array([[0, 1], [-9, 3]])]
    expected = measured(scored([0, 1], [0, 1], worst, masks)).metrics["pixel_AUROC"]
    assert found.metrics["pixel_AUROC"] == pytest.approx(expected)
    assert found.notes == ("1 pixel of the heat maps with NaN counted as wrong.",)
    with pytest.raises(UsageProblem, match="s1: the heat map is of 3×2 pixels, the mask of 2×2"):
        measured(scored([0, 1], [0, 1], [heat[0], np.zeros((3, 2))], masks))


@pytest.mark.parametrize("seed", range(5))
def test_a_score_of_nan_is_wrong(seed: int) -> None:
    data = random_scores(seed, 30)
    truth, scores = data.anomalies.truth, data.anomalies.scores.copy()
    lost = np.arange(30) % 9 == 4
    worst = np.where(lost, np.where(truth == 1, -99.0, 99.0), scores)
    scores[lost] = np.nan
    found, bad = measured(scored(truth, scores)), measured(scored(truth, worst))
    for name in ("AUROC", "AUPRC"):
        assert found.metrics[name] == pytest.approx(bad.metrics[name], **NEAR)
    alarms = [np.where(lost, truth == 0, scores >= at) for at in scores[~lost]]
    best = max(sk.f1_score(truth, alarm) for alarm in alarms)
    for name in ("F1", "F1_at_best_threshold"):
        assert found.metrics[name] == pytest.approx(best, **NEAR)
    assert not found.samples["correct"][lost].any()
    assert "with score NaN counted as wrong" in found.notes[0]


def test_infinite_scores_have_a_rank() -> None:
    truth, scores = [0, 0, 1, 1, 0], [-math.inf, 0.2, 0.7, math.inf, math.inf]
    found = measured(scored(truth, scores), resamples=50)
    expected = sk.roc_auc_score(truth, [-9, 0.2, 0.7, 9, 9])
    assert found.metrics["AUROC"] == pytest.approx(expected)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(label: int) -> None:
    found = measured(scored([label] * 4, [0.1, 0.4, 0.2, 0.9]), resamples=20)
    assert math.isnan(found.metrics["AUROC"])
    assert math.isnan(found.metrics["AUPRC"])
    assert found.interval is None
    assert found.curves == ()
    assert found.metrics["F1_at_best_threshold"] == pytest.approx(
        1.0 if label else math.nan, nan_ok=True
    )
    assert found.samples["correct"].all()
    assert any("Only one class" in note for note in found.notes)


def test_all_scores_equal_and_all_nan() -> None:
    found = measured(scored([0, 1, 1], [0.5] * 3)).metrics
    assert found["AUROC"] == 0.5
    assert found["F1_at_best_threshold"] == pytest.approx(0.8)
    lost = measured(scored([0, 1, 1], [math.nan] * 3))
    assert lost.metrics["AUROC"] == 0
    assert lost.metrics["F1"] == 0
    assert not lost.samples["correct"].any()


def test_unknown_and_impossible_truth() -> None:
    data = random_scores(3, 20)
    truth = data.anomalies.truth.copy()
    truth[5] = -1
    kept = truth >= 0
    found = measured(scored(truth, data.anomalies.scores))
    assert found.metrics == measured(scored(truth[kept], data.anomalies.scores[kept])).metrics
    assert "1 sample of unknown truth" in found.notes[0]
    truth[6] = 2
    with pytest.raises(UsageProblem, match=r"label 2 .* 2 classes"):
        measured(scored(truth, data.anomalies.scores))


def test_curves_have_the_scores_as_thresholds() -> None:
    data = random_scores(6, 50)
    pr, roc = measured(data).curves
    truth, scores = data.anomalies.truth, data.anomalies.scores
    precision, recall, at = sk.precision_recall_curve(truth, scores)
    assert pr.x == pytest.approx(recall)
    assert pr.y == pytest.approx(precision)
    assert pr.thresholds[:-1] == pytest.approx(at)
    fpr, tpr, at = sk.roc_curve(truth, scores)
    assert roc.x == pytest.approx(fpr)
    assert roc.y == pytest.approx(tpr)
    assert roc.thresholds[1:] == pytest.approx(at[1:])
