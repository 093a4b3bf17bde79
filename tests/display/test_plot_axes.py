"""The axes of a plot and its smoothing, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from cvtrack_magics.display import text
from tests.display.helpers import series
from tests.display.pages import Plot, ink, needs_chromium, settle

pytestmark = needs_chromium


def axis_gap(page: Any) -> float:
    """Where the middle value of three stands between the outer ones, from 0 to 1."""
    return float(
        page.evaluate(
            """() => {
              const c = document.querySelector(".uplot canvas");
              const { data, width, height } = c.getContext("2d")
                .getImageData(0, 0, c.width, c.height);
              const rows = (x0, x1) => {
                const hits = [];
                for (let y = 0; y < height; y++) for (let x = x0; x < x1; x++) {
                  const i = 4 * (y * width + x);
                  if (data[i + 3] > 128 && data[i + 2] - data[i] > 100) hits.push(y);
                }
                return hits.reduce((a, b) => a + b, 0) / hits.length;
              };
              const edge = c.getBoundingClientRect().left;
              const box = document.querySelector(".u-over").getBoundingClientRect();
              const left = Math.ceil((box.left - edge) * devicePixelRatio);
              const right = Math.floor((box.right - edge) * devicePixelRatio);
              const middle = Math.round((left + right) / 2);
              const [first, mid, last] =
                [rows(left, left + 2), rows(middle - 1, middle + 1), rows(right - 2, right)];
              return (first - mid) / (first - last);
            }"""
        )
    )


def test_the_log_button_makes_factors_equal_steps(page: Any) -> None:
    Plot(page).push({"a": series([1, 10, 100])})
    log = page.locator(".cv-toggle", has_text="log")
    assert log.get_attribute("aria-pressed") == "false"
    assert axis_gap(page) == pytest.approx(9 / 99, abs=0.03)
    log.click()
    assert log.get_attribute("aria-pressed") == "true"
    assert axis_gap(page) == pytest.approx(0.5, abs=0.03)


def test_a_log_scale_survives_zero_and_negative_values(page: Any) -> None:
    Plot(page).push({"a": series([0, -1, 10, 100]), "b": series([-1, 0])})
    for button in page.locator(".cv-toggle", has_text="log").all():
        button.click()
    assert ink(page) > 10


def test_a_log_scale_with_nothing_to_draw_says_so(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series([0, -1])})
    nothing = page.locator(".cv-nothing")
    assert not nothing.is_visible()
    page.locator(".cv-toggle", has_text="log").click()
    assert nothing.is_visible()
    plot.push({"a": series([1], steps=[2])})
    assert not nothing.is_visible()


def test_the_browser_writes_ticks_as_the_picture_does(page: Any) -> None:
    page.evaluate(
        """() => {
          window.written = [];
          const before = CanvasRenderingContext2D.prototype.fillText;
          CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            if (text && !older.includes(this.canvas)) written.push(text);
            before.call(this, text, ...rest);
          };
        }"""
    )

    def ticks_of(values: list[float], log: bool = False) -> set[str]:
        page.evaluate("window.older = [...document.querySelectorAll('canvas')]")
        plot = Plot(page)
        page.evaluate("written.length = 0")
        plot.push({"a": series(values, steps=[0, 4])})
        if log:
            toggle = page.locator(".cv-toggle", has_text="log").last
            toggle.scroll_into_view_if_needed()
            settle(page)  # what comes into view is drawn once more
            page.evaluate("written.length = 0")
            toggle.click()
            settle(page)
        return set(page.evaluate("written")) - {"0", "1", "2", "3", "4"}

    assert ticks_of([9.4e-4, 1.02e-3]) >= set(text.ticks([9.4e-4, 1e-3]))
    assert ticks_of([9.975e-4, 1.0005e-3]) >= set(text.ticks([9.98e-4, 9.99e-4, 1e-3]))
    assert ticks_of([1e5, 2e6]) >= set(text.ticks([0.5e6, 1e6, 1.5e6]))
    assert ticks_of([2e-5, 5e-5]) >= set(text.ticks([2e-5, 4e-5]))
    assert ticks_of([-50_000, 50_000]) >= set(text.ticks([-50_000, 50_000]))
    assert all("e" in label for label in ticks_of([1e-8, 100], log=True))
    assert ticks_of([0.01, 100], log=True) >= {"0.01", "0.1", "100"}


def test_the_y_axis_is_as_wide_as_its_labels(page: Any) -> None:
    Plot(page).push({"a": series([9.4e-4, 1.02e-3]), "c": series([1, 9])})
    wide, narrow = page.evaluate("[...document.querySelectorAll('.u-over')].map(n => n.offsetLeft)")
    assert wide > narrow + 15
    assert narrow < 30


def test_smoothing_keeps_the_raw_curve_faint(page: Any) -> None:
    Plot(page).push({"a": series([i % 2 for i in range(200)])})
    strong = ink(page)
    slider = page.get_by_label("Smoothing")
    slider.focus()
    for _ in range(9):
        page.keyboard.press("PageUp")
    settle(page)
    assert page.locator(".cv-amount").text_content() == "0.9"
    smooth = ink(page)
    assert 50 < smooth < strong / 2
    slider.fill("0")
    settle(page)
    assert ink(page) == strong


def test_the_x_axis_is_steps_or_seconds(page: Any) -> None:
    Plot(page).push({"a": series([1, 2, 3], steps=[100, 200, 300])})
    over = page.locator(".u-over")
    over.hover(position={"x": 1, "y": 50})
    assert page.locator(".cv-where").text_content() == "step 100"
    page.locator(".cv-toggle", has_text="time").click()
    over = page.locator(".u-over")
    over.hover(position={"x": over.bounding_box()["width"] - 1, "y": 50})
    assert page.locator(".cv-where").text_content() == "1s"


WRITTEN = """() => {
  const own = CanvasRenderingContext2D.prototype.fillText;
  window.written = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
    window.written.push(String(text));
    return own.call(this, text, ...at);
  };
}"""


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e28, 1e30, 1e38, 1e250])
def test_values_of_any_size_have_ticks(page: Any, size: float) -> None:
    page.evaluate(WRITTEN)
    Plot(page).push({"a": series([size, 1.5 * size, 2 * size])})
    settle(page)
    steps = {str(at) for at in range(3)}
    words = {word for word in page.evaluate("window.written") if word} - steps
    assert len({float(word) for word in words if "e" in word} or words) >= 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([float("nan")] * 3, True),
        ([float("inf"), float("nan")], True),
        ([float("nan"), 0.5], False),
    ],
)
def test_a_panel_without_a_number_says_so(page: Any, values: list[float], said: bool) -> None:
    page.evaluate(WRITTEN)
    Plot(page).push({"a": series(values)})
    settle(page)
    assert ("no finite value" in page.evaluate("window.written")) is said
