from __future__ import annotations

import math
import random

import pytest

from tests.display.helpers import series


@pytest.mark.parametrize("seed", range(30))
def test_extremes_ends_and_gaps_survive(seed: int) -> None:
    rng = random.Random(seed)
    values = [rng.gauss(0, 1) for _ in range(rng.randint(2, 5000))]
    for _ in range(rng.choice([0, 0, 1, 40])):
        values[rng.randrange(len(values))] = rng.choice([math.nan, math.inf, -math.inf])
    limit = rng.choice([8, 20, 51, 400])
    full = series(values)

    few = full.decimated(limit)

    finite = [v for v in values if math.isfinite(v)]
    kept = [v for v in few.values if math.isfinite(v)]
    assert len(few) <= max(limit, 8)
    if finite:
        assert (min(kept), max(kept)) == (min(finite), max(finite))
    assert (few.steps[0], few.steps[-1]) == (0, len(values) - 1)
    assert (len(kept) < len(few)) == (len(finite) < len(values))
    assert list(few.steps) == sorted(set(few.steps))


def test_points_stay_whole() -> None:
    full = series([math.sin(i) for i in range(1000)])
    few = full.decimated(100)
    for step, value, time in zip(few.steps, few.values, few.times, strict=True):
        assert (value, time) == (full.values[step], full.times[step])


def test_a_single_spike_survives_wherever_it_is() -> None:
    for at in range(0, 3000, 7):
        values = [0.0] * 3000
        values[at] = 9.0
        assert 9.0 in series(values).decimated(50).values


def test_short_series_are_left_alone() -> None:
    full = series([1.0, 2.0])
    assert full.decimated(400) is full
