"""The challenger beside the champion: who passes, and who cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.gate import ChampionRule, compare, judge, parse_rule
from cvtrack_magics.tasks.base import Anomalies, Classes
from cvtrack_magics.tasks.predictions import Predictions
from tests.release.gate.make import candidate, classifier, evaluated, version, with_facts
from tests.vision.measure.make import (
    names,
    predictions,
    random_boxes,
    random_depths,
    random_masks,
    random_scores,
    random_segments,
    scored,
    softmax,
)

TOP1 = ChampionRule("val/top1_acc")
N = 400
MAKERS: dict[str, Any] = {
    "mAP50": partial(random_boxes, images=40),
    "mIoU": partial(random_segments, images=25),
    "mask_AP": partial(random_masks, images=25),
    "AUROC": partial(random_scores, count=80),
    "AbsRel": partial(random_depths, images=25),
}


def rights(seed: int, share: float = 0.8) -> Any:
    return np.random.default_rng(seed).random(N) < share


def why(challenger: Any, champion: Any, rule: ChampionRule = TOP1, **more: Any) -> str:
    row, found = compare(challenger, champion, rule, **more)
    assert not row.passed
    assert row.why
    assert found is None
    return row.why


def test_better_on_many_samples_passes() -> None:
    right = rights(0)
    better = right | (rights(1, 0.3))
    row, found = compare(classifier("a", better), classifier("b", right), TOP1)
    assert row.passed, row.why
    assert found.difference == pytest.approx(better.mean() - right.mean())
    assert 0 < found.low < found.difference
    assert row.margin == found.low
    assert (found.samples, found.resamples, found.better) == (N, 0, "higher")
    assert found.champion == "b (run b0000000)"
    row, _ = compare(classifier("b", right), classifier("a", better), TOP1)
    assert not row.passed
    assert row.why == "the 95 % lower bound of the gain is not above 0"


def test_the_margin_and_the_confidence_decide() -> None:
    right = rights(0)
    better = right.copy()
    better[np.flatnonzero(~right)[:16]] = True  # 16 of 400 are 0.04 better
    pair = classifier("a", better), classifier("b", right)
    low = compare(*pair, TOP1)[1].low
    for margin in (low - 1e-6, low + 1e-6):
        row, _ = compare(*pair, ChampionRule("val/top1_acc", margin=margin))
        assert row.passed == (margin < low)
    assert compare(*pair, ChampionRule("val/top1_acc", confidence=0.99))[1].low < low
    assert compare(*pair, ChampionRule("val/top1_acc", margin=-0.01))[0].passed


def test_samples_are_matched_by_id_in_whatever_order() -> None:
    right, better = rights(0), rights(0) | rights(1, 0.3)
    order = np.random.default_rng(5).permutation(N)
    ids = [f"s{at}" for at in range(N)]
    expected = compare(classifier("a", better), classifier("b", right), TOP1)[1]
    turned = classifier("b", right[order], [ids[at] for at in order])
    assert compare(classifier("a", better), turned, TOP1)[1] == expected


def test_equal_models_do_not_pass() -> None:
    right = rights(0)
    for same in (right, np.ones(N, bool), np.zeros(N, bool)):
        row, found = compare(classifier("a", same), classifier("b", same), TOP1)
        assert not row.passed
        assert found.difference == 0
        assert found.low < 0


@pytest.mark.parametrize("metric", MAKERS)
def test_equal_models_with_replicates_do_not_pass(metric: str) -> None:
    data = MAKERS[metric](3)
    turned = data[np.random.default_rng(0).permutation(len(data))]
    pair = evaluated("a", data), evaluated("b", turned)
    row, found = compare(*pair, ChampionRule(f"val/{metric}"))
    assert not row.passed
    assert found.resamples == 200
    assert found.difference == pytest.approx(0, abs=1e-9)
    assert row.why == "the 95 % lower bound of the gain is not above 0"


def anomalies(noise: float, seed: int, count: int = 200) -> Any:
    truth = (np.arange(count) < count // 3).astype(np.int64)
    common = np.random.default_rng(9).normal(size=count)
    scores = truth * 2 + common + noise * np.random.default_rng(seed).normal(size=count)
    return scored(truth, scores)


def test_a_better_area_under_roc_passes_and_a_worse_one_does_not() -> None:
    rule = ChampionRule("val/AUROC")
    good, poor = evaluated("a", anomalies(0.1, 0)), evaluated("b", anomalies(3, 1))
    row, found = compare(good, poor, rule)
    assert row.passed, row.why
    values = [c.evaluations["val"].measured.metrics["AUROC"] for c in (good, poor)]
    assert found.difference == pytest.approx(values[0] - values[1])
    assert not compare(poor, good, rule)[0].passed
    # pairs cancel what both have in common: the same two unpaired are much less sure
    near = evaluated("c", anomalies(0.15, 2))
    _, found = compare(good, near, rule)
    spread = [np.std(c.evaluations["val"].replicates) for c in (good, near)]
    assert found.difference - found.low < 0.5 * 1.65 * np.hypot(*spread)


def test_of_an_error_the_lower_is_better() -> None:
    rng = np.random.default_rng(0)
    good = random_depths(1, 30, holes=0)
    items = [item * np.exp(rng.normal(0, 0.6, item.shape)) for item in good.depths.prediction]
    maps = type(good.depths.prediction).of(item.astype(np.float32) for item in items)
    poor = replace(good, data=replace(good.depths, prediction=maps))
    pair = evaluated("a", good), evaluated("b", poor)
    row, found = compare(*pair, ChampionRule("val/AbsRel"))
    assert row.passed, row.why
    assert found.better == "lower"
    assert found.challenger_value < found.champion_value
    assert found.difference > found.low > 0
    assert why(*pair, ChampionRule("val/AbsRel", better="higher")) == (
        "of AbsRel lower is better, not higher"
    )


def test_classifiers_by_their_loss() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 150)
    noise = rng.normal(size=(150, 3))
    made = []
    for strength in (2.0, 1.0):
        chances = softmax(noise + strength * np.eye(3)[truth])
        made.append(predictions("classification", 150, Classes(truth, chances), names(3)))
    good, poor = evaluated("a", made[0]), evaluated("b", made[1])
    row, found = compare(good, poor, ChampionRule("val/NLL"))
    assert row.passed, row.why
    assert found.method == "Student's t of paired differences"
    assert not compare(poor, good, ChampionRule("val/NLL"))[0].passed
    assert compare(good, poor, TOP1)[1].method.startswith("score interval")
    made[0].labels.probabilities[3] = np.nan
    lost = evaluated("a", made[0])
    assert "1 of 150 samples have no 'loss'" in why(lost, poor, ChampionRule("val/NLL"))


def test_no_champion_yet() -> None:
    row, found = compare(classifier("a", rights(0)), None, TOP1)
    assert (row.passed, row.why, found) == (True, "no champion yet", None)
    # whom the next one could not be compared with is no champion
    assert "no such metric" in why(candidate("b"), None)
    assert "measured by no evaluation" in why(candidate("b", {"val/top1_acc": 0.9}), None)
    assert "not FINISHED" in why(classifier("a", rights(0)).__class__(
        **{**vars(classifier("a", rights(0))), "status": "FAILED"}
    ), None)  # fmt: skip


def test_nothing_is_compared_with_itself() -> None:
    one, other = classifier("a", rights(0)), classifier("b", rights(1))
    assert why(one, one) == "the champion was made of the same run"
    with_version = replace(one, version=version("2", one.run_id))
    assert "it is the champion" in why(with_version, with_version)
    again = replace(one, version=version("3", one.run_id))
    assert "same run" in why(again, with_version)
    made = replace(other, version=version("3", other.run_id))
    assert compare(made, with_version, TOP1)[1].champion == "cv-detector version 2 (run a0000000)"


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "data": ({"data_sha256": "ab" * 32}, "evaluated on different data, 3f9a0c1e and abababab"),
    "no data": ({"data_sha256": ""}, "not known on which data the champion was evaluated"),
    "task": ({"task": "detection"}, "it is not known which way"),
    "samples": ({"samples": 399}, "different samples: 400 and 399"),
    "no samples": ({"samples": None}, "on how many samples the champion"),
    "threshold": ({"settings": {"threshold": 0.5}}, "different threshold: None and 0.5"),
    "iou": ({"settings": {"iou": 0.75}}, "different iou: 0.5 and 0.75"),
    "ignore": ({"settings": {"ignore": 255}}, "different ignore: None and 255"),
    "scheme": ({"settings": {"scheme": 2}}, "different scheme: 1 and 2"),
    "classes": ({"classes": ["car", "bus"]}, "different classes"),
    "table": ({"table": {}}, "the champion has no table"),
    "short": ({"table": {"id": ["a"], "correct": []}}, "the champion has no table"),
    "ids": ({"table": {"id": ["x"] * N, "correct": [True] * N}}, "ids occur twice"),
    "lost": ({"table": {"id": list(range(N)), "correct": [None] * N}}, "400 of 400 samples"),
    "mean": ({"table": {"id": list(range(N)), "correct": [True] * N}}, "the mean of"),
    "value": ({"metrics": {"top1_acc": 0.99}}, "the metric says 0.8"),
    "headline": ({"metrics": {}}, "measured by no evaluation"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_cannot_be_shown_to_be_equal_is_refused(kind: str) -> None:
    right = np.arange(N) < 320
    one, other = classifier("a", right), classifier("b", right[::-1])
    change, said = CHANGES[kind]
    other = with_facts(other, **change)
    if kind == "task":
        assert said in why(other, one)
        assert "different task" in why(other, one, ChampionRule("val/top1_acc", better="higher"))
        return
    assert said in why(one, other)


def test_other_samples_are_refused() -> None:
    right = rights(0)
    other = classifier("b", right, [f"t{at}" for at in range(N)])
    assert why(classifier("a", right), other) == "their tables are not of the same samples"


def test_old_evaluations_are_to_be_made_again() -> None:
    one, other = classifier("a", rights(0)), classifier("b", rights(1))
    other.evaluations["val"].measured.settings.clear()
    assert why(one, other) == "the settings of the champion's evaluation were not kept; " + (
        "run %mleval again"
    )


def test_few_samples_tell_nothing() -> None:
    pair = classifier("a", [True] * 19), classifier("b", [False] * 19)
    assert why(*pair) == "19 samples are too few to tell, 20 are the least"
    pair = classifier("a", [True] * 20), classifier("b", [False] * 20)
    assert compare(*pair, TOP1)[0].passed


def test_the_best_of_many_must_be_better_by_more() -> None:
    right = rights(0)
    better = right.copy()
    better[np.flatnonzero(~right)[:8]] = True
    pair = classifier("a", better), classifier("b", right)
    row, one = compare(*pair, TOP1)
    assert row.passed
    assert row.wanted == "gain > 0 (95 % lower bound)"
    row, many = compare(*pair, TOP1, candidates=20)
    assert not row.passed
    assert row.wanted == "gain > 0 (95 % lower bound, best of 20)"
    assert "chosen among 20 runs on this data" in row.why
    assert (one.candidates, many.candidates) == (1, 20)
    assert many.low < one.low
    assert many.confidence == one.confidence == 0.95
    # an error of 5 % of the best is one of 0.25 % of each
    alone = compare(*pair, ChampionRule("val/top1_acc", confidence=0.9975))[1]
    assert many.low == alone.low


def test_the_best_of_equally_good_models_is_rarely_promoted() -> None:
    # 200 champions with 20 equals each: 5 % would be 10 of them; without correction about 60
    rng = np.random.default_rng(12)
    promoted = naive = 0
    for _ in range(200):
        common = rng.normal(size=N)
        made = [0.7**0.5 * common + 0.3**0.5 * rng.normal(size=N) < 1.28 for _ in range(21)]
        best = max(made[1:], key=lambda right: right.sum())
        pair = classifier("a", best), classifier("b", made[0])
        promoted += compare(*pair, TOP1, candidates=20)[0].passed
        naive += compare(*pair, TOP1)[0].passed
    assert promoted <= 15
    assert naive > 30


def in_clusters(name: str, right: Any, clusters: Any) -> Any:
    made = classifier(name, right)
    table = {**made.evaluations["val"].table, "cluster": list(clusters)}
    return with_facts(made, table=table)


def test_clusters_are_counted_not_samples() -> None:
    right, better = rights(0), rights(0) | rights(1, 0.3)
    videos = np.arange(N) // 10
    row, found = compare(in_clusters("a", better, videos), in_clusters("b", right, videos), TOP1)
    assert row.passed, row.why
    assert found.method.endswith("of 40 clusters")
    # the same gain in ten videos as a whole is no evidence
    worse = rights(0)
    some = np.isin(videos, np.random.default_rng(0).choice(40, 3, replace=False))
    pair = in_clusters("a", worse | some, videos), in_clusters("b", worse & ~some, videos)
    assert not compare(*pair, TOP1)[0].passed
    assert compare(classifier("a", worse | some), classifier("b", worse & ~some), TOP1)[0].passed
    pair = in_clusters("a", better, np.arange(N) % 19), in_clusters("b", right, np.arange(N) % 19)
    assert why(*pair) == "19 clusters are too few to tell, 20 are the least"


def test_other_clusters_are_refused() -> None:
    right, better = rights(0), rights(0) | rights(1, 0.3)
    videos = np.arange(N) // 10
    one = in_clusters("a", better, videos)
    renamed = in_clusters("b", right, [f"video {at}" for at in videos])
    assert compare(one, renamed, TOP1)[0].passed
    for other in (
        classifier("b", right),
        in_clusters("b", right, np.arange(N) // 5),
        in_clusters("b", right, np.arange(N) % 40),
    ):
        assert "into clusters differently" in why(one, other)
        assert "into clusters differently" in why(other, one)


def test_an_evaluation_of_clusters_is_compared_by_clusters() -> None:
    keys = np.repeat(np.arange(40), 5).tolist()
    good, poor = (
        evaluated(name, anomalies(noise, seed), cluster=keys)
        for name, noise, seed in (("a", 0.1, 0), ("b", 3, 1))
    )
    row, _ = compare(good, poor, ChampionRule("val/AUROC"))
    assert row.passed, row.why
    alone = evaluated("b", anomalies(3, 1))
    assert "into clusters differently" in why(good, alone, ChampionRule("val/AUROC"))


def test_samples_that_were_copied_count_once() -> None:
    rng = np.random.default_rng(2)
    pictures = [rng.integers(0, 255, (8, 8, 3), np.uint8) for _ in range(40)]
    truth = np.arange(40) % 2
    made = []
    for name, share in (("a", 0.9), ("b", 0.75)):
        right = rng.random(40) < share
        scores = np.eye(2)[np.where(right, truth, 1 - truth)] * 0.8 + 0.1
        for copies in (1, 10):
            shown = Predictions.classification(
                pictures * copies,
                np.tile(truth, copies),
                probabilities=np.tile(scores, (copies, 1)),
                classes=["x", "y"],
                ids=range(40 * copies),
            )
            made.append(evaluated(name, shown))
    plain, stretched = compare(made[0], made[2], TOP1)[1], compare(made[1], made[3], TOP1)[1]
    assert stretched.low == pytest.approx(plain.low, abs=0.01)
    notes = made[1].evaluations["val"].measured.notes
    assert any("360 samples are copies of other samples' pictures" in note for note in notes)


def replicated(name: str, values: Any, **settings: Any) -> Any:
    made = evaluated(name, anomalies(0.1 if name == "a" else 3, 0), resamples=0)
    drawn = {"seed": 0, "first_draw": "ab", **settings}
    return with_facts(made, replicates=tuple(values), settings=drawn)


def test_resamples_must_have_been_drawn_alike() -> None:
    rule, rng = ChampionRule("val/AUROC"), np.random.default_rng(0)
    high, low = 0.95 + rng.normal(size=300) / 100, 0.8 + rng.normal(size=300) / 100
    one = replicated("a", high)
    assert compare(one, replicated("b", low), rule)[1].resamples == 300
    for change in ({"seed": 1}, {"first_draw": "cd"}, {"first_draw": None}, {"seed": None}):
        assert "not drawn alike" in why(one, replicated("b", low, **change), rule)
    shorter = compare(one, replicated("b", low[:120]), rule)[1]
    assert shorter.resamples == 120
    expected = compare(replicated("a", high[:120]), replicated("b", low[:120]), rule)[1]
    assert shorter == expected
    assert why(one, replicated("b", low[:99]), rule) == (
        "they share 99 resamples, 100 are the least"
    )
    gaps = low.copy()
    gaps[:10] = np.nan
    assert compare(one, replicated("b", gaps), rule)[1].resamples == 290
    gaps[:20] = np.nan
    assert why(one, replicated("b", gaps), rule) == "20 of 300 resamples have no value"


def test_what_no_sample_says_cannot_be_compared_in_pairs() -> None:
    pair = evaluated("a", random_scores(0)), evaluated("b", random_scores(0))
    said = why(*pair, ChampionRule("val/AUPRC"))
    assert said == "AUPRC cannot be compared in pairs; AUROC can"
    pair = evaluated("a", random_boxes(0, images=30)), evaluated("b", random_boxes(0, images=30))
    assert "no such metric" in why(*pair, ChampionRule("val/loss"))
    assert "which way best_threshold is better" in why(*pair, ChampionRule("val/best_threshold"))


def test_a_metric_that_only_the_evaluation_has() -> None:
    pair = [replace(classifier(name, rights(at)), metrics={}) for at, name in enumerate("ab")]
    assert compare(*pair, TOP1)[1] is not None


def test_the_champions_rule_is_checked() -> None:
    for wrong in ({"margin": float("nan")}, {"confidence": 1.0}, {"confidence": 0.3},
                  {"better": "up"}, {"metric": " "}):  # fmt: skip
        with pytest.raises(UsageProblem):
            ChampionRule(**{"metric": "val/mAP50", **wrong})


def test_a_verdict_with_a_champion() -> None:
    right = rights(0)
    better = classifier("a", right | rights(1, 0.3))
    rules = [parse_rule("val/top1_acc>=0.5")]
    verdict = judge(better, rules, champion=classifier("b", right), champion_rule=TOP1)
    assert verdict.passed
    assert verdict.rows[-1].rule == "champion val/top1_acc"
    assert verdict.comparison is not None
    demand = {"val": {"iou": 0.75}}
    verdict = judge(better, [], champion=classifier("b", right), champion_rule=TOP1, demands=demand)
    assert "the gate demands 0.75" in verdict.rows[-1].why
    assert judge(better, rules).comparison is None


def test_the_truth_is_part_of_what_must_be_the_same() -> None:
    one = anomalies(0.1, 0)
    turned = Anomalies(1 - one.anomalies.truth, one.anomalies.scores)
    other = replace(one, data=turned)
    said = why(evaluated("a", one), evaluated("b", other), ChampionRule("val/AUROC"))
    assert "different data" in said


@pytest.mark.parametrize("seed", [1, 2])
def test_other_pictures_under_the_same_names_are_other_data(seed: int) -> None:
    def pictures(seed: int) -> dict[str, str]:
        return {str(at): np.random.default_rng((seed, at)).bytes(64).hex() for at in range(20)}

    one = with_facts(classifier("a", rights(0)), pictures=pictures(1))
    other = with_facts(classifier("b", rights(1)), pictures=pictures(seed))
    assert ("different pictures" in compare(one, other, TOP1)[0].why) == (seed != 1)


def test_equally_good_models_are_rarely_promoted() -> None:
    # 400 pairs: 5 % would be 20 of them, with a deviation of 4.4; the guide promotes about 130
    rng = np.random.default_rng(11)
    promoted = guide = 0
    for _ in range(400):
        common = rng.normal(size=N)
        made = [
            classifier(name, 0.7**0.5 * common + 0.3**0.5 * rng.normal(size=N) < 1.28)
            for name in "ab"
        ]
        row, found = compare(*made, TOP1)
        promoted += row.passed
        guide += found.difference > 0.005
    assert 2 <= promoted <= 30
    assert guide > 80
