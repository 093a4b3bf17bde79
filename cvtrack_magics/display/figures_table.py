"""A table of figures as HTML: a name first, then numbers below each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cvtrack_magics.display import theme
from cvtrack_magics.display.text import html_text, shorten

WIDE = 48
"""Characters of a row's name that are shown."""
NUMBER = "padding:1px 12px 1px 0; text-align:right; font-variant-numeric:tabular-nums"
NAME = "padding:1px 16px 1px 0; text-align:left; overflow-wrap:anywhere"
_KEPT_WHOLE = (
    "padding:1px 12px 1px 0; text-align:right; white-space:nowrap; "
    "font-variant-numeric:tabular-nums"
)
_NOT_NARROW = "padding:1px 16px 1px 0; text-align:left; min-width:7em"


def figures_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], rest: str = "", *, scrolls: bool = False
) -> str:
    """Return a table with a line under it.

    Parameters
    ----------
    head : sequence of str
        What the rows are, then the names of their figures.
    rows : iterable of sequence of str
        A name, then its figures.
    rest : str
        Says what is left out.
    scrolls : bool
        Whether a table that is wider than the page scrolls, and breaks no line.
    """
    name, number = (_NOT_NARROW, _KEPT_WHOLE) if scrolls else (NAME, NUMBER)
    first, *others = head
    top = f'<th style="{name}">{html_text(first)}</th>'
    top += "".join(f'<th style="{number}">{html_text(one)}</th>' for one in others)
    body = "".join(
        f'<tr><td style="{name}">{html_text(shorten(called, WIDE))}</td>'
        + "".join(f'<td style="{number}">{html_text(cell)}</td>' for cell in cells)
        + "</tr>"
        for called, *cells in rows
    )
    under = f'<div style="color:{theme.MUTED}">{html_text(rest)}</div>' if rest else ""
    box = ' style="overflow-x:auto; max-width:100%"' if scrolls else ""
    return f"<div{box}><table><tr>{top}</tr>{body}</table>{under}</div>"
