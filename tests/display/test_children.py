"""The table of child runs: which columns, who is best, what is said of the rest."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cvtrack_magics.display.children import (
    best_rows,
    children_html,
    children_text,
    columns_of,
    line_bundle,
)
from tests.conftest import Shell
from tests.display.helpers import summary

MANY = """
import cvtrack_magics as cv
with cv.mlrun("sweep"):
    for trial in range({trials}):
        with cv.mlrun(f"trial-{{trial}}", nested=True):
            cv.log({{"val/acc": 0.5 + 0.02 * trial, "train/loss": 1.0 - 0.02 * trial}})
"""


def child(name: str, status: str = "FINISHED", **metrics: float) -> Any:
    return summary(
        name=name, status=status, metrics={k.replace("__", "/"): v for k, v in metrics.items()}
    )


def test_columns_are_the_metrics_of_most_runs_validation_first() -> None:
    runs = [
        child("a", train__loss=1, val__acc=0.5, odd=1, test__acc=0.1, val__f1=0.1),
        child("b", train__loss=1, val__acc=0.6, test__acc=0.1, val__f1=0.2),
    ]
    assert columns_of(runs) == ["val/acc", "val/f1", "test/acc", "train/loss"]


@pytest.mark.parametrize(
    ("metric", "values", "wanted"),
    [
        ("val/acc", [0.5, 0.9, 0.7], {1}),
        ("val/loss", [0.5, 0.9, 0.7], {0}),
        ("val/acc", [0.9, 0.9, 0.7], {0, 1}),
        ("val/acc", [0.9, 0.9, 0.9], set()),
        ("val/acc", [math.nan, 0.9, 0.7], {1}),
        ("anything", [1, 2, 3], set()),
    ],
)
def test_the_best_is_the_last_value_that_is_best(
    metric: str, values: list[float], wanted: set[int]
) -> None:
    runs = [summary(name=str(at), metrics={metric: value}) for at, value in enumerate(values)]
    assert best_rows(runs, metric) == wanted


def test_one_child_needs_no_table() -> None:
    assert children_html([child("a", x=1)]) == ""
    assert children_text([child("a", x=1)]) == []


def test_what_is_hostile_is_text() -> None:
    bad = "<script>alert(1)</script>"
    runs = [summary(name=bad, error=bad, metrics={bad: 1.0}, url="javascript:alert(1)")] * 2
    html = children_html(runs) + line_bundle(runs[0])["text/html"]
    assert "<script" not in html
    assert "javascript" not in html


def test_more_than_fit_are_counted() -> None:
    runs = [child(f"t{at}", x=at) for at in range(45)]
    assert "and 15 more child runs" in children_html(runs)
    assert children_text(runs)[-1] == "and 15 more child runs"


def test_fifteen_children_are_three_cards_twelve_lines_and_a_table(
    shell: Shell, store: str
) -> None:
    said = shell.run(MANY.format(trials=15))
    cards = said.count("  experiment  ")
    assert cards == 3 + 1
    lines = [line for line in said.splitlines() if line.startswith("✓ FINISHED trial-")]
    assert len(lines) == 15
    assert "val/acc 0.78" in lines[-1]
    assert "child run" in said
    row = next(line for line in said.splitlines() if line.startswith("  ✓ trial-14"))
    assert row.split()[2:4] == ["0.78*", "0.72*"]


def test_children_in_cells_of_their_own_keep_their_cards(shell: Shell, store: str) -> None:
    shell.run("%mlrun stages")
    said = [shell.run(f"%%mlrun part-{at} --nested\n1") for at in range(5)]
    assert all("  experiment  " in one for one in said)
    end = shell.run("%mlend")
    assert [f"✓ part-{at}" in end for at in range(5)] == [True] * 5


def test_a_child_that_fails_among_many_says_why(shell: Shell, store: str) -> None:
    code = MANY.format(trials=5).replace("cv.log(", "1 / (4 - trial); cv.log(")
    said = shell.run(code)
    line = next(at for at in said.splitlines() if at.startswith("✗ FAILED trial-4"))
    assert "  error   ZeroDivisionError: division by zero" in said[said.index(line) :]
    assert "  ✗ trial-4" in said
