from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm

from cvtrack_magics.errors import UsageProblem
from tests.vision.measure.make import classified, measured, random_classes

NEAR = {"abs": 1e-6, "rel": 0}


def tensors(data: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(data.labels.probabilities), torch.tensor(data.labels.truth)


CASES = [
    (seed, n, k) for seed in range(6) for n, k in ((1, 3), (17, 2), (50, 7), (300, 10), (90, 40))
]


@pytest.mark.parametrize(("seed", "count", "classes"), CASES)
def test_figures_are_scikit_learns(seed: int, count: int, classes: int) -> None:
    data = random_classes(seed, count, classes)
    truth, p = data.labels.truth, data.labels.probabilities
    said = p.argmax(axis=1)
    found = measured(data).metrics

    plain: Any = {"zero_division": 0}
    assert found["top1_acc"] == pytest.approx(sk.accuracy_score(truth, said), **NEAR)
    for name, score in (("f1", sk.f1_score), ("precision", sk.precision_score)):
        key = "macro_f1" if name == "f1" else name
        assert found[key] == pytest.approx(score(truth, said, average="macro", **plain), **NEAR)
    recall = sk.recall_score(truth, said, average="macro", **plain)
    assert found["recall"] == pytest.approx(recall, **NEAR)
    weighted = sk.f1_score(truth, said, average="weighted", **plain)
    assert found["weighted_f1"] == pytest.approx(weighted, **NEAR)
    nll = sk.log_loss(truth, p, labels=range(classes))
    assert found["NLL"] == pytest.approx(nll, **NEAR)
    if classes > 5:
        top = sk.top_k_accuracy_score(truth, p, k=5, labels=range(classes))
        assert found["top5_acc"] == pytest.approx(top, **NEAR)
    else:
        assert "top5_acc" not in found
    each = sk.f1_score(truth, said, labels=range(classes), average=None, zero_division=math.nan)
    mine = [found[f"per_class_f1/class {k}"] for k in range(classes)]
    assert mine == pytest.approx(each, nan_ok=True, **NEAR)


@pytest.mark.parametrize(("seed", "count", "classes"), CASES)
def test_figures_are_torchmetrics(seed: int, count: int, classes: int) -> None:
    data = random_classes(seed, count, classes)
    p, truth = tensors(data)
    found = measured(data).metrics
    k: Any = {"num_classes": classes}
    ece = tm.multiclass_calibration_error(p, truth, n_bins=15, norm="l1", **k)
    assert found["ECE"] == pytest.approx(float(ece), **NEAR)
    f1 = tm.multiclass_f1_score(p, truth, average="macro", **k)
    assert found["macro_f1"] == pytest.approx(float(f1), **NEAR)
    top1 = tm.multiclass_accuracy(p, truth, average="micro", **k)
    assert found["top1_acc"] == pytest.approx(float(top1), **NEAR)
    table = tm.multiclass_confusion_matrix(p, truth, **k)
    assert np.array_equal(measured(data).confusion, table.numpy())
    nll = torch.nn.functional.nll_loss(p.log(), truth)
    assert found["NLL"] == pytest.approx(float(nll), **NEAR)


@pytest.mark.parametrize("seed", range(12))
def test_two_classes_have_areas(seed: int) -> None:
    data = random_classes(seed, 80, 2)
    if seed % 2:
        data = classified(data.labels.truth, data.labels.probabilities.round(1))
    p, truth = tensors(data)
    found = measured(data)
    assert found.metrics["AUROC"] == pytest.approx(float(tm.binary_auroc(p[:, 1], truth)), **NEAR)
    area = float(tm.binary_average_precision(p[:, 1], truth))
    assert found.metrics["AUPRC"] == pytest.approx(area, **NEAR)
    assert [curve.kind for curve in found.curves] == ["pr", "roc", "reliability"]


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0, 1.5])
def test_a_threshold_decides_between_two_classes(threshold: float) -> None:
    data = random_classes(3, 200, 2)
    truth, p = data.labels.truth, data.labels.probabilities
    said = (p[:, 1] >= threshold).astype(int)
    free, found = measured(data), measured(data, threshold=threshold)
    assert found.metrics["top1_acc"] == pytest.approx(sk.accuracy_score(truth, said), **NEAR)
    macro = sk.f1_score(truth, said, average="macro", zero_division=0)
    assert found.metrics["macro_f1"] == pytest.approx(macro, **NEAR)
    assert np.array_equal(found.confusion, sk.confusion_matrix(truth, said))
    assert np.array_equal(found.samples["confidence"], p[np.arange(200), said])
    assert found.metrics["ECE"] == free.metrics["ECE"]
    many = measured(random_classes(3, 20, 4), threshold=threshold)
    assert many.metrics == measured(random_classes(3, 20, 4)).metrics
    assert any("threshold" in note for note in many.notes)


def test_a_confidence_on_the_edge_of_a_bin_belongs_below() -> None:
    # torchmetrics puts 1.0 into a bin of its own, the paper into the last one with its like.
    p = np.array([[1.0, 0.0], [0.97, 0.03], [1.0, 0.0], [0.6, 0.4]])
    found = measured(classified([0, 0, 1, 0], p))
    # the last bin has accuracy 2/3 and confidence 2.97/3; 0.6 = 9/15 is the top of the ninth
    assert found.metrics["ECE"] == pytest.approx((0.97 + 0.4) / 4, **NEAR)
    assert found.curves[-1].counts.tolist() == [1, 3]
    assert found.curves[-1].thresholds == pytest.approx([8 / 15, 14 / 15])


def test_equal_probabilities_rank_the_first_class_first() -> None:
    # scikit-learn's top-k takes the last of equal ones: truth 0 would be in top 1 but not top 5.
    data = classified([0, 4, 5, 9], np.full((4, 10), 0.1))
    found = measured(data)
    assert found.metrics["top1_acc"] == 0.25
    assert found.metrics["top5_acc"] == 0.5
    assert found.samples["pred"].tolist() == [0, 0, 0, 0]


def test_a_prediction_of_nan_is_wrong() -> None:
    whole = random_classes(5, 40, 6)
    truth, p = whole.labels.truth, whole.labels.probabilities.copy()
    p[3, 2], p[7] = np.nan, np.nan
    p[9, 0] = np.inf
    found = measured(classified(truth, p))
    kept = np.setdiff1d(np.arange(40), [3, 7, 9])
    said = np.where(np.isin(np.arange(40), kept), p.argmax(axis=1), -1)
    assert found.metrics["top1_acc"] == pytest.approx((said == truth).mean())
    scores = sk.f1_score(truth, said, labels=range(6), average=None)
    assert [found.metrics[f"per_class_f1/class {k}"] for k in range(6)] == pytest.approx(scores)
    alone = measured(classified(truth[kept], p[kept]))
    for name in ("ECE", "NLL"):
        assert found.metrics[name] == pytest.approx(alone.metrics[name], **NEAR)
    assert np.array_equal(found.confusion, alone.confusion)
    assert found.samples["pred"][[3, 7, 9]].tolist() == [-1, -1, -1]
    assert not found.samples["correct"][[3, 7, 9]].any()
    assert np.isnan(found.samples["loss"][[3, 7, 9]]).all()
    assert found.notes == ("3 samples with a probability of NaN or infinity counted as wrong.",)


@pytest.mark.parametrize("classes", [2, 3, 8])
def test_nothing_but_nan_is_all_wrong(classes: int) -> None:
    found = measured(classified([0, 1], np.full((2, classes), np.nan)))
    assert found.metrics["top1_acc"] == 0
    assert math.isnan(found.metrics["NLL"])
    assert math.isnan(found.metrics["ECE"])


def test_samples_of_unknown_truth_are_left_out() -> None:
    data = random_classes(8, 30, 4)
    truth = data.labels.truth.copy()
    truth[[0, 5, 29]] = -1
    found = measured(classified(truth, data.labels.probabilities))
    alone = measured(classified(truth[truth >= 0], data.labels.probabilities[truth >= 0]))
    assert found.metrics == alone.metrics
    assert "s0" not in found.samples["id"]
    assert len(found.samples["id"]) == 27
    assert "3 samples of unknown truth" in found.notes[0]
    with pytest.raises(UsageProblem, match="No sample has a known truth"):
        measured(classified([-1, -1], np.eye(2)))


def test_one_class_has_no_areas() -> None:
    data = random_classes(1, 20, 2)
    found = measured(classified(np.ones(20), data.labels.probabilities))
    assert math.isnan(found.metrics["AUROC"])
    assert math.isnan(found.metrics["AUPRC"])
    assert any("Only one class" in note for note in found.notes)
    assert found.metrics["top1_acc"] == data.labels.probabilities.argmax(axis=1).mean()


@pytest.mark.parametrize("label", [4, 99, -2])
def test_a_label_out_of_range_is_named(label: int) -> None:
    data = random_classes(1, 5, 4)
    truth = data.labels.truth.copy()
    truth[2] = label
    with pytest.raises(UsageProblem, match=rf"label {label} .* 4 classes"):
        measured(classified(truth, data.labels.probabilities))


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_the_loss_is_clipped_where_p_is_0(kind: str) -> None:
    p = np.array([[1, 0], [0, 1], [1, 0]], kind)
    found = measured(classified([0, 1, 1], p))
    assert found.metrics["NLL"] == pytest.approx(sk.log_loss([0, 1, 1], p), **NEAR)
    assert found.samples["loss"][2] == pytest.approx(-math.log(np.finfo(kind).eps))


def test_all_wrong_is_zero() -> None:
    found = measured(classified([0, 1, 2], np.eye(3)[[1, 2, 0]]))
    for name in ("top1_acc", "macro_f1", "precision", "recall"):
        assert found.metrics[name] == 0
    assert found.metrics["ECE"] == 1
    assert np.array_equal(found.confusion, np.eye(3)[[1, 2, 0]])


def test_samples_say_what_happened() -> None:
    found = measured(classified([1, 0], [[0.3, 0.7], [0.4, 0.6]])).samples
    assert list(found) == ["id", "truth", "pred", "confidence", "correct", "loss"]
    assert found["pred"].tolist() == [1, 1]
    assert found["correct"].tolist() == [True, False]
    assert found["loss"] == pytest.approx([-math.log(0.7), -math.log(0.4)])


def test_curves_have_at_most_200_points_and_keep_their_ends() -> None:
    found = measured(random_classes(2, 5000, 3))
    assert [curve.name for curve in found.curves] == ["class 0", "class 1", "class 2", ""]
    truth, p = (
        random_classes(2, 5000, 3).labels.truth,
        random_classes(2, 5000, 3).labels.probabilities,
    )
    for k, curve in enumerate(found.curves[:3]):
        precision, recall, _ = sk.precision_recall_curve(truth == k, p[:, k])
        assert 100 < len(curve.x) <= 200
        assert (curve.x[0], curve.x[-1]) == (recall[0], recall[-1])
        assert (curve.y[0], curve.y[-1]) == (precision[0], precision[-1])
        given = dict(zip(zip(recall, precision, strict=True), recall, strict=True))
        assert all(pair in given for pair in zip(curve.x, curve.y, strict=True))
        # so few points still enclose the same area
        area = -np.sum(np.diff(curve.x) * curve.y[:-1])
        assert area == pytest.approx(sk.average_precision_score(truth == k, p[:, k]), abs=0.01)


def test_a_class_that_is_never_true() -> None:
    p = np.array([[0.1, 0.9, 0], [0.2, 0.8, 0], [0.9, 0.05, 0.05]])
    found = measured(classified([1, 1, 1], p))
    assert found.per_class["f1"] == pytest.approx([0, 0.8, np.nan], nan_ok=True)
    assert found.per_class["support"].tolist() == [0, 3, 0]
    assert found.metrics["macro_f1"] == pytest.approx(0.4)
