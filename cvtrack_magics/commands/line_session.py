"""The session that a shell command works with: its own, or that of a program that calls it.

A program may call ``cvtrack``'s ``main`` and open runs before, around and after that. What a
command needs is set for the command only, and nobody's session is ended but its own.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path

from cvtrack_magics.run import current


class LineSession:
    """What a command changes in this process, and puts back at its end."""

    def __init__(self) -> None:
        self._is_own = current.is_unused()
        self._changes = ExitStack()

    def use_state(self, folder: str) -> None:
        """Look into another state folder."""
        config = current.get_session().config
        self._changes.callback(setattr, config, "state_folder", config.state_folder)
        config.state_folder = str(Path(folder).expanduser())

    def use_store(self, store: str, experiment: str) -> None:
        """Read and write another store, or another experiment."""
        from cvtrack_magics.store import switches
        from cvtrack_magics.store.client import mlflow

        if store or experiment:
            self._changes.callback(switches.put_back, switches.switches_now())
        if store:
            mlflow().set_tracking_uri(store)
        if experiment:
            current.get_session().tracking.set_experiment(experiment)

    def end(self) -> None:
        """End the command's own session; put back what was changed in another's."""
        with suppress(Exception):
            self._changes.close()
        if self._is_own:
            with suppress(Exception):
                current.end()
