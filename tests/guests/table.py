"""The table of guests in ``docs/guests.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.guests.guest import Guest

PAGE = Path(__file__).parents[2] / "docs" / "guests.md"
BEGIN, END = "<!-- guests -->\n", "<!-- /guests -->\n"
HEADS = ("guest", "versions", "numbers by", "params", "metrics", "points", "as it must be")


@dataclass(frozen=True)
class Row:
    """What was found of one guest."""

    guest: Guest
    runs: int
    params: int
    metrics: int
    points: int
    problems: Sequence[str]


def write(rows: Sequence[Row]) -> None:
    """Put the rows into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}{table(rows)}{END}{after}", encoding="utf-8")


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [f"| {' | '.join(HEADS)} |", "|---|---|---|--:|--:|--:|---|"]
    for row in rows:
        versions = ", ".join(f"{name} {version(name)}" for name in row.guest.packages)
        cells = (
            row.guest.title,
            versions,
            row.guest.by,
            str(row.params),
            str(row.metrics),
            str(row.points),
            "yes" if not row.problems else f"no: {len(row.problems)}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
