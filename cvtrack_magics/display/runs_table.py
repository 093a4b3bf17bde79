"""The table of an experiment's runs: under a cell, and as lines in a terminal."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.display import theme
from cvtrack_magics.display.children import COLORS, PREFERRED, SIGNS, TABLE, best_of
from cvtrack_magics.display.groups import direction_of, role_of
from cvtrack_magics.display.text import duration, html_text, number, plain, shorten
from cvtrack_magics.records import Status

PARAMS, METRICS = 6, 6  # columns of each, where not all are asked for
_WIDE = 28  # characters of a name or value that is shown
_MUTED = f"color:{theme.MUTED}"
_PAD = "padding:2px 14px 2px 0; border:0; background:transparent; white-space:nowrap"
_LEFT, _RIGHT = f"{_PAD}; text-align:left", f"{_PAD}; text-align:right"


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run of the table; ``started`` is in Unix seconds, ``duration`` in seconds."""

    name: str
    run_id: str
    depth: int
    status: Status
    started: float
    duration: float
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of one value of a param: of each metric mean, half of its interval, and how many."""

    value: str
    runs: int
    metrics: Mapping[str, tuple[float, float, int]]


@dataclass(frozen=True)
class RunsTable:
    """The runs of an experiment; shows itself.

    Attributes
    ----------
    title, place : str
        What it shows, and of which store.
    runs : tuple
        What the store has of each run, the newest first.
    lines : tuple of RunLine
        The rows.
    by : str
        The param that ``groups`` are made by; empty for one row a run.
    every_column : bool
        Whether all params and metrics have a column.
    notes : tuple of str
        Lines under it.
    digits : int
        Significant digits of a metric.
    """

    title: str
    place: str
    runs: tuple[Any, ...]
    lines: tuple[RunLine, ...]
    by: str = ""
    groups: tuple[Group, ...] = ()
    every_column: bool = False
    notes: tuple[str, ...] = ()
    digits: int = 4

    @property
    def params(self) -> list[str]:
        """The params that have a column: those in which the runs differ."""
        names = list(dict.fromkeys(name for line in self.lines for name in line.params))
        if self.every_column:
            return names
        differ = [name for name in names if len({line.params.get(name) for line in self.lines}) > 1]
        return sorted(differ, key=lambda name: -self._count("params", name))[:PARAMS]

    @property
    def metrics(self) -> list[str]:
        """The metrics that have a column: those of most runs, validation first."""
        names = list(dict.fromkeys(name for line in self.lines for name in line.metrics))
        if self.every_column:
            return names

        def rank(name: str) -> tuple[int, int, bool]:
            role = PREFERRED.index(role_of(name))
            return -self._count("metrics", name), role, not direction_of(name)

        return sorted(names, key=rank)[:METRICS]

    def _count(self, what: str, name: str) -> int:
        return sum(name in getattr(line, what) for line in self.lines)

    # -- cells

    def _columns(self) -> tuple[list[str], list[str]]:
        """Return the heads of the columns at the left, and of the metrics."""
        if self.groups:
            return [self.by, "runs"], self.metrics
        return ["run", "started", "took", *self.params], self.metrics

    def _left(self) -> list[list[str]]:
        if self.groups:
            return [[one.value, str(one.runs)] for one in self.groups]
        now, params = time.time(), self.params
        return [
            [
                f"{SIGNS[line.status]} {line.name}",
                ago(now - line.started),
                duration(line.duration) if line.status != "RUNNING" else "",
                *(line.params.get(name, "") for name in params),
            ]
            for line in self.lines
        ]

    def _values(self) -> list[list[str]]:
        metrics = self.metrics
        if self.groups:
            return [[self._mean(one, name) for name in metrics] for one in self.groups]
        return [
            [
                number(line.metrics[name], self.digits) if name in line.metrics else ""
                for name in metrics
            ]
            for line in self.lines
        ]

    def _mean(self, group: Group, name: str) -> str:
        if name not in group.metrics:
            return ""
        mean, half, count = group.metrics[name]
        said = number(mean, self.digits)
        if math.isfinite(half):
            said += f" ± {number(half, 2)}"
        return said if count == group.runs else f"{said} (n = {count})"

    def _best(self) -> list[set[int]]:
        """Return the rows with the best value of each metric."""
        found = []
        for name in self.metrics:
            if self.groups:
                values = {
                    at: one.metrics[name][0]
                    for at, one in enumerate(self.groups)
                    if name in one.metrics
                }
            else:
                values = {
                    at: one.metrics[name]
                    for at, one in enumerate(self.lines)
                    if name in one.metrics
                }
            found.append(best_of(values, name))
        return found

    # -- shown

    def to_json(self) -> str:
        """Return the runs as JSON, and of groups their means; what is not finite is text."""
        runs = [
            {"run_id": line.run_id, "depth": line.depth, **_line_json(line)} for line in self.lines
        ]
        groups = [
            {
                "value": group.value,
                "runs": group.runs,
                "metrics": {
                    name: {"mean": _json(mean), "half_width": _json(half), "runs": count}
                    for name, (mean, half, count) in group.metrics.items()
                },
            }
            for group in self.groups
        ]
        whole = {"format": 1, "title": self.title, "by": self.by, "runs": runs, "groups": groups}
        return json.dumps(whole, indent=1, allow_nan=False)

    def __repr__(self) -> str:
        heads, metrics = self._columns()
        best = self._best()
        table = [[*(shorten(head, _WIDE) for head in heads), *(shorten(m, _WIDE) for m in metrics)]]
        rows = zip(self._left(), self._values(), strict=True)
        for at, (left, values) in enumerate(rows):
            first = "  " * (0 if self.groups else self.lines[at].depth) + shorten(left[0], _WIDE)
            marked = [
                f"{value}*" if at in some else value
                for value, some in zip(values, best, strict=True)
            ]
            table.append([first, *(shorten(cell, _WIDE) for cell in left[1:]), *marked])
        lines = [f"{plain(self.title)} · {plain(self.place)}"]
        if len(table) > 1:
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            lines += [
                "  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
                for row in table
            ]
        if any(best):
            lines.append("  * the best of its column")
        return "\n".join([*lines, *(f"  {plain(note)}" for note in self.notes)])

    def _repr_html_(self) -> str:
        heads, metrics = self._columns()
        best = self._best()
        top = "".join(f'<th style="{_LEFT}">{html_text(shorten(h, _WIDE))}</th>' for h in heads)
        top += "".join(
            f'<th style="{_RIGHT}" title="{html_text(m)}">{html_text(shorten(m, _WIDE))}</th>'
            for m in metrics
        )
        body = "".join(
            f"<tr>{self._cells_left(at, left)}{_cells_right(at, values, best)}</tr>"
            for at, (left, values) in enumerate(zip(self._left(), self._values(), strict=True))
        )
        table = f'<table style="{TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
        shown = f'<div style="overflow-x:auto">{table}</div>' if body else ""
        notes = "".join(f'<div style="{_MUTED}">{html_text(note)}</div>' for note in self.notes)
        head = (
            f'<b>{html_text(self.title)}</b> <span style="{_MUTED}">{html_text(self.place)}</span>'
        )
        return f'<div class="cvtrack-runs"><div>{head}</div>{shown}{notes}</div>'

    def _cells_left(self, at: int, cells: Sequence[str]) -> str:
        first, *rest = cells
        if self.groups:
            name = html_text(shorten(first, _WIDE))
            indent = 0
        else:
            line = self.lines[at]
            sign = f'<span style="color:{COLORS[line.status]}">{SIGNS[line.status]}</span>'
            name = (
                f'<span title="{line.status} · {html_text(line.run_id)}">{sign} '
                f"{html_text(shorten(line.name, _WIDE))}</span>"
            )
            indent = 16 * line.depth
        found = f'<td style="{_LEFT}"><span style="padding-left:{indent}px">{name}</span></td>'
        return found + "".join(
            f'<td style="{_LEFT}" title="{html_text(cell)}">{html_text(shorten(cell, _WIDE))}</td>'
            for cell in rest
        )

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _line_json(line: RunLine) -> dict[str, object]:
    return {
        "name": line.name,
        "status": line.status,
        "started": line.started,
        "duration": line.duration,
        "params": dict(line.params),
        "metrics": {name: _json(value) for name, value in line.metrics.items()},
    }


def _json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _cells_right(at: int, values: Iterable[str], best: Sequence[set[int]]) -> str:
    return "".join(
        f'<td style="{_RIGHT}">'
        + (f'<b title="the best of its column">{html_text(v)}</b>' if at in some else html_text(v))
        + "</td>"
        for v, some in zip(values, best, strict=True)
    )


def ago(seconds: float) -> str:
    """Say how long ago something was.

    Examples
    --------
    >>> [ago(s) for s in (5, 130, 7300, 200000)]
    ['just now', '2 min ago', '2 h ago', '2 d ago']
    """
    if seconds < 60:
        return "just now"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {word} ago"
    return "just now"
