"""Points that come from a kernel, as the built front end draws them in a real browser."""

from __future__ import annotations

import math
from typing import Any

from cvtrack_magics.display import groups
from tests.display.helpers import series
from tests.display.pages import Plot, edge, ink, legend, needs_chromium, settle, titles

pytestmark = needs_chromium


def test_metrics_that_belong_together_share_a_panel(page: Any) -> None:
    plot = Plot(page)
    assert page.locator(".cv-empty").is_visible()
    plot.push({"train/loss": series([3, 2]), "lr": series([0.1]), "val/loss": series([2.5])})
    assert titles(page) == ["loss", "lr"]
    assert legend(page) == {"train/loss": "2", "val/loss": "2.5", "lr": "0.1"}
    assert not page.locator(".cv-empty").is_visible()
    assert ink(page) > 50


def test_the_browser_groups_and_colours_as_the_picture_does(page: Any) -> None:
    names = ["train/loss", "val_loss", "eval/loss", "loss", "test/loss", "valid/loss", "system/cpu"]
    names += ["Training_acc", "validation/acc", "acc/train", "trainer/lr", "val/", "TEST_x", "test"]
    Plot(page).push({name: series([1]) for name in names})
    panels = groups.panels_of(names)
    assert titles(page) == list(panels)
    styles = [style for members in panels.values() for style in groups.styles_of(members)]
    assert list(legend(page)) == [style.name for style in styles]
    swatches = page.evaluate(
        """() => [...document.querySelectorAll(".cv-swatch")].map((swatch) => {
          const { borderTopColor, borderTopStyle } = getComputedStyle(swatch);
          const channels = borderTopColor.match(/\\d+/g).map(Number);
          const hex = channels.map((c) => c.toString(16).padStart(2, "0")).join("");
          return ["#" + hex, borderTopStyle];
        })"""
    )
    lines = {(): "solid", (6, 4): "dashed", (2, 3): "dotted"}
    assert swatches == [[style.color, lines[style.dash]] for style in styles]


def test_new_points_are_added_and_repeated_ones_are_not(page: Any) -> None:
    plot = Plot(page)
    still = [0, 0, 0, 0]  # points at one step are numbered, so the right edge counts them
    plot.push({"a": series([1, 2, 3], steps=still[:3])})
    assert edge(page) == 2
    plot.push({"a": series([1, 2, 3, 4], steps=still)}, starts={"a": 0})
    assert edge(page) == 3
    plot.push({"a": series([1, 2, 3, 4], steps=still)}, starts={"a": 0})
    assert edge(page) == 3
    plot.push({"a": series([5], steps=[0])})
    assert edge(page) == 4
    page.mouse.move(0, 0)
    assert legend(page) == {"a": "5"}
    assert plot.asked == []


def test_a_gap_in_the_messages_is_noticed_asked_for_once_and_filled(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series([1, 2])})
    plot.push({"a": series([9], steps=[8])}, starts={"a": 8})
    plot.push({"a": series([10], steps=[20])}, starts={"a": 20})
    assert plot.asked == [{"kind": "replay"}]
    plot.push({"a": series(range(30))}, starts={"a": 0}, full=True)
    plot.push({"a": series([77], steps=[30])})
    assert plot.asked == [{"kind": "replay"}]
    assert legend(page) == {"a": "77"}


def test_a_page_that_hears_nothing_asks(page: Any) -> None:
    plot = Plot(page)
    for _ in range(10):
        page.wait_for_timeout(1700)
        if plot.asked:
            break
    assert plot.asked == [{"kind": "replay"}]


def test_a_second_and_a_reopened_view_show_all_points(page: Any) -> None:
    plot = Plot(page, views=2)
    plot.push({"a": series([1, 2])})
    page.evaluate("(id) => { const v = models[id].views[0]; v.stop(); v.el.remove(); }", plot.id)
    plot.push({"a": series([3], steps=[2])})
    plot.view()
    settle(page)
    assert page.locator(".cv-value").all_text_contents() == ["3", "3"]
    assert ink(page, at=0) > 50
    assert ink(page, at=1) > 50


def test_a_closed_view_leaves_nothing_behind(page: Any) -> None:
    plot = Plot(page)
    plot.push({"a": series([1, 2])})
    page.evaluate("(id) => models[id].views[0].stop()", plot.id)
    assert page.locator(".cvtrack-plot, .uplot").count() == 0
    plot.push({"a": series([3], steps=[2])})
    page.set_viewport_size({"width": 500, "height": 600})
    settle(page, 100)
    assert page.locator(".cvtrack-plot, .uplot").count() == 0


def test_what_is_not_a_number_is_a_gap_and_is_named(page: Any) -> None:
    Plot(page).push(
        {
            "a": series([1, math.nan, math.inf, 2, -math.inf]),
            "b": series([math.nan]),
            "c": series([1e300, -1e300]),
            "d": series([5e-324]),
        }
    )
    assert legend(page) == {"a": "−∞", "b": "NaN", "c": "-1e300", "d": "4.941e-324"}
    assert ink(page) > 10  # both points stand alone, as dots


def test_one_point_is_a_dot(page: Any) -> None:
    Plot(page).push({"a": series([0.5])})
    assert ink(page) > 8


def test_hostile_names_stay_text(page: Any) -> None:
    evil = "<img src=x onerror=window.pwned=1>"
    Plot(page, title=evil).push({evil: series([1]), f"__proto__{evil}": series([2])})
    assert evil in titles(page)
    assert page.locator(".cv-run").text_content() == evil
    assert page.locator(".cvtrack-plot img").count() == 0
    assert page.evaluate("window.pwned") is None
    Plot(page).push({"__proto__": series([1]), "constructor": series([2])})
    assert {"__proto__", "constructor"} <= set(titles(page))


def test_points_without_steps_are_drawn_in_their_order(page: Any) -> None:
    Plot(page).push({"a": series([1, 2, 3], steps=[0, 0, 0])})
    assert edge(page) == 2


def test_the_end_of_the_run_is_shown(page: Any) -> None:
    plot = Plot(page)
    assert page.locator(".cv-status").text_content() == "● running"
    plot.push({}, status="KILLED")
    assert page.locator(".cv-status").text_content() == "■ killed"
