"""Better, worse or undecided: right of models that differ, seldom wrong of those that do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.promotions import Case, classifiers, detectors_of_anomalies
from cvtrack_magics.comparison.sentences import in_words
from cvtrack_magics.comparison.verdicts import verdicts_of
from tests.release.gate.make import candidate, classifier, evaluation, with_facts

N = 400


def rights(seed: int, share: float = 0.8) -> Any:
    return np.random.default_rng(seed).random(N) < share


def verdict(run: Any, base: Any) -> Any:
    (found,) = verdicts_of(run, base)
    return found


def test_a_run_that_is_right_where_the_other_is_wrong_is_better() -> None:
    right = rights(0)
    better = right | rights(1, 0.3)
    found = verdict(classifier("b", better), classifier("a", right))
    assert found.outcome == "better"
    assert found.gain == pytest.approx(better.mean() - right.mean())
    assert 0 < found.low < found.gain < found.high
    assert found.samples == N
    back = verdict(classifier("a", right), classifier("b", better))
    assert back.outcome == "worse"
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("kind", ["classification", "anomaly"])
def test_of_equal_models_at_most_one_in_twenty_is_called_otherwise(kind: str) -> None:
    case = {
        "classification": Case("top1_acc", 200, 0.8, 0.0, classifiers, 400),
        "anomaly": Case("AUROC", 100, 0.9, 0.0, detectors_of_anomalies, 60),
    }[kind]
    rng = np.random.default_rng(3)
    found = [verdict(*case.make(rng, case)) for _ in range(case.pairs)]
    wrong = sum(one.outcome != "undecided" for one in found)
    greater = sum(one.gain != 0 for one in found)
    assert wrong <= 0.05 * case.pairs
    assert greater > 0.8 * case.pairs  # what comparing two numbers would have called a difference


def test_models_that_differ_are_told_apart() -> None:
    case = Case("top1_acc", 1000, 0.85, 0.05, classifiers, 40)
    rng = np.random.default_rng(4)
    found = [verdict(*case.make(rng, case)).outcome for _ in range(case.pairs)]
    assert found.count("better") > 0.9 * case.pairs
    assert "worse" not in found


def base() -> Any:
    return classifier("a", rights(0))


REASONS: dict[str, tuple[Any, str]] = {
    "other data": (classifier("b", rights(1), data_sha256="f" * 64), "different data"),
    "other settings": (
        classifier("b", rights(1), settings={"threshold": 0.4}),
        "different threshold",
    ),
    "no table": (
        with_facts(classifier("b", rights(1)), table={}),
        "has no table with 'correct' for each sample",
    ),
    "few samples": (classifier("b", rights(1)[:10]), "different samples"),
    "two bare numbers": (candidate("b", {"val/top1_acc": 0.99}), "was measured by no evaluation"),
    "a run that failed": (
        replace(classifier("b", rights(1)), status="FAILED"),
        "the run is FAILED",
    ),
    "none": (candidate("b"), "there is no such metric"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_what_cannot_be_compared_is_undecided_and_says_why(reason: str) -> None:
    other, why = REASONS[reason]
    for run, against in ((other, base()), (base(), other)):
        found = verdict(run, against)
        assert found.outcome == "undecided"
        assert found.gain is None
        assert why in found.why
        labels = {run.run_id: "b", against.run_id: "a"}
        assert "undecided" in in_words(found, labels)
        assert "champion" not in found.why
        assert "challenger" not in found.why


def test_numbers_alone_are_no_verdict() -> None:
    pair = candidate("b", {"val/acc": 0.99}), candidate("a", {"val/acc": 0.01})
    assert list(verdicts_of(*pair)) == []


def test_each_headline_has_a_verdict() -> None:
    two = {
        "val": evaluation(metrics={"mAP50": 0.5}),
        "test": evaluation("test", metrics={"mAP50": 0.5}),
    }
    runs = [
        candidate(name, {"val/mAP50": 0.5, "test/mAP50": 0.5}, evaluations=two) for name in "ab"
    ]
    assert [one.metric for one in verdicts_of(*runs)] == ["val/mAP50", "test/mAP50"]
