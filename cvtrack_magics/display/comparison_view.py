"""A comparison of runs: under a cell, as lines in a terminal, and as one page to send around."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from cvtrack_magics.comparison.result import Cause, Compared, MetricRow
from cvtrack_magics.comparison.sentences import in_words, labels_of, sentences
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display import theme
from cvtrack_magics.display.children import PREFERRED, TABLE
from cvtrack_magics.display.document import document
from cvtrack_magics.display.embed import curves_html
from cvtrack_magics.display.groups import direction_of, role_of
from cvtrack_magics.display.text import html_text, number, plain, shorten
from cvtrack_magics.text import visible

ROWS = 12
"""Rows of one cause, or of the metrics, that are shown; all are in the JSON."""
LINES = 300
"""Lines of a diff that are shown."""
_OPEN = 60  # lines of a diff that are shown unfolded
_WIDE = 48
_SIGNS = {"better": "▲", "worse": "▼", "undecided": "≈"}
_COLOR = {"better": theme.GOOD, "worse": theme.BAD, "undecided": theme.MUTED}
_MUTED = f"color:{theme.MUTED}"
_PAD = "padding:1px 14px 1px 0; border:0; background:transparent; vertical-align:top"
_LEFT = f"{_PAD}; text-align:left; overflow-wrap:anywhere"
_RIGHT = f"{_PAD}; text-align:right; white-space:nowrap"
_SECTION = "margin-top:10px"
_DIFF = (
    "margin:4px 0; padding:6px 8px; overflow-x:auto; max-height:420px; line-height:1.4; "
    f"border:1px solid {theme.LINE}; border-radius:4px; background:transparent; color:inherit; "
    "font-size:12px; font-family:var(--jp-code-font-family, monospace)"
)


@dataclass(frozen=True)
class Overlaid:
    """The curves of the runs in one picture.

    Attributes
    ----------
    picture : bytes or None
        A PNG for readers without scripts; None where there are no curves.
    base : mapping of str to Series
        The first run's curves by metric, drawn thick.
    others : mapping of str to mapping
        Those of the others, by what they are called.
    """

    picture: bytes | None = None
    base: Mapping[str, Series] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, Series]] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Why runs differ, and which is better; shows itself.

    Attributes
    ----------
    found : Compared
        What was found.
    place : str
        The store.
    curves : Overlaid
        Their curves.
    digits : int
        Significant digits of a metric.
    notes : tuple of str
        Lines under it.
    """

    found: Compared
    place: str = ""
    curves: Overlaid = field(default_factory=Overlaid)
    digits: int = 4
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """What each run is called, by its id."""
        return labels_of(self.found.runs)

    def to_json(self) -> str:
        """Return it as JSON."""
        return self.found.to_json()

    # -- lines

    def __repr__(self) -> str:
        labels = self.labels
        title = " · ".join(shorten(label, _WIDE) for label in labels.values())
        lines = [f"{title} · {plain(self.place)}".rstrip(" ·")]
        lines += [f"  {plain(said)}" for said in sentences(self.found)]
        lines += [
            f"  {_SIGNS[one.outcome]} {plain(in_words(one, labels))}" for one in self.found.verdicts
        ]
        lines += self._text_table("metrics", *self._metrics())
        for cause in self.found.causes:
            lines += self._text_table(cause.kind, *self._cause(cause))
            lines += [f"    {plain(note)}" for note in cause.notes]
            lines += [f"    {visible(line)}" for line in _cut(cause.diff)]
        return "\n".join([*lines, *(f"  {plain(note)}" for note in self.notes)])

    def _text_table(
        self, kind: str, heads: Sequence[str], rows: Sequence[Sequence[str]], more: int
    ) -> Iterator[str]:
        yield f"  {kind}"
        if rows:
            table = [[shorten(cell, _WIDE) for cell in row] for row in [heads, *rows]]
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            for row in table:
                cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                yield f"    {'  '.join(cells).rstrip()}"
        if more:
            yield f"    and {more:,} more"

    # -- cells

    def _metrics(self) -> tuple[list[str], list[list[str]], int]:
        heads = ["", *self.labels.values()]
        two = len(self.found.runs) == 2
        heads += ["difference"] if two else []
        order = sorted(self.found.metrics, key=lambda row: _rank(row.name))
        rows = [
            [
                row.name,
                *(number(v, self.digits) if v is not None else "" for v in row.values),
                *([self._difference(row)] if two else []),
            ]
            for row in order[:ROWS]
        ]
        return heads, rows, len(order) - len(rows)

    def _difference(self, row: MetricRow) -> str:
        one, other = row.values
        if one is None or other is None:
            return ""
        gap = other - one
        return ("+" if gap > 0 else "") + number(gap, 3)

    def _cause(self, cause: Cause) -> tuple[list[str], list[list[str]], int]:
        rows = [
            [row.name, *("" if value is None else value for value in row.values)]
            for row in cause.rows[:ROWS]
        ]
        return ["", *self.labels.values()], rows, len(cause.rows) - len(rows)

    # -- HTML

    def _repr_html_(self) -> str:
        labels = self.labels
        title = " · ".join(
            f'<b title="{html_text(run_id)}">{html_text(shorten(label, _WIDE))}</b>'
            for run_id, label in labels.items()
        )
        parts = [f'<div>{title} <span style="{_MUTED}">{html_text(self.place)}</span></div>']
        parts += [f"<div>{html_text(said)}</div>" for said in sentences(self.found)]
        parts += [
            f'<div><span style="color:{_COLOR[one.outcome]}"><b>{_SIGNS[one.outcome]}</b></span> '
            f"{html_text(in_words(one, labels))}</div>"
            for one in self.found.verdicts
        ]
        if self.found.metrics:
            parts.append(self._section("metrics", self._table(*self._metrics(), align=_RIGHT)))
        parts += [self._cause_html(cause) for cause in self.found.causes]
        if self.curves.picture:
            parts.append(self._section("curves", self._curves()))
        parts += [f'<div style="{_MUTED}">{html_text(note)}</div>' for note in self.notes]
        style = "max-width:1280px; line-height:1.5; overflow-wrap:anywhere"
        return f'<div class="cvtrack-comparison" style="{style}">{"".join(parts)}</div>'

    def _section(self, kind: str, inner: str) -> str:
        return f'<div style="{_SECTION}"><b>{html_text(kind)}</b>{inner}</div>'

    def _table(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        more: int,
        align: str = _LEFT,
    ) -> str:
        if not rows:
            return ""
        top = "".join(
            f'<th style="{_LEFT if not at else align}">{html_text(shorten(head, _WIDE))}</th>'
            for at, head in enumerate(heads)
        )
        body = "".join(
            "<tr>"
            + "".join(
                f'<td style="{_LEFT if not at else align}" title="{html_text(shorten(cell, 400))}">'
                f"{html_text(shorten(cell, _WIDE))}</td>"
                for at, cell in enumerate(row)
            )
            + "</tr>"
            for row in rows
        )
        rest = f'<div style="{_MUTED}">and {more:,} more</div>' if more else ""
        table = f'<table style="{TABLE}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'
        return f'<div style="overflow-x:auto">{table}</div>{rest}'

    def _cause_html(self, cause: Cause) -> str:
        inner = self._table(*self._cause(cause))
        inner += "".join(f"<div>{html_text(note)}</div>" for note in cause.notes)
        return self._section(cause.kind, inner + _diff_html(cause.diff))

    def _curves(self) -> str:
        first, *others = self.labels.values()
        said = f"thick: {first}; thin: {', '.join(others)}"
        caption = f'<div style="{_MUTED}">{html_text(shorten(said, 200))}</div>'
        curves = self.curves
        return caption + curves_html(curves.picture, curves.base, overlays=curves.others)

    def page(self) -> str:
        """Return it as one HTML document that loads nothing."""
        title = f"{' · '.join(self.labels.values())}"
        return document(title, self._repr_html_())

    def _repr_mimebundle_(self, **about: Any) -> dict[str, str]:
        del about
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _rank(name: str) -> tuple[int, bool, int]:
    return PREFERRED.index(role_of(name)), not direction_of(name), name.count("/")


def _cut(diff: str) -> list[str]:
    lines = diff.split("\n") if diff else []
    more = len(lines) - LINES
    return [*lines[:LINES], f"… and {more:,} more lines"] if more > 0 else lines


def _diff_html(diff: str) -> str:
    if not diff:
        return ""
    lines = _cut(diff)
    added = sum(line.startswith("+") and not line.startswith("+++ ") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("--- ") for line in lines)
    body = "\n".join(map(_diff_line, lines))
    unfolded = " open" if len(lines) <= _OPEN else ""
    return (
        f'<details{unfolded}><summary style="cursor:pointer">{added} lines added, {removed} '
        f'removed</summary><pre style="{_DIFF}">{body}</pre></details>'
    )


def _diff_line(line: str) -> str:
    text = escape(visible(line), quote=True)
    if line.startswith(("--- ", "+++ ")):
        return f"<b>{text}</b>"
    if line.startswith("@@"):
        return f'<span style="{_MUTED}">{text}</span>'
    colors = {"+": theme.GOOD, "-": theme.BAD}
    color = colors.get(line[:1])
    return f'<span style="color:{color}">{text}</span>' if color else text
