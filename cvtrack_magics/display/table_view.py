"""A titled table with marks, notes and pictures: under a cell, and as lines in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.display import theme
from cvtrack_magics.display.chart_img import charts_html
from cvtrack_magics.display.text import html_text, plain, shorten

MARKS = {True: "✓", False: "✗", None: "–"}
_COLOURS = {
    "✓": f"color:{theme.GOOD}",
    "✗": f"color:{theme.BAD}",
}
_MUTED = f"color:{theme.MUTED}"
_NUMBER = re.compile(r"[-−+<>≤≥±~]?\s?[\d.,]+(e[-+]?\d+)?( ?(%|ms|s|MB|img/s))?|[–-]|")
_SHORT = 20  # characters of a cell that is not broken: a time, a name
_WIDEST = 72  # characters of a cell in a terminal


@dataclass(frozen=True)
class Listing:
    """What a magic found, to be shown.

    Attributes
    ----------
    title : str
        What it is about.
    result : object
        What was found, for code that goes on with it.
    where : str
        In words, where it was recorded.
    passed : bool, optional
        Puts ✓ or ✗ before the title.
    columns, rows : tuple of str, tuple of tuples of str
        The table; a cell that is ✓ or ✗ is coloured.
    notes : tuple of str
        Lines under it.
    pictures : mapping of str to bytes
        PNGs by name.
    """

    title: str
    result: Any = None
    where: str = ""
    passed: bool | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def _mark(self) -> str:
        return "" if self.passed is None else f"{MARKS[self.passed]} "

    def __repr__(self) -> str:
        lines = [f"{self._mark}{plain(self.title)} {plain(self.where)}".strip()]
        rows = [[shorten(cell, _WIDEST) for cell in row] for row in (self.columns, *self.rows)]
        if self.rows:
            shown = [row for row in rows if any(row)]
            widths = [max(len(row[at]) for row in shown) for at in range(len(rows[-1]))]
            right = [self._is_number(at) for at in range(len(widths))]
            for row in shown:
                cells = [
                    cell.rjust(width) if to_right else cell.ljust(width)
                    for cell, width, to_right in zip(row, widths, right, strict=True)
                ]
                lines.append(f"  {'  '.join(cells)}".rstrip())
        lines += [f"  {plain(note)}" for note in self.notes]
        return "\n".join(lines)

    def _is_number(self, column: int) -> bool:
        cells = [row[column] for row in self.rows]
        return any(cells) and all(_NUMBER.fullmatch(cell.strip()) for cell in cells)

    def _repr_html_(self) -> str:
        colour = _COLOURS.get(self._mark.strip(), "")
        mark = f'<span style="{colour}">{self._mark}</span>' if self._mark else ""
        head = (
            f"<div><b>{mark}{html_text(self.title)}</b> "
            f'<span style="{_MUTED}">{html_text(self.where)}</span></div>'
        )
        notes = "".join(f'<div style="{_MUTED}">{html_text(note)}</div>' for note in self.notes)
        pictures = charts_html(self.pictures, "100%")
        return f'<div class="cvtrack-listing">{head}{self._table()}{notes}{pictures}</div>'

    def _table(self) -> str:
        if not self.rows:
            return ""
        sides = [
            "text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap"
            if self._is_number(at)
            else "text-align:left; " + _wrapping(row[at] for row in self.rows)
            for at in range(len(self.rows[0]))
        ]
        pad = "padding:2px 14px 2px 0; vertical-align:top"
        head = "".join(
            f'<th style="{side}; {pad}">{html_text(name)}</th>'
            for name, side in zip(self.columns, sides, strict=False)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="{side}; {pad}; {_COLOURS.get(cell, "")}">{html_text(cell)}</td>'
                for cell, side in zip(row, sides, strict=True)
            )
            + "</tr>"
            for row in self.rows
        )
        top = f"<tr>{head}</tr>" if head else ""
        return f'<div style="overflow-x:auto"><table>{top}{body}</table></div>'

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _wrapping(cells: Iterable[str]) -> str:
    """Return how a column breaks: short texts, such as times and names, do not."""
    longest = max((len(cell) for cell in cells), default=0)
    return "white-space:nowrap" if longest <= _SHORT else "overflow-wrap:break-word"
