"""The bounds, beside other ways to compute them and beside what is true."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from cvtrack_magics.release.gate.paired import (
    of_clustered_shares,
    of_means,
    of_replicates,
    of_shares,
    student,
)


def score(better: int, worse: int, samples: int, delta: float) -> float:
    """Tango's statistic with its correction, the nuisance found by maximising the likelihood."""
    neither = samples - better - worse

    def loss(share: float) -> float:
        parts = [(better, share + delta), (worse, share), (neither, 1 - 2 * share - delta)]
        return -sum(count * math.log(max(p, 1e-300)) for count, p in parts if count)

    low, high = max(0.0, -delta), (1 - delta) / 2
    share = optimize.minimize_scalar(loss, bounds=(low, high), options={"xatol": 1e-12}).x
    variance = samples * (2 * share + delta * (1 - delta))
    return float((better - worse - 1 - samples * delta) / math.sqrt(variance))


@pytest.mark.parametrize(
    ("better", "worse", "samples"),
    [(12, 4, 200), (4, 12, 200), (1, 1, 50), (30, 25, 1000), (7, 3, 20), (40, 10, 60)],
)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_score_bound_is_where_the_test_stops_refusing(
    better: int, worse: int, samples: int, confidence: float
) -> None:
    bound = of_shares(better, worse, samples, confidence)
    assert bound.difference == (better - worse) / samples
    assert bound.low < bound.difference
    assert score(better, worse, samples, bound.low) == pytest.approx(
        stats.norm.ppf(confidence), abs=1e-4
    )


def test_at_no_difference_it_is_the_exact_test_of_mcnemar() -> None:
    # the sign test of the samples that only one has right: of few samples, one by one
    for total in range(26):
        for better in range(total + 1):
            exact = stats.binomtest(better, total, alternative="greater").pvalue if total else 1.0
            if abs(exact - 0.05) > 0.004:
                bound = of_shares(better, total - better, 500, 0.95)
                assert (bound.low > 0) == (exact < 0.05), (better, total)


def test_bounds_of_nothing_and_of_everything() -> None:
    same = of_shares(0, 0, 200, 0.95)
    assert same.difference == 0
    assert -0.05 < same.low < 0
    assert of_shares(0, 0, 2000, 0.95).low > same.low
    assert of_shares(50, 0, 50, 0.95).low > 0.8
    assert of_shares(0, 50, 50, 0.95).low < -0.9
    assert of_means([0.5] * 30, 0.95).low == 0.5
    assert of_means([0.0] * 30, 0.95).low == 0.0
    assert of_replicates(0.0, np.zeros(200), 50, 0.95).low == 0.0


def test_student_is_student() -> None:
    for freedom in (19, 25, 60, 500, 100_000):
        for confidence in (0.5, 0.8, 0.95, 0.99, 0.999):
            exact = stats.t.ppf(confidence, freedom)
            assert student(confidence, freedom) == pytest.approx(exact, abs=5e-4)


def test_a_mean_is_bounded_as_scipy_bounds_it() -> None:
    values = np.random.default_rng(0).gamma(2, 0.1, 40) - 0.15
    bound = of_means(values.tolist(), 0.9)
    test = stats.ttest_1samp(values, 0, alternative="greater").confidence_interval(0.9)
    assert bound.low == pytest.approx(test.low, abs=1e-6)
    assert bound.difference == pytest.approx(values.mean())


def test_a_bootstrapped_mean_is_bounded_as_the_mean_itself() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(0.1, 1, 60)
    resampled = values[rng.integers(0, 60, (20_000, 60))].mean(axis=1)
    bound = of_replicates(float(values.mean()), resampled, 60, 0.95)
    assert bound.low == pytest.approx(of_means(values.tolist(), 0.95).low, abs=0.005)


def test_the_variance_of_a_bootstrap_is_corrected_for_few_samples() -> None:
    replicates = np.random.default_rng(0).normal(size=500)
    error = replicates.std(ddof=1) * math.sqrt(20 / 19)
    expected = 0.5 - stats.t.ppf(0.95, 19) * error
    assert of_replicates(0.5, replicates, 20, 0.95).low == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("samples", "better", "worse"), [(100, 0.05, 0.05), (400, 0.02, 0.02), (400, 0.08, 0.06)]
)
def test_a_bound_is_rarely_above_the_truth(samples: int, better: float, worse: float) -> None:
    rng = np.random.default_rng(2)
    drawn = rng.multinomial(samples, [better, worse, 1 - better - worse], 3000)
    pairs, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    lows = [of_shares(int(b), int(c), samples, 0.95).low for b, c in pairs]
    above = counts[np.array(lows) > better - worse].sum() / 3000
    assert 0.001 < above < 0.055


def test_copies_of_samples_make_no_bound_tighter() -> None:
    rng = np.random.default_rng(3)
    differences = rng.choice([1.0, 0.0, -1.0], 60, p=[0.2, 0.7, 0.1])
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    alone = of_shares(better, worse, 60, 0.95)
    keys = np.repeat(np.arange(60), 4).tolist()
    copied = np.repeat(differences, 4)
    bound = of_clustered_shares(copied.tolist(), keys, 0.95)
    assert bound.difference == pytest.approx(alone.difference)
    assert bound.low == pytest.approx(alone.low, abs=0.01)
    assert of_shares(4 * better, 4 * worse, 240, 0.95).low > bound.low + 0.05
    means = of_means(copied.tolist(), 0.95, keys)
    assert means.low == pytest.approx(of_means(differences.tolist(), 0.95).low)
    assert "60 clusters" in means.method
    same = of_clustered_shares([0.0] * 240, keys, 0.95)
    assert same.low == pytest.approx(of_shares(0, 0, 60, 0.95).low)


def test_clusters_of_one_sample_are_samples() -> None:
    differences = [1.0] * 9 + [0.0] * 50 + [-1.0] * 2
    alone = of_shares(9, 2, 61, 0.95)
    bound = of_clustered_shares(differences, range(61), 0.95)
    assert bound.low == pytest.approx(alone.low, abs=1e-9)


def test_a_bound_of_clusters_is_rarely_above_the_truth() -> None:
    # videos of 10 frames that one model has right as a whole, or the other: as good as each other
    rng = np.random.default_rng(4)
    keys = np.repeat(np.arange(40), 10).tolist()
    above = naive = 0
    for _ in range(1000):
        video = rng.choice([1.0, 0.0, -1.0], 40, p=[0.1, 0.8, 0.1])
        frames = np.repeat(video, 10) * (rng.random(400) < 0.9)
        above += of_clustered_shares(frames.tolist(), keys, 0.95).low > 0
        better, worse = int((frames > 0).sum()), int((frames < 0).sum())
        naive += of_shares(better, worse, 400, 0.95).low > 0
    assert above < 55
    assert naive > 200
