"""Tables that read well in a notebook and in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from cvtrack_magics.console import ours
from cvtrack_magics.display.text import aligned
from cvtrack_magics.text import visible


class Table:
    """Rows with a header; ``_repr_html_`` and ``__repr__`` show the same cells.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    rows : iterable of sequences of str
        The cells.
    title : str
        A line above the table.
    """

    def __init__(
        self, header: Sequence[str], rows: Iterable[Sequence[object]], title: str = ""
    ) -> None:
        self.header = tuple(header)
        self.rows = [tuple(visible(str(cell)) for cell in row) for row in rows]
        self.title = visible(title)

    def __repr__(self) -> str:
        lines = aligned([self.header, *self.rows])
        return "\n".join([self.title, *lines] if self.title else lines)

    def _repr_html_(self) -> str:
        left = "text-align:left;vertical-align:top"
        head = "".join(f'<th style="{left}">{escape(cell)}</th>' for cell in self.header)
        # the first column holds names, which read badly when broken
        wraps = [";white-space:nowrap", *[";overflow-wrap:break-word"] * (len(self.header) - 1)]
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="{left}{wrap}">{escape(cell)}</td>'
                for cell, wrap in zip(row, wraps, strict=True)
            )
            + "</tr>"
            for row in self.rows
        )
        title = f"<div><b>{escape(self.title)}</b></div>" if self.title else ""
        return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def show(value: Any) -> None:
    """Display a value; IPython's display machinery is imported only here, when needed."""
    from IPython.display import display

    with ours():
        display(value)
