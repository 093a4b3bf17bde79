"""``mlend()``: the end of a run over several cells."""

from __future__ import annotations

from cvtrack_magics.commands.definition import command
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import RunSummary
from cvtrack_magics.run import unopened
from cvtrack_magics.run.current import get_session, peek
from cvtrack_magics.run.outcome import outcome_of


@command()
def mlend(*, ok: bool = False) -> RunSummary:
    """Close the run that :func:`mlrun` opened over several cells.

    It is FINISHED, unless a cell failed in it and did not succeed since.

    Parameters
    ----------
    ok : bool
        End it as FINISHED although a cell failed in it and was not run again.

    Returns
    -------
    RunSummary
        What the card shows.

    Raises
    ------
    UsageProblem
        No run is open.

    Examples
    --------
    ::

        %mlend
    """
    missed = unopened.innermost()
    known = peek()
    if missed is not None and (known is None or known.current is None):
        return missed.end("FINISHED")
    session = get_session()
    scope = session.current
    if scope is None or not scope.spec.until:
        raise UsageProblem("No run is open, so there is none to end.", "%mlrun NAME opens one.")
    error = None if ok else scope.cells.failure
    return session.close(scope, outcome_of(error), error)
