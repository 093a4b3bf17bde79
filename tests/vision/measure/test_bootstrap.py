from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from cvtrack_magics.tasks import bootstrap
from cvtrack_magics.tasks.anomaly import metrics as anomaly
from cvtrack_magics.tasks.bootstrap import area_under_roc, class_iou, draws, halves, mean_of_terms
from cvtrack_magics.tasks.detection.coco_metrics import IOUS, evaluate
from cvtrack_magics.tasks.detection.detection_counts import mean_precision
from cvtrack_magics.tasks.units import numbered
from tests.vision.measure.make import (
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


def of_ones(data: Any) -> Any:
    """Return the evaluation of a single resample, in which each sample is drawn once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "draws", lambda units, _, __: iter([np.ones((1, units))]))
        return measured(data, resamples=1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("maker", MAKERS[1:])
def test_weights_of_one_give_the_figure(maker: Any, seed: int) -> None:
    found = of_ones(maker(seed))
    assert found.replicates.values == pytest.approx([found.metrics[found.headline]], abs=1e-12)


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
        value = mean_of_terms(mean_precision(matches, data.boxes.truth, ious)(weights))[0]
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
            found = measured(data, resamples=1).replicates.values[0]
        assert found == pytest.approx(measured(again).metrics[metric], abs=1e-9)


def test_the_bootstrap_too_looks_at_100_predictions_of_a_class_and_image() -> None:
    one = (0, 0, 0, 9, 9)
    wrong = [(0, 30, 30, 40, 40, 0.9 - i / 1000) for i in range(100)]
    data = detected([[one], [one]], [[*wrong, (*one, 0.1)], [(*one, 0.5)]], 1)
    assert of_ones(data).replicates.values == pytest.approx([51 / 101 / 101], abs=1e-9)


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
    assert numbered(ids, range(4)).of.tolist() == [3, 1, 0, 2]


def test_what_the_figures_depend_on_is_kept() -> None:
    found = measured(random_boxes(1), threshold=0.25, iou=0.75)
    assert found.settings == {"threshold": 0.25, "iou": 0.75}
    assert found.replicates is None
    found = measured(random_segments(1, ignore=255))
    assert found.settings == {"threshold": None, "iou": 0.5, "ignore": 255}
    # the headline of a classification is the mean of a column
    assert measured(random_classes(0, 20, 3), resamples=50).replicates is None


def test_a_large_set_gets_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_boxes(2)
    monkeypatch.setattr(bootstrap, "_WORK", 10_000)
    found = measured(data, resamples=1000)
    drawn = len(found.replicates.values)
    assert 100 <= drawn < 1000
    assert any(f"{drawn} resamples, not 1,000" in note for note in found.notes)


def test_a_resample_without_a_value_is_none() -> None:
    # two anomalies among twenty: now and then a resample has none
    truth, scores = np.arange(20) < 2, np.arange(20.0)
    value = area_under_roc(truth, scores)(np.array([[0.0, 0.0] + [1.0] * 18, [1.0] * 20]))
    assert np.isnan(value).tolist() == [True, False]
    empty = class_iou(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)))(np.ones((1, 2)))
    assert np.isnan(empty).all()
    terms = np.array([[0.2, np.nan], [np.nan, np.nan], [0.2, 0.4]])
    assert mean_of_terms(terms) == pytest.approx([0.2, np.nan, 0.3], nan_ok=True)


def test_what_belongs_together_is_drawn_together() -> None:
    data = random_scores(1, 60)
    keys = [f"video {row // 3}" for row in range(60)]
    seen: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anomaly, "area_under_roc", lambda *_: lambda w: (seen.append(w), w[:, 0])[1])
        made = measured(data, resamples=50, cluster=keys).replicates
    weights = seen[0].reshape(50, 20, 3)
    assert (weights == weights[:, :, :1]).all()
    assert len(np.unique(weights)) > 2
    # other clusters are other draws: their replicates are never compared in pairs
    alone = measured(data, resamples=50).replicates
    other = measured(data, resamples=50, cluster=[key[:-1] for key in keys]).replicates
    assert len({made.first, alone.first, other.first}) == 3


def test_halves_are_halves() -> None:
    units = numbered([f"{at:02}" for at in range(30)], [at // 3 for at in range(30)])
    made = halves(units, 7, seed=0)
    assert made.shape == (14, 30)
    assert set(np.unique(made)) == {0, 1}
    assert (made[::2] + made[1::2] == 1).all()
    assert (made.sum(axis=1) == 15).all()
    assert len(np.unique(made, axis=0)) > 10
