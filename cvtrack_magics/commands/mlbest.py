"""``mlbest()``: what is best of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session

if TYPE_CHECKING:
    from cvtrack_magics.run.sweep.best import Best, Front


@command(returns=True, name=Arg("SWEEP"))
def mlbest(name: str) -> Best | Front:
    """Return the best trial of a sweep: its params, its value and its run.

    Where promising trials were repeated with ``--seeds`` it is the one with the best bound of its
    mean, and has ``mean``, ``bound`` and ``seeds``, too. Where the sweep has several metrics there
    is no best one: those that no other beats in all of them are given as a list.

    Parameters
    ----------
    name : str
        The sweep's name.

    Raises
    ------
    UsageProblem
        There is no such sweep, or none of its trials gave a value that keeps the rules.

    Examples
    --------
    In a notebook::

        best = %mlbest lr-search

    >>> best = mlbest("lr-search")
    >>> with mlrun("final", params=best.params):
    ...     train(**best.params)
    """
    from cvtrack_magics.run.sweep.best import Front, best_of
    from cvtrack_magics.run.sweep.study import Study

    session = get_session()
    found = best_of(Study.of(session, name), session.config.digits)
    if found is None:
        raise UsageProblem(
            f"No trial of sweep {name!r} gave a value that keeps its rules.",
            "%mlruns shows how they ended.",
        )
    if isinstance(found, Front):
        session.host.say(
            f"cvtrack: sweep {name!r} has several metrics, so none of its trials is the best: "
            f"here are the {len(found)} that no other beats, as a list."
        )
    return found
