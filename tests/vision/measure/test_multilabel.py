from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
import torchmetrics.functional.classification as tm

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.evaluate import measure
from tests.vision.measure.make import labelled, measured, random_label_sets

NEAR: dict[str, Any] = {"abs": 1e-6, "rel": 0}
TRUTH = [[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]]
SAID = [[0.9, 0.2, 0.4], [0.6, 0.7, 0.1], [0.1, 0.2, 0.3], [0.8, 0.5, 0.1]]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_figures_are_scikit_learns_and_torchmetrics(seed: int, ties: bool) -> None:
    data = random_label_sets(seed, 20 + 9 * seed, 2 + seed % 7, ties=ties)
    truth, scores = data.label_sets.truth, data.label_sets.probabilities
    said, found = scores >= 0.5, measured(data).metrics
    target, given = torch.tensor(truth), torch.tensor(scores)
    count = truth.shape[1]
    areas = tm.multilabel_average_precision(given, target.long(), count, average=None)
    assert found["mAP"] == pytest.approx(sk.average_precision_score(truth, scores), **NEAR)
    for at, area in enumerate(areas.tolist()):
        assert found[f"AP/class {at}"] == pytest.approx(area, **NEAR)
    assert found["AUROC"] == pytest.approx(sk.roc_auc_score(truth, scores), **NEAR)
    zero = {"zero_division": 0}
    assert found["macro_f1"] == pytest.approx(sk.f1_score(truth, said, average="macro"), **NEAR)
    assert found["micro_f1"] == pytest.approx(sk.f1_score(truth, said, average="micro"), **NEAR)
    for name, score in (("precision", sk.precision_score), ("recall", sk.recall_score)):
        assert found[name] == pytest.approx(score(truth, said, average="macro", **zero), **NEAR)
    # torchmetrics predicts what is above a threshold, not what lies on it
    given = torch.tensor(said.astype(np.float64))
    each = tm.multilabel_f1_score(given, target, count, average=None)
    for at, f1 in enumerate(each.tolist()):
        assert found[f"per_class_f1/class {at}"] == pytest.approx(f1, **NEAR)
    assert found["subset_acc"] == pytest.approx(sk.accuracy_score(truth, said), **NEAR)
    assert found["subset_acc"] == pytest.approx(
        float(tm.multilabel_exact_match(given, target, count)), **NEAR
    )
    assert found["hamming_loss"] == pytest.approx(sk.hamming_loss(truth, said), **NEAR)
    assert found["hamming_loss"] == pytest.approx(
        float(tm.multilabel_hamming_distance(given, target, count, average="micro")), **NEAR
    )


@pytest.mark.parametrize("seed", range(6))
def test_what_is_unknown_counts_nowhere(seed: int) -> None:
    data = random_label_sets(seed, 80, 5)
    truth, scores = data.label_sets.truth.copy(), data.label_sets.probabilities
    truth[np.random.default_rng(seed).random(truth.shape) < 0.3] = -1
    found = measured(labelled(truth, scores)).metrics
    target, given = torch.tensor(truth).long(), torch.tensor(scores)
    more: dict[str, Any] = {"num_labels": 5, "ignore_index": -1}
    # torchmetrics counts a class without truth as 0, we leave it out
    there = ((truth == 1).any(axis=0), (truth == 0).any(axis=0))
    theirs = tm.multilabel_average_precision(given, target, average=None, **more).numpy()
    assert found["mAP"] == pytest.approx(theirs[there[0]].mean(), **NEAR)
    theirs = tm.multilabel_auroc(given, target, average=None, **more).numpy()
    assert found["AUROC"] == pytest.approx(theirs[there[0] & there[1]].mean(), **NEAR)
    theirs = tm.multilabel_f1_score(given, target, average="micro", **more)
    assert found["micro_f1"] == pytest.approx(float(theirs), **NEAR)
    known = truth != -1
    wrong = (scores >= 0.5) != (truth == 1)
    assert found["hamming_loss"] == pytest.approx(wrong[known].mean(), **NEAR)


def test_by_hand() -> None:
    found = measured(labelled(TRUTH, SAID))
    assert found.metrics["subset_acc"] == 2 / 4
    assert found.metrics["hamming_loss"] == 2 / 12
    assert found.samples["tp"].tolist() == [1, 1, 0, 2]
    assert found.samples["fp"].tolist() == [0, 1, 0, 0]
    assert found.samples["fn"].tolist() == [1, 0, 0, 0]
    assert found.samples["correct"].tolist() == [False, False, True, True]
    assert found.samples["f1"].tolist() == [2 / 3, 2 / 3, 1, 1]
    own = [-math.log(p) for p in (0.9, 0.8, 0.4)]
    assert found.samples["loss"][0] == pytest.approx(sum(own) / 3)
    assert found.per_class["support"].tolist() == [2, 2, 1]
    assert [curve.name for curve in found.curves] == ["class 0", "class 1", "class 2"]
    assert found.notes == ()


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7, 1.0])
def test_a_given_threshold_is_used(threshold: float) -> None:
    data = random_label_sets(3, 50, 4, ties=True)
    truth, scores = data.label_sets.truth, data.label_sets.probabilities
    found = measured(data, threshold=threshold).metrics
    said = scores >= threshold
    wanted = sk.f1_score(truth, said, average="micro", zero_division=0)
    assert found["micro_f1"] == pytest.approx(wanted, **NEAR)
    assert found["mAP"] == measured(data).metrics["mAP"]


def test_a_score_of_32_bits_lies_on_the_threshold_it_is_written_as() -> None:
    scores = np.array([[0.7, 0.2]], np.float32)
    assert measured(labelled([[1, 0]], scores), threshold=0.7).metrics["micro_f1"] == 1


def test_a_class_without_truth_has_no_figure_and_takes_no_part() -> None:
    truth = np.array([[1, 0], [0, 0], [1, 0]])
    found = measured(labelled(truth, [[0.9, 0.1], [0.2, 0.2], [0.8, 0.3]]))
    assert math.isnan(found.metrics["AP/class 1"])
    assert math.isnan(found.metrics["per_class_f1/class 1"])
    assert found.metrics["mAP"] == found.metrics["macro_f1"] == 1
    wrong = measured(labelled(truth, [[0.9, 0.1], [0.2, 0.9], [0.8, 0.3]]))
    assert wrong.metrics["per_class_f1/class 1"] == 0
    assert wrong.metrics["macro_f1"] == 0.5


def test_a_score_of_nan_is_wrong_at_any_threshold() -> None:
    scores = np.array(SAID)
    scores[0, 0] = scores[2, 1] = np.nan
    for threshold in (None, 0.0, 1.0):
        found = measured(labelled(TRUTH, scores), threshold=threshold)
        assert "2 probabilities of NaN or infinity counted as wrong." in found.notes
        assert found.samples["fn"][0] >= 1
        assert found.samples["fp"][2] >= 1
    assert math.isnan(found.samples["loss"][0])


def test_samples_and_labels_of_unknown_truth_are_said() -> None:
    truth = np.array(TRUTH)
    truth[1] = -1
    truth[0, 1] = -1
    found = measured(labelled(truth, SAID))
    assert found.notes == (
        "1 sample of unknown truth (-1) left out.",
        "1 label of unknown truth (-1) count nowhere.",
    )
    assert found.samples["id"].tolist() == ["s0", "s2", "s3"]
    with pytest.raises(UsageProblem, match="No sample has a known truth"):
        measured(labelled(np.full((4, 3), -1), SAID))


def test_resamples_without_weights_of_their_own_are_the_figure() -> None:
    from cvtrack_magics.tasks.multilabel.metrics import _read, class_precisions

    data = random_label_sets(1, 60, 4, ties=True)
    labels = _read(data.label_sets.truth, data.label_sets.probabilities, [])
    weights = np.random.default_rng(0).integers(0, 4, (5, 60)).astype(float)
    drawn = class_precisions(labels)(weights)
    for row, own in zip(weights, drawn, strict=True):
        for one in range(4):
            wanted = sk.average_precision_score(
                labels.true[:, one], labels.ranks[:, one], sample_weight=row
            )
            assert own[one] == pytest.approx(wanted, **NEAR)


def test_the_interval_names_a_class_that_is_too_rare() -> None:
    truth = np.zeros((30, 2), int)
    truth[:10, 0] = truth[:2, 1] = 1
    found = measure(labelled(truth, np.random.default_rng(0).random((30, 2))))
    assert found.interval is None
    assert any("too few samples with class 1 (2)" in note for note in found.notes)
    assert measure(random_label_sets(0, 60, 3)).interval is not None
