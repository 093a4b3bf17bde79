"""The table of the runs that were nested in one: which they were, how they ended, who is best."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from cvtrack_magics.display import theme
from cvtrack_magics.display.groups import direction_of, role_of
from cvtrack_magics.display.text import (
    aligned,
    duration,
    html_text,
    number,
    numbers,
    plain,
    shorten,
)
from cvtrack_magics.records import RunSummary

SIGNS = {"FINISHED": "✓", "FAILED": "✗", "KILLED": "■", "RUNNING": "●"}
LEAST = 2
"""Runs from which on there is a table."""
_ROWS = 30
_COLUMNS = 4
PREFERRED = ("val", "test", "", "train")

_MUTED = f"color:{theme.MUTED}"
_CELL = "padding:1px 12px 1px 0; border:0; background:transparent; white-space:nowrap"
TABLE = (
    "margin:4px 0; border-collapse:collapse; font-size:inherit; font-variant-numeric:tabular-nums"
)


def columns_of(children: Sequence[RunSummary]) -> list[str]:
    """Return the metrics worth a column: those of most runs, validation first."""
    counted = Counter(name for child in children for name in child.metrics)
    order = {name: at for at, name in enumerate(counted)}

    def rank(name: str) -> tuple[int, int, bool, int]:
        return (
            -counted[name],
            PREFERRED.index(role_of(name)),
            not direction_of(name),
            order[name],
        )

    return sorted(counted, key=rank)[:_COLUMNS]


def best_rows(children: Sequence[RunSummary], metric: str) -> set[int]:
    """Return the places of the runs whose last value of a metric is the best."""
    values = {
        at: child.metrics[metric] for at, child in enumerate(children) if metric in child.metrics
    }
    return best_of(values, metric)


def best_of(values: Mapping[int, float], metric: str) -> set[int]:
    """Return the places of the best among a metric's values."""
    direction = direction_of(metric)
    known = {at: value for at, value in values.items() if not math.isnan(value)}
    if not direction or len(set(known.values())) < 2:
        return set()
    best = (min if direction == "min" else max)(known.values())
    return {at for at, value in known.items() if value == best}


def children_html(children: Sequence[RunSummary], digits: int = 4) -> str:
    """Return the table as HTML that needs no style sheet; the best values are bold.

    Parameters
    ----------
    children : sequence of RunSummary
        In the order in which they ended.
    digits : int
        Significant digits of a metric.
    """
    if len(children) < LEAST:
        return ""
    columns = columns_of(children)
    best = {name: best_rows(children, name) for name in columns}
    head = _row("th", ["child run", *(html_text(shorten(name, 24)) for name in columns), ""])
    values = _values(children, columns, digits)
    rows = [
        _row(
            "td",
            [
                _name(child),
                *(_value(values[name][at], at in best[name]) for name in columns),
                f'<span style="{_MUTED}">in {html_text(duration(child.duration))}</span>',
            ],
        )
        for at, child in enumerate(children[:_ROWS])
    ]
    hidden = len(children) - _ROWS
    more = f'<div style="{_MUTED}">and {hidden} more child runs</div>' if hidden > 0 else ""
    table = f'<table style="{TABLE}">{head}{"".join(rows)}</table>'
    return f'<div style="overflow-x:auto">{table}</div>{more}'


def children_text(children: Sequence[RunSummary], digits: int = 4) -> list[str]:
    """Return the table as aligned lines; ``*`` marks the best values."""
    if len(children) < LEAST:
        return []
    columns = columns_of(children)
    best = {name: best_rows(children, name) for name in columns}
    table = [["child run", *(shorten(name, 24) for name in columns), ""]]
    values = _values(children, columns, digits)
    for at, child in enumerate(children[:_ROWS]):
        marked = [values[name][at] + "*" * (at in best[name]) for name in columns]
        sign = SIGNS[child.status]
        took = f"in {duration(child.duration)}"
        table.append([f"{sign} {shorten(child.name, 32)}", *marked, took])
    lines = aligned(table)
    hidden = len(children) - _ROWS
    return lines + [f"and {hidden} more child runs"] * (hidden > 0)


def line_bundle(child: RunSummary, digits: int = 4) -> dict[str, str]:
    """Return the one line that a child run has where there are many; no notice is cut."""
    words = [f"{SIGNS[child.status]} {child.status} {shorten(child.name, 60)}"]
    words[0] += f" {plain(child.known_as)} in {duration(child.duration)}"
    words += [
        f"{shorten(name, 40)} {number(child.metrics[name], digits)}" for name in columns_of([child])
    ]
    lines = [" · ".join(words)]
    if child.error and not child.error.startswith("KeyboardInterrupt"):
        lines.append(f"  error   {shorten(child.error, 120)}")
    lines += [f"  notice  {plain(notice)}" for notice in child.notices]
    sign, _, rest = lines[0].partition(" ")
    colored = f'<span style="color:{theme.STATUS[child.status]}">{sign}</span> {html_text(rest)}'
    html = "<br>".join([colored, *(html_text(line) for line in lines[1:])])
    return {
        "text/plain": "\n".join(lines),
        "text/html": f'<div style="overflow-wrap:anywhere">{html}</div>',
    }


def _row(tag: str, cells: Sequence[str]) -> str:
    aligned = ["left", *["right"] * (len(cells) - 1)]
    return (
        "<tr>"
        + "".join(
            f'<{tag} style="{_CELL}; text-align:{side}">{cell}</{tag}>'
            for side, cell in zip(aligned, cells, strict=True)
        )
        + "</tr>"
    )


def _name(child: RunSummary) -> str:
    name = html_text(shorten(child.name, 40))
    if child.url.lower().startswith(("http://", "https://")):
        url = escape(child.url, quote=True)
        name = f'<a href="{url}" target="_blank" rel="noopener noreferrer">{name}</a>'
    title = html_text(f"{child.status} {shorten(child.error, 200)}")
    sign = f'<span style="color:{theme.STATUS[child.status]}">{SIGNS[child.status]}</span>'
    wrapped = "white-space:normal; overflow-wrap:anywhere"
    return f'<span title="{title}" style="{wrapped}">{sign} {name}</span>'


def _values(
    children: Sequence[RunSummary], columns: Sequence[str], digits: int
) -> dict[str, list[str]]:
    """Return what the rows that are shown say in each column."""
    shown = children[:_ROWS]
    return {name: numbers([c.metrics.get(name) for c in shown], digits) for name in columns}


def _value(shown: str, best: bool) -> str:
    text = html_text(shown)
    return f"<strong>{text}</strong>" if best else text
