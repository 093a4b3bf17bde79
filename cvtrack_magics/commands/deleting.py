"""Runs that are deleted: asked about, and left alone where something stands on them."""

from __future__ import annotations

from collections.abc import Sequence

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.model_reference import find
from cvtrack_magics.store.listing import delete_runs
from cvtrack_magics.store.resuming import StoredSoFar, stored_so_far, versions_of
from cvtrack_magics.text import visible

SHOWN = 10
"""Runs whose names are in the question."""


def delete(runs: Sequence[str], *, yes: bool) -> str:
    """Delete runs, and return in one line what was deleted and how it is had back.

    Parameters
    ----------
    runs : sequence of str
        Names or ids.
    yes : bool
        Whether nobody is asked.

    Raises
    ------
    UsageProblem
        A run goes on, a version was made of it, or nobody can be asked; then none is deleted.
    StoreUnavailable
        The store does not answer, or did not delete all of them.
    """
    uri = get_session().tracking.uri
    found = {run_id: stored_so_far(uri, run_id) for run_id in (find(r).run_id for r in runs)}
    for run_id, run in found.items():
        _require_free(uri, run_id, run)
    names = ", ".join(visible(f"{run.name} ({run.run_id[:8]})") for run in found.values())
    if not yes and not _agreed(_question([*found.values()])):
        return "Nothing was deleted."
    delete_runs(uri, list(found))
    return f"Deleted: {names}. MlflowClient().restore_run(ID) brings one back."


def _require_free(uri: str, run_id: str, run: StoredSoFar) -> None:
    if run.status in ("RUNNING", "SCHEDULED"):
        raise UsageProblem(f"Run {run.name!r} goes on: it is not deleted.", "Stop it first.")
    made = versions_of(uri, run_id)
    if made:
        raise UsageProblem(
            f"Run {run.name!r} is what {made[0]} was made of: it is not deleted.",
            "Delete the version first, if nobody serves it.",
        )


def _question(runs: Sequence[StoredSoFar]) -> str:
    names = ", ".join(visible(run.name) for run in runs[:SHOWN])
    more = f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
    what = f"the run {names}" if len(runs) == 1 else f"{len(runs)} runs: {names}{more}"
    return f"Delete {what}? Type yes: "


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() == "yes"
    except (EOFError, OSError, RuntimeError) as error:  # no terminal; a front end without input
        raise UsageProblem(
            "Nobody can be asked whether to delete.", "--yes deletes without asking."
        ) from error
