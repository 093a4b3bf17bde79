"""Tables of results fit a narrow window: what says why is seen without scrolling."""

from __future__ import annotations

from typing import Any

import pytest

from cvtrack_magics.display.table_view import Listing
from tests.display.pages import ADD, needs_chromium

pytestmark = needs_chromium

REFUSED = Listing(
    "digits version 1 (run 1a2b3c4d) did not pass.",
    where="The verdict is kept on the version.",
    passed=False,
    columns=("", "rule", "required", "actual", "margin", "reason"),
    rows=(
        ("✗", "test/top1_acc >= 0.99", ">= 0.99", "0.116", "-0.8737", "0.116305 is not >= 0.99"),
        ("✗", "champion test/top1_acc", "gain > 0 (95 % lower bound)", "", "", "no champion yet"),
        ("✗", "has(card)", "present", "", "", "there is no governance/MODEL_CARD.md"),
    ),
)
HISTORY = Listing(
    "digits: 1 record.",
    columns=("when (UTC)", "", "version", "who", "what for"),
    rows=(("2026-11-30 02:06:38", "refused", "1", "root", "0 of 4 rules hold; " * 12),),
)
CUT = """() => [...document.querySelectorAll(".output div")]
  .filter((box) => box.scrollWidth > box.clientWidth).length"""


@pytest.mark.parametrize("width", [1200, 700, 600])
@pytest.mark.parametrize("shown", [REFUSED, HISTORY], ids=["refused", "history"])
def test_no_column_is_cut(page: Any, shown: Listing, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("document.body.style.font = '13px system-ui, sans-serif'")  # as Lab has it
    page.evaluate(ADD, shown._repr_html_())
    assert page.evaluate(CUT) == 0


def test_a_time_is_never_broken(page: Any) -> None:
    page.set_viewport_size({"width": 600, "height": 900})
    page.evaluate(ADD, HISTORY._repr_html_())
    lines = page.locator("td").first.evaluate(
        """(cell) => {
          const range = document.createRange();
          range.selectNodeContents(cell);
          return range.getClientRects().length;
        }"""
    )
    assert lines == 1
