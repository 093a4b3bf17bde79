"""Keeps what other code does to MLflow inside a run from outliving the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.store import switches

if TYPE_CHECKING:
    from cvtrack_magics.run.session import Session
    from cvtrack_magics.store.tracking import OpenRun


class Guard:
    """MLflow's settings and active runs around one run of ours.

    Parameters
    ----------
    session : Session
        What the run belongs to.
    notices : list of str
        Where to say what was undone.
    """

    def __init__(self, session: Session, notices: list[str]) -> None:
        self._session = session
        self._notices = notices
        self._before: switches.Switches | None = None
        self._said: set[str] = set()
        self._experiment = ""

    def begin(self, beside: Sequence[Guard] = ()) -> None:
        """Note the settings, before the run is opened.

        Where runs of other threads are open beside it, these are the settings from before them:
        the one that ends last puts them back.
        """
        self._session.tracking.store.settle()
        for other in beside:
            other.before_another()
        known = (other._before for other in beside if other._before is not None)
        self._before = next(known, None) or switches.switches_now()

    def hold(self, run: OpenRun) -> None:
        """Keep the run open and active from now on, and name its experiment."""
        self._session.detours.enter(run.run_id, run.name, self.tell)
        if run.experiment != f"experiment {run.experiment_id}":
            self._experiment = run.experiment
            switches.name_experiment(run.experiment)
        if self._before is not None and run.experiment_id:
            self._before = switches.hold_experiment(self._before, run.experiment_id)

    def tell(self, key: str, line: str) -> bool:
        """Say a line once for the run; return whether it was said now."""
        is_new = key not in self._said
        if is_new:
            self._said.add(key)
            self._notices.append(line)
        return is_new

    def chosen(self, experiment: str = "") -> None:
        """Keep what the user has just chosen: an experiment, or else how to autolog."""
        if self._before is None:
            return
        now = switches.switches_now()
        if experiment:
            self._experiment = experiment
            self._before = switches.with_experiment(self._before, now)
        else:
            self._before = switches.with_autologging(self._before, now)

    def before_another(self) -> None:
        """Let a run that is opened now go where the user said."""
        if self._before is not None:
            self._undone(switches.put_places_back(self._before, self._experiment))

    def let_go(self, run: OpenRun) -> list[Any]:
        """Show MLflow the run as active once more, for it is about to be closed.

        Returns what `Detours.leave` does: runs that threads left open.
        """
        return self._session.detours.leave(run.run_id)

    def put_back(self, *, is_last: bool = True) -> None:
        """Put the settings back, unless a run that stands beside this one goes on with them."""
        if self._before is not None and is_last:
            self._undone(switches.put_back(self._before, self._experiment))

    def _undone(self, lines: list[str]) -> None:
        for line in lines:
            self.tell(line, f"Undone at the end of the run: {line}.")
