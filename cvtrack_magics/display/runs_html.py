"""The table of runs as HTML: whole as it is, and sorted, filtered and ticked where scripts run."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from cvtrack_magics.display import theme
from cvtrack_magics.display.children import SIGNS, TABLE
from cvtrack_magics.display.page import inline_script
from cvtrack_magics.display.runs_table import WIDE, Cell, Column, RunLine, RunsTable
from cvtrack_magics.display.text import html_text, shorten

_BUNDLE = Path(__file__).parent / "static" / "runs.js"
_TYPED = re.compile(r"[A-Za-z0-9_][\w./:+\-]*")
_MUTED = f"color:{theme.MUTED}"
_PAD = "padding:2px 14px 2px 0; border:0; background:transparent; white-space:nowrap"
_LEFT, _RIGHT = f"{_PAD}; text-align:left", f"{_PAD}; text-align:right"


def runs_html(table: RunsTable) -> str:
    """Return a table of runs as HTML that needs no script and no style sheet.

    Parameters
    ----------
    table : RunsTable
        What is shown.

    Returns
    -------
    str
        With a small script behind it: heads sort, words filter, and ticked runs give the line
        that compares them. It needs neither a kernel nor a network.
    """
    columns, typed = table.columns, _typed(table)
    top = "".join(map(_head, columns))
    body = "".join(
        f"<tr{typed[at]}>{_first(table, at, cells[0])}"
        + "".join(_cell(at, *pair) for pair in zip(cells[1:], columns[1:], strict=True))
        + "</tr>"
        for at, cells in enumerate(table.cells())
    )
    made = f'<table style="{TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
    shown = f'<div class="cvr-box" style="overflow-x:auto">{made}</div>' if body else ""
    notes = "".join(f'<div style="{_MUTED}">{html_text(note)}</div>' for note in table.said)
    title = f"<b>{html_text(table.title)}</b>"
    head = f'{title} <span style="{_MUTED}">{html_text(table.place)}</span>'
    script = f"<script>{inline_script(_BUNDLE)}</script>" if body else ""
    return f'<div class="cvtrack-runs"><div>{head}</div>{shown}{notes}</div>{script}'


def _typed(table: RunsTable) -> list[str]:
    """Return for each row the attribute that says what a magic calls its run."""
    if table.groups:
        return [""] * len(table.groups)
    known = Counter(line.name for line in table.lines)
    return [f' data-run="{html_text(_called(line, known))}"' for line in table.seen]


def _called(line: RunLine, known: Counter[str]) -> str:
    plain = known[line.name] == 1 and _TYPED.fullmatch(line.name)
    return line.name if plain else line.run_id


def _head(column: Column) -> str:
    style = _RIGHT if column.kind in ("metric", "count") else _LEFT
    best = f' data-best="{column.best}"' if column.best else ""
    name = html_text(column.name)
    return f'<th style="{style}" title="{name}"{best}>{html_text(shorten(column.name, WIDE))}</th>'


def _first(table: RunsTable, at: int, cell: Cell) -> str:
    held = html_text(cell.holds)
    if table.groups:
        return f'<td style="{_LEFT}" data-v="{held}">{html_text(shorten(cell.shown, WIDE))}</td>'
    line = table.lines[at]
    sign = f'<span style="color:{theme.STATUS[line.status]}">{SIGNS[line.status]}</span>'
    said = f"{line.status} · {html_text(line.name)} · {html_text(line.run_id)}"
    name = f'<span title="{said}">{sign} {html_text(shorten(line.name, WIDE))}</span>'
    pad = f"padding-left:{16 * table.depth(at)}px"
    return (
        f'<td style="{_LEFT}" data-v="{held}">'
        f'<span class="cvr-indent" style="{pad}">{name}</span></td>'
    )


def _cell(at: int, cell: Cell, column: Column) -> str:
    shown = html_text(shorten(cell.shown, WIDE))
    if at in column.best_rows:
        shown = f'<b title="the best of its column">{shown}</b>'
    style = _RIGHT if column.kind in ("metric", "count") else _LEFT
    title = f' title="{html_text(cell.holds)}"' if column.kind in ("metric", "param") else ""
    return f'<td style="{style}" data-v="{html_text(cell.holds)}"{title}>{shown}</td>'
