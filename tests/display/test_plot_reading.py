"""Zooming, hovering and hiding, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.display.helpers import series
from tests.display.pages import Plot, edge, ink, legend, needs_chromium, settle, zoom_in

pytestmark = needs_chromium


def test_hovering_shows_the_values_there_also_of_sparser_curves(page: Any) -> None:
    Plot(page).push({"train/a": series(range(100)), "val/a": series([5, 95], steps=[10, 90])})
    over = page.locator(".u-over")
    box = over.bounding_box()
    over.hover(position={"x": box["width"] * 20 / 99, "y": 50})
    assert legend(page) == {"train/a": "20", "val/a": "5"}
    page.mouse.move(0, 0)
    assert legend(page) == {"train/a": "99", "val/a": "95"}


def test_a_zoom_stays_while_points_arrive_and_a_double_click_ends_it(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series(range(101))})
    assert edge(page) == 100
    zoom_in(page)
    assert edge(page) == pytest.approx(50, abs=1)
    plot.push({"a": series(range(101, 201), steps=range(101, 201))})
    assert edge(page) == pytest.approx(50, abs=1)
    page.locator(".u-over").dblclick()
    plot.push({"a": series([0], steps=[400])})
    assert edge(page) == 400
    zoom_in(page)
    assert edge(page) < 300
    page.locator(".cv-reset").click()
    assert edge(page) == 400


def test_a_resting_mouse_reads_a_zoomed_plot_while_points_arrive(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series(range(101))})
    zoom_in(page)
    page.evaluate(
        """() => {
          window.heard = new Set();
          const node = document.querySelector(".cv-panel");
          const read = () => heard.add(node.querySelector(".cv-where").textContent + " " +
            node.querySelector(".cv-value").textContent);
          new MutationObserver(read).observe(node, { childList: true, subtree: true });
        }"""
    )
    page.locator(".u-over").hover(position={"x": 100, "y": 50})
    settle(page)
    shown = page.locator(".cv-where").text_content()
    page.evaluate("heard.clear()")
    for start in range(101, 151, 10):
        plot.push({"a": series(range(start, start + 10), steps=range(start, start + 10))})
        assert page.locator(".cv-where").text_content() == shown
    step = int(re.sub(r"\D", "", shown))
    assert 25 <= step <= 50
    assert legend(page) == {"a": str(step)}
    assert page.evaluate("[...heard]") in ([], [f"step {step} {step}"])


def test_a_long_run_shows_its_spikes_and_when_zoomed_every_point(page: Any) -> None:
    values = [0.0] * 50_000
    Plot(page).push({"a": series(values)})
    flat = ink(page)
    values[31_234] = 1.0
    Plot(page).push({"a": series(values)})
    assert ink(page, at=1) > flat + 50

    page.evaluate("models.m1.views[0].stop()")
    for _ in range(3):
        zoom_in(page)
    steps = []
    for x in (200, 210):
        page.locator(".u-over").hover(position={"x": x, "y": 50})
        steps.append(int(re.sub(r"\D", "", page.locator(".cv-where").text_content())))
    assert 1 < steps[1] - steps[0] < 40  # a thinned curve has a point for every 55 steps or so
    assert steps[0] % 10 or steps[1] % 10


def test_a_name_in_the_legend_hides_its_curve(page: Any) -> None:
    Plot(page).push({"train/a": series([1, 2]), "val/a": series([2, 1])})
    assert ink(page, "#e0781a") > 20
    key = page.locator(".cv-key", has_text="val/a")
    key.focus()
    page.keyboard.press("Enter")
    settle(page)
    assert key.get_attribute("aria-pressed") == "false"
    assert ink(page, "#e0781a") == 0
