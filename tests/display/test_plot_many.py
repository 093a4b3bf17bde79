"""Millions of points behind a plot: nothing that matters is lost, and it stays quick."""

from __future__ import annotations

import math
import random
from array import array
from typing import Any

import pytest

from cvtrack_magics.delivery.series import Series
from tests.display.helpers import EPOCH, series
from tests.display.pages import Plot, drawn, edge, legend, needs_chromium, settle, zoom_in
from tests.display.speed import GAP, METRICS, SPIKE, browser_times, fill, kernel_times

pytestmark = needs_chromium


def numbers(column: list[Any]) -> list[float]:
    return [cell for cell in column if cell not in ("", None)]


def look_at(page: Any, start: float, end: float, at: int = 0) -> None:
    """Zoom the plot to what is between two parts of its width."""
    box = page.locator(".u-over").nth(at).bounding_box()
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 60, steps=3)
    page.mouse.up()
    settle(page, 80)


def test_four_million_points_keep_spike_and_gap_and_sixty_frames(page: Any) -> None:
    plot = Plot(page)
    fill(page, plot.id)
    x, train, *_ = drawn(page)
    assert len(x) < 6_000
    assert max(numbers(train)) == 7
    assert x[train.index(7)] == SPIKE
    assert x[train.index(None)] == GAP
    for _ in range(4):
        first, last = drawn(page)[0][0], drawn(page)[0][-1]
        place = (SPIKE - first) / (last - first)
        look_at(page, max(0.0, place - 0.005), min(1.0, place + 0.01))
        if len(drawn(page)[0]) < 50:
            break
        assert 7 in drawn(page)[1]
    x, train, *_ = drawn(page)
    assert x == list(range(int(x[0]), int(x[0]) + len(x)))
    assert train[x.index(SPIKE)] == 7
    page.locator(".cv-reset").first.click()
    times = {**browser_times(page, plot.id, count=45), **kernel_times()}
    settle(page, 100)
    assert 7 in drawn(page)[1]
    assert None in drawn(page)[1]
    assert drawn(page)[0][-1] > 1_000_000
    for name, figure in times.items():
        print(f"{name:>22} {figure:,.2f}")
    assert legend(page).keys() == set(METRICS)


@pytest.mark.parametrize("seed", range(3))
def test_every_high_and_low_is_drawn_whatever_the_order_of_steps(page: Any, seed: int) -> None:
    rng = random.Random(seed)
    values = [rng.gauss(0, 1) for _ in range(20_000)]
    steps = list(range(20_000))
    if seed == 1:
        rng.shuffle(steps)
    if seed == 2:  # a run that was resumed from step 9,000
        steps = [*range(15_000), *range(9_000, 14_000)]
    plot = Plot(page)
    for start in range(0, 20_000, 4_000):
        stop = start + 4_000
        plot.push({"a": series(values[start:stop], steps=steps[start:stop])})
        x, column = drawn(page)[:2]
        seen = values[:stop]
        assert x == sorted(x)
        assert (min(numbers(column)), max(numbers(column))) == (min(seen), max(seen))
        pairs = set(zip(steps[:stop], seen, strict=True))
        assert all((step, value) in pairs for step, value in zip(x, column, strict=True))
    assert edge(page) == max(steps)
    page.mouse.move(0, 0)
    assert legend(page) == {"a": f"{values[-1]:.4g}"}


def test_close_up_every_point_is_there(page: Any) -> None:
    values = [math.sin(i / 7) for i in range(100_000)]
    Plot(page).push({"a": series(values)})
    look_at(page, 0.5, 0.505)
    x, column = drawn(page)[:2]
    assert 200 < len(x) < 1200
    assert x == list(range(int(x[0]), int(x[0]) + len(x)))
    assert column == [values[int(step)] for step in x]


def test_smoothing_is_the_same_in_one_go_and_in_many(page: Any) -> None:
    values = [math.sin(i) + (i % 50 == 0) for i in range(300)]
    values[100] = math.nan
    page.set_viewport_size({"width": 1000, "height": 1200})
    once, often = Plot(page), Plot(page)
    for slider in page.get_by_label("Smoothing").all():
        slider.fill("0.9")
    once.push({"a": series(values)})
    for at in range(0, 300, 37):
        part = range(at, min(300, at + 37))
        often.push({"a": series([values[i] for i in part], steps=part)})
    total, left, want = 0.0, 1.0, []
    for value in values:
        if math.isnan(value):
            want.append(None)
            continue
        total, left = 0.9 * total + 0.1 * value, left * 0.9
        want.append(total / (1 - left))
    assert drawn(page, 0)[2] == pytest.approx(want)
    assert drawn(page, 1)[2] == drawn(page, 0)[2]


def test_the_time_axis_and_the_log_axis_keep_spikes_too(page: Any) -> None:
    values = [1.0] * 30_000
    values[12_345], values[23_456] = 1e-6, -5.0
    times = array("d", (EPOCH + i / 100 for i in range(30_000)))
    Plot(page).push({"a": Series(array("q", range(30_000)), array("d", values), times)})
    page.locator(".cv-toggle", has_text="time").click()
    page.locator(".cv-toggle", has_text="log").click()
    settle(page, 80)
    x, column = drawn(page)[:2]
    assert x[column.index(1e-6)] == pytest.approx(123.45)
    assert x[column.index(None)] == pytest.approx(234.56)
    assert -5.0 not in column


def test_thinned_points_are_counted_as_the_kernel_counts_them(page: Any) -> None:
    rows = [0, 7, 500, 999]
    columns = {"steps": [0] * 4, "values": [1, 9, 2, 3], "times": [EPOCH] * 4, "rows": rows}
    kinds = {"steps": "q", "values": "d", "times": "d", "rows": "q"}
    dtypes = {"q": "int64", "d": "float64"}
    plot = Plot(page)
    message = {
        "kind": "points",
        "full": False,
        "thinned": True,
        "status": "RUNNING",
        "series": [{"name": "a", "start": 0, "count": 4, "end": 1000}],
        "columns": [{"name": n, "dtype": dtypes[kinds[n]], "shape": [4]} for n in columns],
    }
    buffers = [list(array(kinds[n], column).tobytes()) for n, column in columns.items()]
    deliver = "(args) => deliver(...args)"
    page.evaluate(deliver, [plot.id, message, buffers])
    page.evaluate(deliver, [plot.id, message, buffers])  # once more: nothing is added
    plot.push({"a": series([4], steps=[0])}, starts={"a": 1000})
    assert plot.asked == []
    assert drawn(page)[:2] == [[*rows, 1000], [1, 9, 2, 3, 4]]


def test_the_plot_is_read_with_keys_wheel_and_shift(page: Any) -> None:
    Plot(page).push({"a": series(range(1001))})
    over = page.locator(".u-over")
    box = over.bounding_box()

    def span() -> tuple[float, float]:
        settle(page)
        scale = "(n) => { const { min, max } = n[Symbol.for('cvtrack_magics.plot')].scales.x;"
        found = page.locator(".cv-plot").evaluate(scale + " return [min, max]; }")
        return float(found[0]), float(found[1])

    page.locator(".cv-plot").focus()
    page.keyboard.press("+")
    assert span() == (250, 750)
    page.keyboard.press("ArrowRight")
    assert span() == (350, 850)
    page.keyboard.press("Escape")
    assert span() == (0, 1000)
    assert not page.locator(".cv-reset").is_visible()
    over.hover(position={"x": box["width"] / 2, "y": 50})
    page.mouse.wheel(0, -100)
    assert span() == (0, 1000)  # the notebook scrolls
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    start, end = span()
    assert end - start < 700
    assert (start + end) / 2 == pytest.approx(500, abs=15)
    page.keyboard.down("Shift")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 50, box["y"] + 50, steps=3)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert span()[0] > start + 10
    assert span()[1] - span()[0] == pytest.approx(end - start)
    zoom_in(page)
    page.locator(".cv-reset").focus()
    page.keyboard.press("Enter")
    assert span() == (0, 1000)
