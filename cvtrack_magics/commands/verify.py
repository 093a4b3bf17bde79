"""``%%mlrun --verify``: runs the cell a second time and compares the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvtrack_magics.delivery.series import Series, largest_gap
from cvtrack_magics.records import Tag
from cvtrack_magics.run.host import CellFacts
from cvtrack_magics.run.opening import open_run
from cvtrack_magics.run.outcome import outcome_of
from cvtrack_magics.run.scope import RunScope
from cvtrack_magics.run.session import Session
from cvtrack_magics.run.spec import RunSpec


def run_again(shell: Any, session: Session, first: RunScope, cell: CellFacts) -> None:
    """Run a cell's body again as a nested run, and tag the first with the verdict.

    The second run starts from the namespace that the first one left, so a cell that
    changes what it starts from (a model made in another cell) is told apart too.
    """
    from IPython.utils.capture import capture_output

    body = cell.source.lstrip().split("\n", 1)[1] if "\n" in cell.source.strip() else ""
    spec = RunSpec(
        name=f"{first.name} (again)",
        nested=True,
        seed=first.spec.seed,
        deterministic=first.spec.deterministic,
        code=False,
        plot=False,
        records=(Tag("cvtrack.verifies", first.run_id),),
    )
    with capture_output():
        second = open_run(spec)
        result = shell.run_cell(body, store_history=False)
        error = result.error_before_exec or result.error_in_exec
        session.close(second, outcome_of(error), error)
    first.channel.drain()
    if error is not None:
        same, said = False, f"the second run failed with {type(error).__name__}: {error}"
    else:
        same, said = compare(first.curves(), second.curves())
    first.add([Tag("reproducible", str(same).lower()), Tag("cvtrack.verified", said)])
    first.notices.append(f"Run twice: {said}.")


def compare(first: Mapping[str, Series], second: Mapping[str, Series]) -> tuple[bool, str]:
    """Say whether two runs logged the same values, and where they differ most."""
    if not first:
        return False, "no metric was logged with log(), so there is nothing to compare"
    if set(first) != set(second):
        odd = sorted(set(first) ^ set(second))
        return False, f"only one of the runs logged {', '.join(odd)}"
    worst, where = -1.0, ""
    for key, series in first.items():
        other = second[key]
        if series.count != other.count:
            return False, f"{key} has {series.count} points, then {other.count}"
        gap = largest_gap(series, other)
        if gap is not None and not gap <= worst:
            worst, where = gap, key
    points = sum(series.count for series in first.values())
    if where:
        how_much = f" (by {worst:.3g})" if worst else ""  # 0: where points were not kept
        return False, f"the metrics differ, most in {where}{how_much}"
    return True, f"all {points} points of {len(first)} metrics agree exactly"
