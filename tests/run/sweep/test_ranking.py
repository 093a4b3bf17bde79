"""Which trials are promising, which is best over seeds, which no other beats."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cvtrack_magics.run.sweep.ranking import estimate, front, promising

NUMBERS = st.floats(-1e3, 1e3)


@pytest.mark.parametrize(("trials", "wanted"), [(0, 0), (2, 2), (3, 3), (12, 3), (13, 4), (50, 13)])
def test_the_best_quarter_is_promising_and_three_at_least(trials: int, wanted: int) -> None:
    found = promising(range(trials), lambda one: one)
    assert found == list(range(wanted))


def test_the_same_parameters_are_repeated_once() -> None:
    assert promising([5, 4, 14, 3, 2, 1], lambda one: one % 10) == [5, 4, 3]


@given(st.lists(NUMBERS, min_size=2, max_size=6), st.sampled_from([1, -1]))
def test_the_bound_is_the_worse_end_of_the_t_interval(values: list[float], sign: int) -> None:
    found = estimate(values, sign)
    error = stats.sem(values)
    ends = stats.t.interval(0.95, len(values) - 1, loc=found.mean, scale=error or 1e-300)
    assert found.n == len(values)
    assert found.bound == pytest.approx(max(ends) if sign == 1 else min(ends), abs=1e-6)
    assert sign * (found.bound - found.mean) >= 0


@pytest.mark.parametrize("sign", [1, -1])
def test_one_value_has_no_bound(sign: int) -> None:
    assert estimate([2.0], sign).bound == sign * math.inf


@given(
    st.lists(st.tuples(*[st.integers(0, 5)] * 2), max_size=12),
    st.tuples(*[st.sampled_from([1, -1])] * 2),
)
def test_the_front_is_what_no_other_beats(
    values: list[tuple[int, int]], signs: tuple[int, int]
) -> None:
    def beats(one: tuple[int, int], other: tuple[int, int]) -> bool:
        gains = [s * (b - a) for s, a, b in zip(signs, one, other, strict=True)]
        return min(gains) >= 0 and max(gains) > 0

    wanted = {at for at, one in enumerate(values) if not any(beats(other, one) for other in values)}
    found = front(values, signs)
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert all(a != b for a, b in itertools.pairwise(found))
