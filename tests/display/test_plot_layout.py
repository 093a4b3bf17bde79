"""How a plot fits its page and its theme, in a real browser."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.display.helpers import series
from tests.display.pages import BUNDLE, HARNESS, Plot, ink, needs_chromium, serve, settle

pytestmark = needs_chromium


def test_a_hundred_metrics_show_twelve_panels_until_asked(page: Any) -> None:
    Plot(page).push({f"metric{i}": series([i]) for i in range(100)})
    assert page.locator(".cv-panel").count() == 12
    page.get_by_role("button", name="Show all panels").click()
    settle(page, 100)
    assert page.locator(".cv-panel").count() == 100


def test_a_narrow_page_has_one_column_and_nothing_sticks_out(page: Any) -> None:
    Plot(page, title="a very long name " * 9).push(
        {f"train/a_metric_with_a_rather_long_name_{i}": series([i, 2]) for i in range(4)}
    )
    lefts = "[...document.querySelectorAll('.cv-panel')].map((p) => p.offsetLeft)"
    assert len(set(page.evaluate(lefts))) == 2
    page.set_viewport_size({"width": 420, "height": 900})
    page.wait_for_timeout(120)
    assert len(set(page.evaluate(lefts))) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_few_panels_fill_a_wide_page_up_to_a_width(page: Any) -> None:
    page.set_viewport_size({"width": 1300, "height": 900})
    widths = "[...document.querySelectorAll('.cv-panel')].map((p) => p.offsetWidth)"
    plot = Plot(page)
    plot.push({"a": series([1, 2])})
    assert page.evaluate(widths) == [640]
    plot.push({"b": series([1, 2])})
    assert page.evaluate(widths) == [635, 635]
    plot.push({"c": series([1, 2])})
    assert len(page.evaluate(widths)) == 3
    assert max(page.evaluate(widths)) < 430


STICKING_OUT = """() => [...document.querySelectorAll(".cv-panel")]
  .filter((panel) => [...panel.querySelectorAll("canvas, .cv-key, .cv-title")].some(
    (node) => node.getBoundingClientRect().right > panel.getBoundingClientRect().right))
  .map((panel) => panel.textContent)"""


@pytest.mark.parametrize("width", [1300, 1000, 700, 400])
def test_panels_that_come_later_leave_the_others_inside_theirs(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    plot = Plot(page, title="train")
    for name in ("train/loss", "val/acc", "lr", "grad_norm"):
        plot.push({name: series([1, 2, 3])})
        settle(page)
        assert page.evaluate(STICKING_OUT) == []


# What can be read of a name: its letters that lie inside the boxes that would cut them.
READABLE = """(node) => [...node.querySelectorAll("span")].map((part) => {
  const text = part.firstChild, range = document.createRange();
  const edge = part.getBoundingClientRect().right;
  return [...text.data].filter((_, at) => {
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    return range.getBoundingClientRect().right <= edge + 0.5;
  }).join("");
})"""


@pytest.mark.parametrize("width", [1000, 700, 400])
def test_names_that_differ_at_their_ends_can_be_told_apart(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    names = [f"val/per_class_average_precision_at_iou_0.50/a long class number {i}" for i in (1, 2)]
    Plot(page, title="train").push({name: series([0.1, 0.2]) for name in names})
    for shown in (".cv-title", ".cv-name"):
        starts, ends = zip(
            *(node.evaluate(READABLE) for node in page.locator(shown).element_handles()),
            strict=True,
        )
        assert [end[-8:] for end in ends] == ["number 1", "number 2"]
        assert all(len(start) >= 6 for start in starts)


def test_a_name_with_odd_signs_is_cut_between_them(page: Any) -> None:
    name = "🦊" * 30 + "<b>" + " spaces  kept "
    Plot(page, title=name).push({name: series([1, 2])})
    assert page.locator(".cv-run").text_content() == name
    assert page.locator(".cv-name").text_content() == name


@pytest.mark.parametrize("language", ["C", "", "en_US.UTF-8", "de-DE", "und", None])
def test_a_language_that_is_none_costs_no_plot(browser: Any, language: str | None) -> None:
    page = browser.new_page()
    page.add_init_script(
        f"Object.defineProperty(navigator, 'language', {{get: () => {json.dumps(language)}}})"
    )
    page.route("**/*", serve)
    page.goto("http://plot.test/")
    page.evaluate(HARNESS + "0")
    Plot(page).push({"a": series([1, 2, 3])})
    settle(page)
    assert ink(page) > 0
    page.close()


def test_it_follows_the_pages_theme(page: Any) -> None:
    Plot(page).push({"a": series([1, 2])})

    def text_color() -> tuple[str, int, int]:
        color = page.evaluate("getComputedStyle(document.querySelector('.cv-title')).color")
        return color, ink(page, "#ff00ff"), ink(page, "#00aa00")

    page.evaluate(
        """() => {
          const style = document.createElement("style");
          style.textContent = `body { --jp-ui-font-color1: #123456; --jp-ui-font-color2: #ff00ff; }
            body.dark { --jp-ui-font-color1: #fedcba; --jp-ui-font-color2: #00aa00; }`;
          document.head.append(style);
          document.body.className = "light";
        }"""
    )
    settle(page, 100)
    color, before, after = text_color()
    assert (color, after) == ("rgb(18, 52, 86)", 0)
    assert before > 0
    page.evaluate("document.body.className = 'dark'")
    settle(page, 100)
    color, before, after = text_color()
    assert (color, before) == ("rgb(254, 220, 186)", 0)
    assert after > 0


def test_a_saved_bundle_needs_nothing_from_elsewhere() -> None:
    text = BUNDLE.read_text(encoding="utf-8")
    assert not re.search(r"""(?:from|import)\s*\(?["']""", text)
    assert len(text) < 110_000
