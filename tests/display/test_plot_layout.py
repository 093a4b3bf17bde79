"""How a plot fits its page and its theme, in a real browser."""

from __future__ import annotations

import re
from typing import Any

from tests.display.helpers import series
from tests.display.pages import BUNDLE, Plot, ink, needs_chromium, settle

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
