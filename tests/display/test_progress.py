from __future__ import annotations

import doctest
import math

import pytest

from cvtrack_magics.display import annotations as extras
from cvtrack_magics.display import best, progress
from cvtrack_magics.display.best import Best, best_of
from cvtrack_magics.display.progress import Bar, bar_text, figures
from tests.display.helpers import series


def test_the_examples_in_the_docstrings_are_true() -> None:
    result = doctest.testmod(progress)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("bar", "shown"),
    [
        (Bar("k", "d", 0, 10, 0.0, math.nan), "0/10"),
        (Bar("k", "d", 0, 0, 0.0, math.nan), "0/0 · in 0:00"),
        (Bar("k", "d", 1, 10, 1.0, 0.0), "1/10"),
        (Bar("k", "d", 1, 10, 1.0, math.inf), "1/10"),
        (Bar("k", "d", 1, 10, 1.0, 0.001), "1/10 · 16:40 each · 2:30:00 left"),
        (Bar("k", "d", 5, 10, 1.0, 1234.5), "5/10 · 1234/s · 0:00 left"),
        (Bar("k", "d", 12, 10, 4000.0, 0.003), "12/10 · 5:33 each · in 1:06:40"),
        (Bar("k", "d", 3, None, 90000, math.nan), "3 · 1 d 1 h"),
    ],
)
def test_figures_in_every_state(bar: Bar, shown: str) -> None:
    assert figures(bar) == shown


@pytest.mark.parametrize("width", [8, 20, 40, 80, 200])
@pytest.mark.parametrize("total", [None, 0, 100])
def test_a_bar_of_characters_fits_its_line(width: int, total: int | None) -> None:
    line = bar_text(Bar("k", "\x1b[31ma long\nname " * 9, 37, total, 3.0, 12.0), width=width)
    assert len(line) <= width
    assert line.isprintable()


def test_what_travels_to_the_page_is_plain_and_finite() -> None:
    (bar,) = extras.bars_json([Bar("k" * 999, "\x1b[31m\u202ered", 1, 2, 1, math.nan)])
    assert (bar["desc"], len(str(bar["key"]))) == ("[31m red", 200)
    (mark,) = extras.marks_json([extras.Mark(3, "x" * 9999)])
    assert (mark["time"], len(str(mark["text"]))) == (None, 500)
    (line,) = extras.baselines_json({"b": {"a": math.inf, "c": 1.0}})
    assert line["values"] == [["c", 1.0]]


@pytest.mark.parametrize(
    ("name", "values", "steps", "want"),
    [
        ("val/acc", [0.1, math.nan, 0.9, math.inf, 0.9], [0, 5, 10, 15, 20], (10, 0.9)),
        ("loss", [-math.inf, 3, 2, math.nan], [7, 7, 7, 7], (2, 2.0)),
        ("loss", [math.nan, math.nan], [0, 1], None),
        ("loss", [1.0], [0], None),
        ("lr", [1.0, 2.0], [0, 1], None),
    ],
)
def test_the_best_point(
    name: str, values: list[float], steps: list[int], want: tuple[int, float] | None
) -> None:
    assert best_of(name, series(values, steps)) == (want and Best(*want))
    assert best.__doc__
