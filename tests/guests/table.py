"""The table of guests in ``docs/guests.md``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.guests.guest import GUESTS, Guest

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
    """Put the rows into the page, in the order of the guests; those of other guests stay."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    there, after = rest.split(END)
    lines = {line.split("|")[1].strip(): line for line in there.splitlines()[2:]}
    lines.update({row.guest.title: line_of(row) for row in rows})
    ordered = [lines[guest.title] for guest in GUESTS if guest.title in lines]
    table = "\n".join([f"| {' | '.join(HEADS)} |", "|---|---|---|--:|--:|--:|---|", *ordered])
    PAGE.write_text(f"{before}{BEGIN}{table}\n{END}{after}", encoding="utf-8")


def line_of(row: Row) -> str:
    """Return a row as Markdown."""
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
    return f"| {' | '.join(cells)} |"
