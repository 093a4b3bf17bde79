"""A history of any length: what is kept of it, and what is known of all of it."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cvtrack_magics.commands.verify import compare
from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.delivery.series import MOST, Series, joined, largest_gap
from cvtrack_magics.display.best import best_of
from cvtrack_magics.display.protocol import points_message
from cvtrack_magics.display.series_buffer import extend, overlap, restarts
from cvtrack_magics.run.summary_metrics import best_records


def of(values: list[float], steps: list[int] | None = None, most: int = MOST) -> Series:
    """Return a series of values that were logged at once."""
    found = Series(most=most)
    found.add(*columns(values, steps or list(range(len(values)))))
    return found


def columns(values: list[float], steps: list[int]) -> tuple[object, object, object]:
    return array("q", steps), array("d", values), array("d", [float(step) for step in steps])


def parts(rng: random.Random, count: int) -> Iterator[slice]:
    """Cut a count into parts as they might be drained: one point, or thousands."""
    at = 0
    while at < count:
        more = rng.choice([1, 2, 17, 400, 3000])
        yield slice(at, at + more)
        at += more


def noisy(rng: random.Random, count: int) -> list[float]:
    values = [rng.choice([rng.gauss(0, 1), round(rng.gauss(0, 1), 1)]) for _ in range(count)]
    for _ in range(rng.choice([0, 0, 3, 40])):
        values[rng.randrange(count)] = rng.choice([math.nan, math.inf, -math.inf])
    return values


@pytest.mark.parametrize("seed", range(25))
def test_however_points_come_the_same_is_known_of_all_of_them(seed: int) -> None:
    rng = random.Random(seed)
    count, most = rng.randint(1, 9000), rng.choice([32, 100, 1000, MOST])
    values = noisy(rng, count)
    steps = [rng.randint(-5, 5) + at for at in range(count)] if seed % 2 else [7] * count

    by_part, by_series, by_point = Series(most=most), Series(most=most), Series(most=most)
    for part in parts(rng, count):
        by_part.add(*columns(values[part], steps[part]))
        by_series.extend(of(values[part], steps[part], rng.choice([32, most])))
    for step, value in zip(steps, values, strict=True):
        by_point.append(step, value, float(step))

    finite = [value for value in values if math.isfinite(value)]
    for found in (by_part, by_series, by_point):
        assert len(found) <= most
        assert found.count == count
        assert (found.lowest, found.highest) == (min(steps), max(steps))
        assert found.is_whole == (len(found) == count)
        places = list(found.places())
        assert places == sorted(set(places))
        assert (places[0], places[-1]) == (0, count - 1)
        for row, place in enumerate(places):
            assert found.place(row) == place
            assert found.at(place) == (steps[place], float(steps[place]))
            assert repr(found.values[row]) == repr(values[place])
        kept = [value for value in found.values if math.isfinite(value)]
        if finite:
            first_low, first_high = values.index(min(finite)), values.index(max(finite))
            assert {first_low, first_high} <= set(places)
            assert (min(kept), max(kept)) == (min(finite), max(finite))
        assert (len(kept) < len(found)) == (len(finite) < count)


def test_a_place_that_was_left_out_is_not_there() -> None:
    found = of([0.0] * 100, most=20)
    missing = sorted(set(range(100)) - set(found.places()))
    assert missing
    assert all(found.at(place) is None for place in (*missing, 100))


@pytest.mark.parametrize("most", [40, 10_000])
@pytest.mark.parametrize("start", [0, 1, 50, 2999, 3000])
def test_a_tail_begins_at_a_place(most: int, start: int) -> None:
    found = of([math.sin(at) for at in range(3000)], most=most).tail(start)
    assert found.count == 3000 - start
    assert all(found.steps[row] == found.place(row) + start for row in range(len(found)))


def test_points_of_one_step_are_numbered_as_they_were_logged() -> None:
    values = [1.0] * 500 + [0.5] + [1.0] * 500
    numbered = of(values, [3] * 1001, most=40).numbered()
    assert numbered.steps[numbered.values.index(0.5)] == 500
    assert numbered.steps[-1] == 1000
    moving = of(values, most=40)
    assert moving.numbered() is moving


@pytest.mark.parametrize("steps", ["count up", "stand still", "by tens"])
def test_the_best_point_is_that_of_all_points(steps: str) -> None:
    rng = random.Random(3)
    values = [round(rng.random(), 3) for _ in range(4000)]
    at = {"count up": range(4000), "stand still": [0] * 4000, "by tens": range(0, 40_000, 10)}
    whole = of(values, list(at[steps]))
    few = of(values, list(at[steps]), most=64)
    assert not few.is_whole
    for name in ("val/acc", "val/loss"):
        assert best_of(name, few) == best_of(name, whole) is not None
        assert best_records({name: few}, 1.0, 0) == best_records({name: whole}, 1.0, 0)


CHANGES = [
    pytest.param({}, id="none"),
    pytest.param({1234: 5.0}, id="a point"),
    pytest.param({1234: 500.0}, id="a spike"),
    pytest.param({1234: math.nan}, id="a gap"),
    pytest.param({4321: 1e-9}, id="a point that no curve shows"),
    pytest.param({4999: 1.0}, id="the last"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_two_runs_differ_where_any_one_point_did(change: dict[int, float]) -> None:
    """Also where the point is none of those that are kept."""
    values = [float(at % 100) for at in range(5000)]
    other = [value + change.get(at, 0.0) for at, value in enumerate(values)]
    first, second = of(values, most=64), of(other, most=64)
    assert (largest_gap(first, second) is None) == (not change)
    same, said = compare({"loss": first}, {"loss": second})
    assert same == (not change)
    assert ("agree exactly" in said) == same
    assert largest_gap(of(values), of(values)) is None


def test_zero_and_the_gaps_of_two_runs_are_equal() -> None:
    values = [0.0, math.nan, math.inf] * 100
    other = [-0.0, -math.nan, math.inf] * 100
    assert largest_gap(of(values), of(other)) is None
    assert largest_gap(of(values, most=20), of(other, most=20)) is None


@pytest.mark.parametrize("sizes", [(10, 10), (500, 10), (10, 500), (500, 500), (0, 500)])
def test_an_earlier_curve_goes_on(sizes: tuple[int, int]) -> None:
    before, after = (of([float(n)] * n, most=64) for n in sizes)
    both = joined(before, after)
    assert both.count == sum(sizes)
    assert list(both.values[: len(before)]) == list(before.values)
    assert both.place(len(both) - 1) == sum(sizes) - 1


def test_curves_beside_grow_also_where_points_were_left_out() -> None:
    values = [math.sin(at / 9) for at in range(4000)]
    known = {"loss": of(values[:3000], most=64)}
    given = of(values, most=64)
    assert not restarts(known["loss"], given)
    assert overlap(known["loss"], given) == 3000
    assert extend(known, {"loss": given.tail(3000)}) == {"loss": 3000}
    assert known["loss"].count == 4000
    assert restarts(known["loss"], of(values, [0, *range(10, 4009)], most=64))


@pytest.mark.parametrize("limit", [16, 10_000])
def test_a_page_is_told_which_of_all_points_it_gets(limit: int) -> None:
    values = [math.sin(at / 9) for at in range(4000)]
    part = of(values, most=64)
    message, buffers = points_message({"loss": (100, part)}, {"loss": 4100}, limit)
    assert [column["name"] for column in message["columns"]] == ["steps", "values", "times", "rows"]
    rows = np.frombuffer(buffers[3], np.int64)
    sent = np.frombuffer(buffers[1])
    assert message["series"] == [{"name": "loss", "start": 100, "count": len(rows), "end": 4100}]
    assert (rows[0], rows[-1]) == (100, 4099)
    assert [values[row - 100] for row in rows] == list(sent)


def test_a_run_of_any_length_takes_a_bounded_place(tmp_path: Path) -> None:
    channel = Channel(tmp_path)
    pushed = 0

    def refresh(fresh: object) -> None:
        nonlocal pushed
        pushed += sum(series.count for series in fresh.values())  # type: ignore[attr-defined]

    channel.refresh = refresh
    for at in range(3 * MOST):
        channel.log({"loss": float(at % 1000), "acc": 1.0}, None, 1)
        if at % 5000 == 0:
            channel.drain()
    assert channel.count() == pushed == 6 * MOST
    assert all(len(series) <= MOST for series in channel.history.series.values())
    assert channel.history.last_values() == {"loss": float((3 * MOST - 1) % 1000), "acc": 1.0}


@pytest.mark.parametrize("sent", [0, 1], ids=["all here", "the first segments sent"])
def test_every_point_is_read_back_as_long_as_it_is_here(tmp_path: Path, sent: int) -> None:
    channel = Channel(tmp_path)
    count = 2 * MOST
    for at in range(count):
        channel.log({"loss": at / 7}, at, 1)
    channel.drain()
    channel.drop({"main": sent})
    kept = channel.history.series["loss"]

    found = channel.whole("loss")

    assert found is not None
    assert not kept.is_whole
    assert list(found.steps) == sorted(set(found.steps))
    assert found.steps[-1] == count - 1
    assert all(value == step / 7 for step, value in zip(found.steps, found.values, strict=True))
    assert set(kept.steps) <= set(found.steps) if sent else list(found.steps) == list(range(count))
    assert channel.whole("nothing") is None
