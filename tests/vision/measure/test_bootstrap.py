from __future__ import annotations

from functools import partial
from math import comb
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.tasks import bootstrap
from cvtrack_magics.tasks.bootstrap import area_under_roc, draws, mean_iou, ratio_of_sums
from cvtrack_magics.tasks.counting import Options
from cvtrack_magics.tasks.detection.coco_metrics import IOUS, evaluate
from cvtrack_magics.tasks.detection.detection_counts import mean_precision
from cvtrack_magics.vision.evaluation import Interval
from tests.vision.measure.make import (
    classified,
    detected,
    measured,
    random_boxes,
    random_classes,
    random_depths,
    random_masks,
    random_scores,
    random_segments,
    scored,
)

MAKERS: list[Any] = [
    partial(random_classes, count=60, classes=4),
    random_boxes,
    partial(random_segments, images=15),
    random_masks,
    random_scores,
    random_depths,
]


def statistic(data: Any) -> Any:
    """Return the statistic that ``measure`` gave to the bootstrap."""
    taken: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "draws", lambda samples, _, __: iter([np.ones((1, samples))]))
        taken.append(measured(data, resamples=1).interval)
    return taken[0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("maker", MAKERS[1:])
def test_weights_of_one_give_the_figure(maker: Any, seed: int) -> None:
    data = maker(seed)
    found = statistic(data)
    assert found.low == pytest.approx(found.value, abs=1e-12)
    assert found.value == measured(data).metrics[found.metric]


@pytest.mark.parametrize("kind", [{}, {"ties": True}, {"crowd": True}, {"most": 20, "images": 4}])
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_an_image_drawn_twice_is_an_image_given_twice(seed: int, masks: bool, kind: Any) -> None:
    data = random_masks(seed) if masks else random_boxes(seed, **kind)
    if kind.get("ties"):
        # Of equal scores COCO takes the earlier: of one image 1, 2, 1, 2 and not 1, 1, 2, 2.
        boxes = data.boxes.prediction
        boxes.scores[:] += (np.arange(len(boxes.scores)) - boxes.offsets[boxes.images]) * 1e-4
    count = len(data)
    times = np.random.default_rng(seed).integers(0, 3, count)
    rows = np.repeat(np.arange(count), times)
    again = data[rows]

    def run(given: Any) -> Any:
        return evaluate(given.boxes.truth, given.boxes.prediction, given.sizes, 3, 0.5, masks=masks)

    matches = run(data)[1]
    expected = run(again)[0]
    weights = times[None].astype(float)
    for ious in (IOUS, IOUS[:1]):
        value = mean_precision(matches, data.boxes.truth, ious)(weights)[0]
        assert value == pytest.approx(expected.mean(*ious), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_other_statistics_count_a_sample_as_often_as_it_was_drawn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = random_scores(seed, 40, ties=True)
    segments, depths = random_segments(seed, 12), random_depths(seed, 12)
    for data, metric in ((scores, "AUROC"), (segments, "mIoU"), (depths, "AbsRel")):
        times = rng.integers(0, 3, len(data))
        times[:2] = 1
        again = data[np.repeat(np.arange(len(data)), times)]
        with pytest.MonkeyPatch.context() as patch:
            weights = times[None, np.argsort(data.ids)].astype(float)
            patch.setattr(bootstrap, "draws", lambda *_, w=weights: iter([w]))
            found = measured(data, resamples=1).interval
        assert found.low == pytest.approx(measured(again).metrics[metric], abs=1e-9)


def test_the_bootstrap_too_looks_at_100_predictions_of_a_class_and_image() -> None:
    one = (0, 0, 0, 9, 9)
    wrong = [(0, 30, 30, 40, 40, 0.9 - i / 1000) for i in range(100)]
    data = detected([[one], [one]], [[*wrong, (*one, 0.1)], [(*one, 0.5)]], 1)
    found = statistic(data)
    assert found.low == pytest.approx(found.value, abs=1e-12)
    assert found.value == pytest.approx(51 / 101 / 101, abs=1e-9)


def test_draws_are_fair_and_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(draws(20, 500, np.random.default_rng(1))))
    assert whole.shape == (500, 20)
    assert (whole.sum(axis=1) == 20).all()
    # each weight is binomial(20, 1/20), the mean of 500 has a deviation of 0.044
    assert np.abs(whole.mean(axis=0) - 1).max() < 0.2
    assert whole.var() == pytest.approx(0.95, abs=0.05)
    monkeypatch.setattr(bootstrap, "_BLOCK", 70)
    parts = list(draws(20, 500, np.random.default_rng(1)))
    assert len(parts) == 167
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("maker", MAKERS)
def test_an_interval_holds_its_value_and_repeats(maker: Any) -> None:
    data = maker(3)
    found = measured(data, resamples=300)
    interval = found.interval
    assert interval.metric == found.headline
    assert interval.value == found.metrics[found.headline]
    assert interval.low < interval.value < interval.high
    drawn = found.replicates is not None  # an accuracy's interval is exact, without chance
    assert (interval.level, interval.resamples) == (0.95, 300 if drawn else 0)
    assert measured(data, resamples=300).interval == interval
    assert (measured(data, resamples=300, seed=1).interval != interval) is drawn
    narrow = measured(data, resamples=300, level=0.5).interval
    assert interval.low < narrow.low <= narrow.high < interval.high
    assert measured(data, resamples=0).interval is None
    assert measured(data[:1], resamples=300).interval is None


def shuffled(data: Any, seed: int) -> Any:
    return data[np.random.default_rng(seed).permutation(len(data))]


@pytest.mark.parametrize("maker", MAKERS[1:])
def test_replicates_do_not_depend_on_the_order_of_the_samples(maker: Any) -> None:
    data = maker(4)
    one, other = (measured(given, resamples=40).replicates for given in (data, shuffled(data, 1)))
    assert one.values == pytest.approx(other.values, abs=1e-12, nan_ok=True)
    assert len(set(one.values)) > 10
    assert one.first == other.first
    assert one.seed == 0
    changed = measured(data, resamples=40, seed=1).replicates
    assert changed.first != one.first
    assert changed.values != pytest.approx(one.values, nan_ok=True)


@pytest.mark.parametrize("maker", MAKERS[1:])
def test_fewer_resamples_are_the_first_of_more(maker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = maker(5)
    whole = measured(data, resamples=60).replicates
    monkeypatch.setattr(bootstrap, "_BLOCK", 7 * len(data))
    part = measured(data, resamples=17).replicates
    assert part.values == pytest.approx(whole.values[:17], abs=1e-12, nan_ok=True)
    assert part.first == whole.first


def test_two_models_are_resampled_alike() -> None:
    # The second is the first with other scores of some samples: what they share cancels out.
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 300)
    scores = truth + rng.normal(size=300)
    near = scores + rng.normal(scale=0.1, size=300)
    one, other = scored(truth, scores), shuffled(scored(truth, near), 3)
    first, second = (measured(data, resamples=300).replicates.values for data in (one, other))
    assert np.std(first - second) < 0.3 * np.std(first)
    assert np.corrcoef(first, second)[0, 1] > 0.95


def test_ids_that_numpy_takes_for_one_have_an_order() -> None:
    ids = ["b", "a\0", "a", "aa"]
    assert bootstrap._places(ids).tolist() == [3, 1, 0, 2]


def test_what_the_figures_depend_on_is_kept() -> None:
    found = measured(random_boxes(1), threshold=0.25, iou=0.75)
    assert found.settings == {"threshold": 0.25, "iou": 0.75}
    assert found.replicates is None
    found = measured(random_segments(1, ignore=255))
    assert found.settings == {"threshold": None, "iou": 0.5, "ignore": 255}
    # the headline of a classification is the mean of a column
    assert measured(random_classes(0, 20, 3), resamples=50).replicates is None


def covered(intervals: list[Interval], truth: float) -> float:
    return float(np.mean([found.low <= truth <= found.high for found in intervals]))


def test_coverage_of_an_accuracy() -> None:
    # 300 sets of 200 samples, each right with 0.8: 95 % of 300 has a deviation of 1.3 %.
    rng = np.random.default_rng(0)
    intervals = []
    for _ in range(300):
        right = rng.random(200) < 0.8
        data = classified(np.where(right, 0, 1), np.tile([0.9, 0.1], (200, 1)))
        intervals.append(measured(data, resamples=400).interval)
    assert 0.90 < covered(intervals, 0.8) < 0.985


def test_coverage_of_an_area_under_roc() -> None:
    # Scores N(0, 1) and N(1, 1): the area is Φ(1/√2).
    rng = np.random.default_rng(1)
    intervals = []
    for _ in range(200):
        truth = np.arange(120) % 2
        scores = truth + rng.normal(size=120)
        values = np.concatenate([area_under_roc(truth, scores)(w) for w in draws(120, 400, rng)])
        intervals.append(bootstrap.percentiles("AUROC", 0.5, values, 0.95))
    assert 0.89 < covered(intervals, 0.76025) < 0.99


def test_coverage_of_a_pooled_error() -> None:
    rng = np.random.default_rng(2)
    intervals = []
    for _ in range(200):
        pixels = rng.integers(50, 150, 80).astype(float)
        sums = pixels * rng.gamma(4, 0.05, 80)
        values = np.concatenate([ratio_of_sums(sums, pixels)(w) for w in draws(80, 400, rng)])
        intervals.append(bootstrap.percentiles("AbsRel", 0.2, values, 0.95))
    assert 0.89 < covered(intervals, 0.2) < 0.99


def test_a_large_set_gets_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_boxes(2)
    monkeypatch.setattr(bootstrap, "_WORK", 10_000)
    found = measured(data, resamples=1000)
    assert 100 <= found.interval.resamples < 1000
    assert f"{found.interval.resamples} resamples, not 1,000" in found.notes[-1]


def test_resamples_without_a_value_are_left_out() -> None:
    values = np.array([0.1, np.nan, 0.3, 0.2])
    found = bootstrap.percentiles("AUROC", 0.2, values, 0.5)
    assert found.resamples == 3
    assert bootstrap.percentiles("AUROC", 0.2, values[1:2], 0.5) is None
    # two anomalies among twenty: now and then a resample has none
    truth, scores = np.arange(20) < 2, np.arange(20.0)
    value = area_under_roc(truth, scores)(np.array([[0.0, 0.0] + [1.0] * 18, [1.0] * 20]))
    assert np.isnan(value).tolist() == [True, False]
    empty = mean_iou(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)))(np.ones((1, 2)))
    assert np.isnan(empty).all()
    ids = ["a", "b", "c", "d", "e"]
    assert bootstrap.interval(
        "AUROC", float("nan"), ids, ratio_of_sums(scores, scores), options=Options(), notes=[]
    ) == (None, None)


def test_perfect_detections_have_an_interval_of_no_width() -> None:
    one = (0, 1, 1, 5, 5)
    found = measured(detected([[one]] * 6, [[(*one, 0.5)]] * 6), resamples=100).interval
    assert (found.low, found.high) == (1, 1)


def test_an_accuracy_of_0_may_be_higher() -> None:
    found = measured(classified([0] * 9, np.tile([0.0, 1.0], (9, 1))), resamples=100).interval
    assert found.low == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 9))


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.98, 1.0])
@pytest.mark.parametrize("samples", [10, 50, 500])
def test_an_accuracy_is_held_by_its_interval_as_often_as_it_says(
    share: float, samples: int
) -> None:
    # every outcome with its own probability: nothing is drawn
    held = 0.0
    for right in range(samples + 1):
        found = bootstrap.accuracy_interval("top1_acc", right, samples, Options())
        assert found is not None
        assert 0 <= found.low <= right / samples <= found.high <= 1
        if found.low <= share <= found.high:
            held += comb(samples, right) * share**right * (1 - share) ** (samples - right)
    assert held >= 0.95
