"""The table of runs in a page: sorted, filtered, ticked; without scripts it is whole as it is."""

from __future__ import annotations

from typing import Any

import pytest

from cvtrack_magics.display.runs_table import RunLine, RunsTable
from tests.display.pages import needs_chromium
from tests.display.test_page import CODE, JUPYTER

pytestmark = needs_chromium


def line(at: int, name: str, acc: float | None, lr: str, depth: int = 0) -> RunLine:
    metrics = {} if acc is None else {"val/acc": acc, "val/loss": 1 - acc}
    return RunLine(name, f"{at:032x}", depth, "FINISHED", 1.7e9 - at, 60 * at, {"lr": lr}, metrics)


TABLE = RunsTable(
    "7 runs of experiment 'digits'",
    "mlflow.db",
    (),
    (
        line(1, "outer", None, "0.1"),
        line(2, "inner", 0.2, "0.10000000000000001", 1),
        line(3, "high", 0.95, "10"),
        line(4, "nan", float("nan"), "9"),
        line(5, "middle", 0.5, "auto"),
        line(6, "two words", 0.5, ""),
        line(7, "<b>bold</b>", 0.1, "1e-5"),
    ),
)


@pytest.fixture(params=[JUPYTER, CODE], ids=["jupyter", "vscode"])
def shown(request: Any, page: Any) -> Any:
    page.set_content('<!doctype html><html><body><div id="out"></div></body></html>')
    page.evaluate(request.param, TABLE._repr_html_())
    page.locator(".cvtrack-runs[data-alive]").wait_for()
    return page


def names(page: Any) -> list[str]:
    cells = page.locator("tbody tr:visible td:first-child")
    return [text.strip().removeprefix("✓ ") for text in cells.all_inner_texts()]


FIRST = ["outer", "inner", "high", "nan", "middle", "two words", "<b>bold</b>"]


@pytest.mark.parametrize(
    ("head", "once", "twice"),
    [
        (
            "val/acc",
            ["high", "middle", "two words", "inner", "<b>bold</b>", "outer", "nan"],
            ["<b>bold</b>", "inner", "middle", "two words", "high", "outer", "nan"],
        ),
        (
            "val/loss",
            ["high", "middle", "two words", "inner", "<b>bold</b>", "outer", "nan"],
            ["<b>bold</b>", "inner", "middle", "two words", "high", "outer", "nan"],
        ),
        (
            "lr",
            ["<b>bold</b>", "outer", "inner", "nan", "high", "middle", "two words"],
            ["high", "nan", "outer", "inner", "<b>bold</b>", "middle", "two words"],
        ),
        ("run", sorted(FIRST, key=str.lower), sorted(FIRST, key=str.lower, reverse=True)),
        ("started", FIRST, FIRST[::-1]),  # the newest first, as they stand
        ("took", FIRST, FIRST[::-1]),
    ],
)
def test_a_head_sorts_the_best_first(
    shown: Any, head: str, once: list[str], twice: list[str]
) -> None:
    button = shown.get_by_role("button", name=f"Sort by {head}", exact=True)
    button.click()
    assert names(shown) == once
    assert shown.locator("th[aria-sort=ascending], th[aria-sort=descending]").count() == 1
    button.press("Enter")
    assert names(shown) == twice
    button.click()
    assert names(shown) == FIRST
    assert shown.locator("th[aria-sort=none]").count() == 6


def test_what_is_infinite_is_a_number(page: Any) -> None:
    values = {"a": 1.0, "b": float("inf"), "c": float("-inf"), "d": 1e300}
    lines = tuple(line(at, name, value, "") for at, (name, value) in enumerate(values.items()))
    page.set_content('<!doctype html><html><body><div id="out"></div></body></html>')
    page.evaluate(JUPYTER, RunsTable("4 runs", "x", (), lines)._repr_html_())
    page.get_by_role("button", name="Sort by val/acc").click()
    assert names(page) == ["b", "d", "a", "c"]


def test_nested_runs_are_flush_while_they_are_sorted(shown: Any) -> None:
    pad = "(node) => getComputedStyle(node).paddingLeft"
    inner = shown.locator("tr", has_text="inner").locator(".cvr-indent")
    assert inner.evaluate(pad) == "16px"
    shown.get_by_role("button", name="Sort by lr").click()
    assert inner.evaluate(pad) == "0px"


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("HIGH", ["high"]),
        ("0.5 two", ["two words"]),
        ("0.10000000000000001", ["inner"]),
        ("nothing of the kind", []),
        ("  ", FIRST),
        ("0" * 31 + "7", ["<b>bold</b>"]),
    ],
)
def test_words_filter(shown: Any, asked: str, wanted: list[str]) -> None:
    shown.get_by_role("searchbox", name="Filter rows").fill(asked)
    assert names(shown) == wanted
    said = f"{len(wanted)} of 7" if asked.strip() else ""
    assert shown.locator(".cvr-left").inner_text() == said


def test_ticked_runs_give_the_line_that_compares_them(shown: Any) -> None:
    said = shown.locator(".cvr-line code")
    assert said.count() == 0
    shown.get_by_role("checkbox", name="Select high").check()
    assert said.inner_text() == "%mlshow high"
    shown.get_by_role("checkbox", name=f"Select {6:032x}").check()
    assert said.inner_text() == f"%mlcompare high {6:032x}"
    shown.get_by_role("searchbox").fill("high")
    assert said.inner_text() == "%mlshow high"  # what is not seen does not count
    shown.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.get_by_role("button", name="Copy this line").click()
    shown.get_by_role("button", name="Copy this line").get_by_text("Copied").or_(
        shown.get_by_text("Press Ctrl+C")
    ).wait_for()


def test_hostile_names_stay_text(shown: Any) -> None:
    assert shown.locator(".cvtrack-runs td b").all_inner_texts() == ["0.95", "0.05"]


def test_without_scripts_it_is_whole(page: Any) -> None:
    page.set_content('<!doctype html><html><body><div id="out"></div></body></html>')
    page.evaluate(
        "(html) => { document.getElementById('out').innerHTML = html; }", TABLE._repr_html_()
    )
    assert names(page) == FIRST
    assert page.locator("input, button").count() == 0


def test_two_tables_of_a_page_do_not_meet(shown: Any) -> None:
    shown.evaluate(JUPYTER, TABLE._repr_html_() * 2)
    assert shown.locator(".cvtrack-runs[data-alive]").count() == 2
    assert shown.get_by_role("searchbox").count() == 2
    shown.get_by_role("searchbox").first.fill("high")
    assert shown.locator("tbody tr:visible").count() == 8
    assert shown.locator("thead th").first.inner_text() == "run"


def test_on_paper_there_are_no_controls(shown: Any) -> None:
    shown.emulate_media(media="print")
    assert not shown.get_by_role("searchbox").is_visible()
    assert shown.locator("input:visible").count() == 0


def test_ticked_runs_give_the_lines_of_grid_and_delete(shown: Any) -> None:
    said = shown.locator(".cvr-line code")
    grid = shown.get_by_role("button", name="Copy the line that shows predictions")
    delete = shown.get_by_role("button", name="Copy the line that deletes them")
    shown.get_by_role("checkbox", name="Select high").check()
    grid.click()
    assert said.inner_text() == "%mlgrid --run high"
    shown.get_by_role("checkbox", name="Select middle").check()
    grid.click()
    assert said.inner_text() == "%mlgrid --run high --compare middle"
    delete.click()
    assert said.inner_text() == "%mlruns --delete high,middle"
    shown.get_by_role("checkbox", name="Select inner").check()
    assert grid.count() == 0  # a grid shows two
    assert said.inner_text() == "%mlcompare inner high middle"
