"""Parts of an evaluation's samples as a table, the one that is surely best for least first."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cvtrack_magics.artifacts.slices import Slice
from cvtrack_magics.display.figures_table import figures_table
from cvtrack_magics.display.text import aligned, numbers, plain, shorten

ROWS = 12
"""Parts of a column that are shown; all are recorded."""
_FIGURES = 4
_FIRST = ("precision", "recall", "F1", "macro_f1")


def _ordered(slices: Sequence[Slice], *, falls: bool) -> list[Slice]:
    """Return the worst first, by the end of the interval that is surely reached."""

    def key(one: Slice) -> tuple[bool, float]:
        measured = one.measured
        value = measured.metrics.get(measured.headline)
        interval = measured.interval
        if interval is not None:
            value = interval.high if falls else interval.low
        if value is None or not math.isfinite(value):
            return True, 0.0
        return False, -value if falls else value

    return sorted(slices, key=key)


def _table(
    column: str, slices: Sequence[Slice], headline: str, digits: int, *, falls: bool
) -> tuple[list[str], list[list[str]], int]:
    """Return the head and the rows of one column's parts, and how many are left out."""
    every = _ordered(slices, falls=falls)
    shown = every[:ROWS]
    others = dict.fromkeys(key for one in shown for key in one.measured.metrics)
    first = [name for name in _FIRST if name in others]
    names = list(dict.fromkeys((headline, *first, *others)))[:_FIGURES]
    cells = [
        numbers([_number(one.measured.metrics.get(name)) for one in shown], digits)
        for name in names
    ]
    ends = [_ends(one, digits) for one in shown]
    level = next((one.measured.interval.level for one in shown if one.measured.interval), None)
    head = [column, "n", names[0], f"{level:.0%}" if level else "interval", *names[1:]]
    rows = [
        [one.value, f"{one.measured.samples or 0:,}", first, end, *rest]
        for one, end, (first, *rest) in zip(shown, ends, zip(*cells, strict=True), strict=True)
    ]
    return head, rows, len(every) - len(shown)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _ends(one: Slice, digits: int) -> str:
    interval = one.measured.interval
    if interval is None or interval.low is None or interval.high is None:
        value = _number(one.measured.metrics.get(one.measured.headline))
        return "nothing there" if value is None else "too few"
    low, high = numbers([interval.low, interval.high], digits)
    return f"[{low}, {high}]"


def _columns(slices: Sequence[Slice]) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {}
    for one in slices:
        found.setdefault(one.column, []).append(one)
    return found


def slices_text(slices: Sequence[Slice], headline: str, digits: int, *, falls: bool) -> list[str]:
    """Return the tables as lines of a terminal.

    Parameters
    ----------
    slices : sequence of Slice
        Of any columns.
    headline : str
        The metric that stands for the task.
    digits : int
        Significant ones.
    falls : bool
        Whether lower is better.
    """
    lines: list[str] = []
    for column, parts in _columns(slices).items():
        head, rows, more = _table(column, parts, headline, digits, falls=falls)
        cells = [[plain(shorten(cell, 32)) for cell in row] for row in (head, *rows)]
        lines += [f"  {line}" for line in aligned(cells)]
        lines += [f"  and {more} more"] if more else []
    return lines


def slices_html(slices: Sequence[Slice], headline: str, digits: int, *, falls: bool) -> list[str]:
    """Return the tables as HTML, one a column; see :func:`slices_text`."""
    made = []
    for column, parts in _columns(slices).items():
        head, rows, more = _table(column, parts, headline, digits, falls=falls)
        rest = f"and {more} more" if more else ""
        made.append(figures_table(head, rows, rest, scrolls=True))
    return made
