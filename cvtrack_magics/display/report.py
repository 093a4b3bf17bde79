"""What an evaluation found, as a table and pictures under a cell, and as lines in a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.artifacts.slices import Slice
from cvtrack_magics.display import theme
from cvtrack_magics.display.chart_img import charts_html
from cvtrack_magics.display.figures_table import NAME, NUMBER, figures_table
from cvtrack_magics.display.groups import direction_of
from cvtrack_magics.display.slices_table import slices_html, slices_text
from cvtrack_magics.display.text import aligned, html_text, number, numbers, plain, shorten
from cvtrack_magics.vision.evaluation import LOST, Evaluation

CLASSES = 12
"""Rows of classes that are shown; all are recorded."""

_MUTED = f"color:{theme.MUTED}"


@dataclass(frozen=True, slots=True)
class Report:
    """An evaluation, and where it was recorded.

    Attributes
    ----------
    evaluation : Evaluation
        What was found.
    figures : mapping of str to bytes
        PNGs by name.
    where : str
        In words.
    beside : mapping of str to float
        The figures of MLflow's own evaluation, where that was asked for.
    digits : int
        Significant digits.
    slices : tuple of Slice
        Parts of the samples, where they were asked for.
    """

    evaluation: Evaluation
    figures: Mapping[str, bytes]
    where: str
    beside: Mapping[str, float] = field(default_factory=dict)
    digits: int = 4
    slices: tuple[Slice, ...] = ()

    @property
    def metrics(self) -> Mapping[str, float]:
        """The figures by name, as in the documented scheme."""
        return self.evaluation.metrics

    def _overall(self) -> list[tuple[str, str]]:
        found, interval = self.evaluation, self.evaluation.interval
        rows = []
        for name, value in found.metrics.items():
            if "/" in name:
                continue
            text = number(value, self.digits)
            if interval is not None and interval.metric == name and math.isfinite(interval.low):
                low, high = number(interval.low, self.digits), number(interval.high, self.digits)
                text += f"  [{low}, {high}] {interval.level:.0%}"
            rows.append((name, text))
        return rows

    def _classes(self) -> tuple[list[str], list[list[str]], int]:
        """Return columns and rows of the classes, the worst first, and how many are left out."""
        found = self.evaluation
        names = [name for name in found.per_class if name != "support"][:3]
        if not names:
            return [], [], 0
        key = found.per_class[names[0]]
        order = sorted(range(len(found.classes)), key=lambda k: (math.isnan(key[k]), float(key[k])))
        columns = [*names, *(["support"] if "support" in found.per_class else [])]
        first = order[:CLASSES]
        cells = [
            numbers([float(found.per_class[column][k]) for k in first], self.digits)
            for column in columns
        ]
        rows = [[found.classes[k], *row] for k, *row in zip(first, *cells, strict=True)]
        return columns, rows, max(0, len(order) - CLASSES)

    def _lost(self) -> list[list[str]]:
        """Return what AP50 is lost to, in words, and how much."""
        lost = self.evaluation.lost
        shown = numbers(list(lost.values()), self.digits)
        return [[LOST.get(name, name), text] for name, text in zip(lost, shown, strict=True)]

    def __repr__(self) -> str:
        rows = self._overall()
        width = max((len(name) for name, _ in rows), default=0)
        lines = [f"{self.evaluation.task}: {self._count()} samples. {self.where}".strip()]
        lines += [f"  {name.ljust(width)}  {value}" for name, value in rows]
        columns, classes, more = self._classes()
        if classes:
            head = ["class", *columns]
            cells = [[shorten(row[0], 32), *row[1:]] for row in classes]
            lines += [f"  {line}" for line in aligned([head, *cells])]
        if more:
            lines.append(f"  and {more} more classes")
        if lost := self._lost():
            lines.append("  AP50 lost to (TIDE)")
            lines += [f"  {line}" for line in aligned([[f"  {name}", text] for name, text in lost])]
        falls = direction_of(self.evaluation.headline) == "min"
        lines += slices_text(self.slices, self.evaluation.headline, self.digits, falls=falls)
        if self.beside:
            lines.append("MLflow's own evaluation:")
            lines += [f"  {plain(k)}  {number(v, self.digits)}" for k, v in self.beside.items()]
        lines += [f"  {plain(note)}" for note in self.evaluation.notes]
        return "\n".join(lines)

    def _count(self) -> str:
        ids = self.evaluation.samples.get("id")
        return f"{len(ids):,}" if ids is not None else "some"

    def _repr_html_(self) -> str:
        overall = "".join(
            f'<tr><td style="{NAME}">{html_text(name)}</td>'
            f'<td style="{NUMBER}; text-align:left">{html_text(value)}</td></tr>'
            for name, value in self._overall()
        )
        tables = [f"<table>{overall}</table>"]
        columns, rows, more = self._classes()
        if rows:
            rest = f"and {more} more classes" if more else ""
            tables.append(figures_table(["class", *columns], rows, rest))
        if lost := self._lost():
            tables.append(figures_table(["AP50 lost to", "TIDE"], lost, ""))
        falls = direction_of(self.evaluation.headline) == "min"
        tables += slices_html(self.slices, self.evaluation.headline, self.digits, falls=falls)
        if self.beside:
            body = "".join(
                f'<tr><td style="{NAME}">{html_text(name)}</td>'
                f'<td style="{NUMBER}">{number(value, self.digits)}</td></tr>'
                for name, value in self.beside.items()
            )
            tables.append(f"<div><b>MLflow's own evaluation</b><table>{body}</table></div>")
        pictures = charts_html(self.figures, "min(100%, 460px)")
        notes = "".join(
            f'<div style="{_MUTED}">{html_text(note)}</div>' for note in self.evaluation.notes
        )
        flex = "display:flex; flex-wrap:wrap; gap:8px 32px; align-items:flex-start"
        title = html_text(f"{self.evaluation.task}: {self._count()} samples")
        return (
            f'<div class="cvtrack-report"><div><b>{title}</b> '
            f'<span style="{_MUTED}">{html_text(self.where)}</span></div>'
            f'<div style="{flex}">{"".join(tables)}</div>{notes}'
            f'<div style="{flex}; margin-top:8px">{pictures}</div></div>'
        )

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
