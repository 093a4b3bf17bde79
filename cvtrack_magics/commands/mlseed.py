"""``mlseed()``: every random generator seeded, and the seed on record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvtrack_magics.capture.params.seeds import SeedReport, seed_records
from cvtrack_magics.commands.definition import command
from cvtrack_magics.commands.show_lines import Table, show
from cvtrack_magics.records import Tag
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.seeding import SEED_PARAM

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

RESEEDED = "reseeded"


def _present(report: SeedReport) -> None:
    rows = [(name, what, "✓" if ok else "—") for name, what, ok in report.rows]
    show(Table(("generator", "what was done", "repeats"), rows, f"Seed {report.seed}"))


@command(present=_present)
def mlseed(seed: int, *, deterministic: bool = False) -> SeedReport:
    """Seed every random generator, and record the seed in the open run and those that follow.

    Python, NumPy, torch (CPU, CUDA, MPS) and Albumentations are seeded. A run's own ``seed`` is
    closer to it and counts more. In a run that has another seed already, the new one is kept as
    the tag ``reseeded``, with the step.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1, the range NumPy takes.
    deterministic : bool
        Ask torch for deterministic algorithms, which can be slower.

    Returns
    -------
    SeedReport
        ``rows``: each generator, what was done, and whether it will repeat.

    Examples
    --------
    ::

        %mlseed 42 --deterministic
    """
    session = get_session()
    report = session.seeding.apply_to_runs(seed, deterministic=deterministic)
    records = seed_records(report)
    session.seeding.every_run = list(records)
    for scope in session.scopes:
        scope.seeds = tuple(records)
    if session.current is not None:
        _seeded_in(session.current, report)
    return report


def _seeded_in(scope: RunScope, report: SeedReport) -> None:
    """Record a seed in an open run; one that follows another stands beside it as a tag."""
    seed = str(report.seed)
    first = scope.params.get(SEED_PARAM, seed)
    if first == seed:
        scope.notices += scope.add(seed_records(report))
        return
    how = " (deterministic)" if report.deterministic else ""
    said = f"{seed}{how} at step {scope.step_of(None)}"
    before = scope.tags.get(RESEEDED, "")
    scope.add([Tag(RESEEDED, f"{before}, {said}" if before else said)])
    scope.notices.append(
        f"Run {scope.name!r} began with seed {first}; seed {said} is recorded as tag {RESEEDED!r}."
    )
