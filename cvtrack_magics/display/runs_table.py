"""The table of an experiment's runs: under a cell, and as lines in a terminal."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, Literal

from cvtrack_magics.display.children import PREFERRED, SIGNS, best_of
from cvtrack_magics.display.groups import direction_of, role_of
from cvtrack_magics.display.text import ago, aligned, duration, number, numbers, plain, shorten
from cvtrack_magics.records import Status

PARAMS, METRICS = 6, 6  # columns of each, where not all are asked for
ROWS = 500
"""Rows that are shown at most."""
WIDE = 28
"""Characters of a name or value that are shown."""
_LONG_NUMBER = 9  # characters from which on a param is rounded where it is shown


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


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows, and what it holds: the whole text, or the number that it is sorted by."""

    shown: str
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column.

    Attributes
    ----------
    name : str
        The param's or the metric's.
    kind : str
        ``metric`` and ``count`` hold numbers.
    best : str
        ``min``, ``max`` or, where it is not known, empty.
    best_rows : set of int
        The rows with the best value.
    """

    name: str
    kind: Literal["", "count", "metric", "param"] = ""
    best: str = ""
    best_rows: Set[int] = frozenset()


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
    sort : str
        What the rows are sorted by; empty for the newest first, nested ones below their parents.
    headlines : set of str
        The metrics that stand for their task.
    every_column : bool
        Whether all params and metrics have a column.
    notes : tuple of str
        Lines under it.
    digits : int
        Significant digits of a metric.
    is_remembered : bool
        Whether it is what the store had the last time.
    is_dated : bool
        Whether it says when a run began and not how long ago, for it is read later.
    again : callable, optional
        Returns the same table as it is now.
    """

    title: str
    place: str
    runs: tuple[Any, ...]
    lines: tuple[RunLine, ...]
    by: str = ""
    sort: str = ""
    groups: tuple[Group, ...] = ()
    headlines: Set[str] = frozenset()
    every_column: bool = False
    notes: tuple[str, ...] = ()
    digits: int = 4
    is_remembered: bool = False
    is_dated: bool = False
    again: Callable[[], RunsTable] | None = field(default=None, repr=False, compare=False)

    @property
    def seen(self) -> tuple[RunLine, ...]:
        """The rows that are shown; a page of ten thousand would be 40 MB."""
        return self.lines[:ROWS]

    @cached_property
    def params(self) -> list[str]:
        """The params that have a column: those in which the runs differ."""
        names = list(dict.fromkeys(name for line in self.lines for name in line.params))
        if self.every_column:
            return names
        differ = [name for name in names if len({line.params.get(name) for line in self.lines}) > 1]

        def rank(name: str) -> tuple[bool, int]:
            return name != self.sort, -self._count("params", name)

        return sorted(differ, key=rank)[:PARAMS]

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics that have a column: those of most runs, a task's headline first."""
        names = list(dict.fromkeys(name for line in self.lines for name in line.metrics))
        if self.every_column:
            return names

        def rank(name: str) -> tuple[bool, int, bool, int, int, bool]:
            role = PREFERRED.index(role_of(name))
            return (
                name != self.sort,
                -self._count("metrics", name),
                name not in self.headlines,
                name.count("/"),  # those of a class come last
                role,
                not direction_of(name),
            )

        return sorted(names, key=rank)[:METRICS]

    def _count(self, what: str, name: str) -> int:
        return self._counts[what][name]

    @cached_property
    def _counts(self) -> dict[str, Counter[str]]:
        return {
            "params": Counter(chain.from_iterable(line.params for line in self.lines)),
            "metrics": Counter(chain.from_iterable(line.metrics for line in self.lines)),
        }

    # -- cells

    def cells(self) -> list[list[Cell]]:
        """Return the rows: what it is first, then its metrics, then its params."""
        if self.groups:
            return [
                [
                    Cell(one.value),
                    Cell(str(one.runs)),
                    *(self._mean(one, name) for name in self.metrics),
                ]
                for one in self.groups
            ]
        now, params = time.time(), self.params
        return [
            [
                Cell(f"{SIGNS[line.status]} {line.name}", line.name),
                Cell(self._when(line.started, now), repr(line.started)),
                Cell(*_took(line)),
                *row,
                *(_param(line.params.get(name, ""), self.digits) for name in params),
            ]
            for line, row in zip(self.seen, self._metric_cells(), strict=True)
        ]

    def _when(self, started: float, now: float) -> str:
        if not self.is_dated:
            return ago(now - started)
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(started))

    @cached_property
    def columns(self) -> list[Column]:
        """The heads of what `cells` returns."""
        metrics = [
            Column(name, "metric", direction_of(name), best)
            for name, best in zip(self.metrics, self._best(), strict=True)
        ]
        if self.groups:
            return [Column(self.by), Column("runs", "count"), *metrics]
        first = [Column("run"), Column("started", best="max"), Column("took", "count")]
        return [*first, *metrics, *(Column(name, "param") for name in self.params)]

    def _metric_cells(self) -> list[list[Cell]]:
        columns = [[line.metrics.get(name) for line in self.seen] for name in self.metrics]
        shown = [numbers(values, self.digits) for values in columns]
        return [
            [
                Cell(text[at], "" if values[at] is None else json.dumps(values[at]))
                for values, text in zip(columns, shown, strict=True)
            ]
            for at in range(len(self.seen))
        ]

    def _mean(self, group: Group, name: str) -> Cell:
        if name not in group.metrics:
            return Cell("")
        mean, half, count = group.metrics[name]
        said = number(mean, self.digits)
        if math.isfinite(half):
            said += f" ± {number(half, 2)}"
        return Cell(said if count == group.runs else f"{said} (n = {count})", json.dumps(mean))

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
        from cvtrack_magics.display.runs_json import runs_json

        return runs_json(self)

    def __repr__(self) -> str:
        columns = self.columns
        table = [[shorten(column.name, WIDE) for column in columns]]
        for at, cells in enumerate(self.cells()):
            marked = [
                f"{cell.shown}*" if at in column.best_rows else shorten(cell.shown, WIDE)
                for cell, column in zip(cells, columns, strict=True)
            ]
            marked[0] = "  " * self.depth(at) + marked[0]
            table.append(marked)
        lines = [f"{plain(self.title)} · {plain(self.place)}"]
        if len(table) > 1:
            lines += [f"  {line}" for line in aligned(table)]
        if any(column.best_rows for column in columns):
            lines.append("  * the best of its column")
        return "\n".join([*lines, *(f"  {plain(note)}" for note in self.said)])

    @property
    def said(self) -> tuple[str, ...]:
        """The lines under it."""
        hidden = 0 if self.groups else len(self.lines) - len(self.seen)
        if not hidden:
            return self.notes
        more = f"{hidden:,} more rows are not shown: a filter, --by or --sort brings others here."
        return (*self.notes, more)

    def depth(self, at: int) -> int:
        """Return how deep the run of a row is nested; where they are sorted, none is."""
        return 0 if self.groups or self.sort else self.lines[at].depth

    def _repr_html_(self) -> str:
        from cvtrack_magics.display.runs_html import runs_html

        return runs_html(self)

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _took(line: RunLine) -> tuple[str, str]:
    return (duration(line.duration), repr(line.duration)) if line.status != "RUNNING" else ("", "")


def _param(value: str, digits: int) -> Cell:
    """Return a param; a number that a search drew, of seventeen digits, is shown as a metric is."""
    if len(value) <= _LONG_NUMBER:
        return Cell(value, value)
    try:
        return Cell(number(float(value), digits), value)
    except ValueError:
        return Cell(value, value)
