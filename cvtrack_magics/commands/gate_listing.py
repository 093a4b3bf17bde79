"""A verdict as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtrack_magics.display.table_view import Listing
    from cvtrack_magics.release.gate import Verdict


def listing_of(verdict: Verdict, where: str) -> Listing:
    """Return a verdict as a table."""
    from cvtrack_magics.display.table_view import MARKS, Listing
    from cvtrack_magics.display.text import number

    def margin(value: float | None) -> str:
        return "" if value is None else f"{'+' if value >= 0 else ''}{number(value)}"

    outcome = "passed" if verdict.passed else "did not pass"
    beside = verdict.comparison
    notes = []
    if beside is not None:
        notes.append(
            f"{beside.metric}: {number(beside.challenger_value)} beside "
            f"{number(beside.champion_value)} of {beside.champion}, on the same "
            f"{beside.samples:,} samples ({beside.method})."
        )
    return Listing(
        f"{verdict.candidate} {outcome}.",
        result=verdict,
        where=where,
        passed=verdict.passed,
        columns=("", "rule", "required", "actual", "margin", "reason"),
        rows=tuple(
            (MARKS[row.passed], row.rule, row.wanted, row.got, margin(row.margin), row.why)
            for row in verdict.rows
        ),
        notes=tuple(notes),
    )
