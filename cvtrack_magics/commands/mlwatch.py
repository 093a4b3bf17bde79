"""``mlwatch()``: a run that another process records, as it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.commands.definition import Arg, command
from cvtrack_magics.commands.following import follow
from cvtrack_magics.commands.mlshow import ENDED, Card, card_of
from cvtrack_magics.commands.typed import joined
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.store.listing import runs_in
from cvtrack_magics.store.tracking import OpenRun

RUNNING = "attributes.status = 'RUNNING'"


@dataclass(frozen=True, slots=True)
class Watched:
    """A run's card as it is now; shows itself."""

    run: OpenRun
    card: Card

    @property
    def sign(self) -> object:
        """What differs when the run has come on; None where the store says that it has ended."""
        summary = self.card.summary
        return None if summary.status in ENDED else dict(summary.metrics)

    def again(self) -> Watched:
        """Read it once more."""
        return Watched(self.run, card_of(self.run))

    def __repr__(self) -> str:
        return repr(self.card)

    def _repr_mimebundle_(self, **about: Any) -> Mapping[str, str]:
        return self.card._repr_mimebundle_(**about)


def _present(watched: Watched | None) -> None:
    if watched is not None:
        follow("watch", watched, watched.again, lambda now: now.sign)


@command(run=Arg("RUN", joined, many="*"), present=_present)
def mlwatch(run: str = "") -> Watched | None:
    """Show a run that goes on elsewhere, its curves and last values, until it ends.

    Another process or machine records it; what is shown is what the store has, read every few
    seconds. In a terminal, and in a script, it is shown once.

    Parameters
    ----------
    run : str
        Its name in the current experiment, its id, or ``MODEL@ALIAS``; otherwise the newest run
        of the experiment that the store calls RUNNING.

    Returns
    -------
    Watched or None
        The card as it is now; None of a run that is open here, which is shown with its plot.

    Raises
    ------
    UsageProblem
        No run goes on.
    StoreUnavailable
        There is no such run, or the store does not answer.

    Examples
    --------
    ::

        %mlwatch resnet50-long
    """
    from cvtrack_magics.commands.mlshow import open_here

    session = get_session()
    scope = open_here(session, run)
    if scope is not None:
        scope.view.show_again()
        return None
    found = session.tracking.run_of(run or _newest())
    return Watched(found, card_of(found))


def _newest() -> str:
    tracking = get_session().tracking
    experiment_id, experiment = tracking.experiment_here()
    running = runs_in(tracking.uri, [experiment_id], RUNNING, 1)
    if not running:
        raise UsageProblem(
            f"No run of experiment {experiment!r} goes on.", "%mlshow RUN shows one that has ended."
        )
    return running[0].run_id
