"""Percentiles, their intervals from order statistics, and when a series is steady."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cvtrack_magics.release.latency.percentiles import (
    SHARES,
    fewest,
    is_steady,
    percentile,
    ranks,
    spread,
)


def at_most(rank: int, count: int, share: float) -> float:
    """P(B ≤ rank) of a binomial, term by term."""
    return math.fsum(
        math.comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(rank + 1)
    )


@pytest.mark.parametrize("share", SHARES.values())
def test_values_are_numpys(share: float) -> None:
    values = np.random.default_rng(3).lognormal(size=1000)
    found = percentile(values, share)
    assert found is not None
    value, (low, high) = found
    assert value == pytest.approx(np.percentile(values, 100 * share), rel=1e-12)
    assert low <= value <= high
    assert {low, high} <= set(values.tolist())


@pytest.mark.parametrize(
    ("count", "share"), [(6, 0.5), (7, 0.5), (100, 0.5), (100, 0.95), (368, 0.99), (900, 0.99)]
)
def test_ranks_cover_and_cannot_be_closer(count: int, share: float) -> None:
    found = ranks(count, share)
    assert found is not None
    low, high = found
    assert at_most(low - 1, count, share) <= 0.025 < at_most(low, count, share)
    assert at_most(high - 1, count, share) >= 0.975 > at_most(high - 2, count, share)


def test_median_of_a_hundred_as_in_tables() -> None:
    assert ranks(100, 0.5) == (40, 61)


def test_other_levels() -> None:
    narrow, wide = ranks(500, 0.95, 0.5), ranks(500, 0.95, 0.99)
    assert narrow is not None
    assert wide is not None
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(("share", "count"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_too_few_are_not_known(share: float, count: int) -> None:
    assert fewest(share) == count
    assert percentile(np.arange(count, dtype=float), share) is not None
    assert percentile(np.arange(count - 1, dtype=float), share) is None
    assert ranks(0, share) is None


def test_a_million_measurements() -> None:
    count, share = 1_000_000, 0.99
    found = ranks(count, share)
    assert found is not None
    half = 1.959964 * math.sqrt(count * share * (1 - share))
    assert found[0] == pytest.approx(count * share - half, abs=2)
    assert found[1] == pytest.approx(count * share + half, abs=2)


@pytest.mark.parametrize(("share", "count"), [(0.5, 50), (0.95, 200), (0.99, 600)])
def test_intervals_cover_the_truth(share: float, count: int) -> None:
    trials = 3000
    rng = np.random.default_rng(11)
    found = ranks(count, share)
    assert found is not None
    drawn = np.sort(rng.exponential(size=(trials, count)), axis=1)
    truth = -math.log(1 - share)
    hit = np.mean((drawn[:, found[0] - 1] <= truth) & (truth <= drawn[:, found[1] - 1]))
    promised = at_most(found[1] - 1, count, share) - at_most(found[0] - 1, count, share)
    assert promised >= 0.95
    assert hit == pytest.approx(promised, abs=4 * math.sqrt(0.05 * 0.95 / trials))


def test_steady_when_it_has_come_down() -> None:
    series = [*np.geomspace(20, 1, 40), *np.full(30, 1.0)]
    assert not is_steady(series[:40], 10)
    assert not is_steady(series[:55], 10)
    assert is_steady(series, 10)


def test_steady_needs_three_blocks() -> None:
    assert not is_steady([1.0] * 8, 3)
    assert is_steady([1.0] * 9, 3)


def test_single_outliers_do_not_matter_and_drift_does() -> None:
    series = np.ones(30)
    series[[4, 17, 28]] = 50.0
    assert is_steady(list(series), 10)
    assert not is_steady(list(np.linspace(1.0, 1.4, 30)), 10)
    assert is_steady(list(np.linspace(1.0, 1.4, 30)), 10, tolerance=0.5)


def test_spread() -> None:
    assert spread([]) == spread([7.0]) == spread([3.0, 3.0]) == 0.0
    assert spread([9.0, 10.0, 12.0]) == pytest.approx(0.3)
