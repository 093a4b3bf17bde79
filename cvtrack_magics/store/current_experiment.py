"""Which experiment new runs go to, as far as that is known without the store."""

from __future__ import annotations

import os

from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.current_store import CurrentStore


class CurrentExperiment:
    """The experiment that MLflow has as its current one, or one that waits for the store.

    Parameters
    ----------
    store : CurrentStore
        The store whose experiments they are.
    """

    def __init__(self, store: CurrentStore) -> None:
        self._store = store
        self._names: dict[tuple[str, str], str] = {}
        self._wanted: tuple[str, str | None] | None = None

    @property
    def chosen(self) -> str | None:
        """The id of the experiment that was set in this process; None where none was."""
        found: str | None = mlflow().tracking.fluent._active_experiment_id
        return found

    @property
    def awaited(self) -> str:
        """The experiment that waits for the store, where no other was chosen since."""
        if self._wanted is not None and self._wanted[1] != self.chosen:
            self._wanted = None
        return self._wanted[0] if self._wanted else ""

    def wait_for(self, name: str) -> None:
        """Let an experiment wait for the store; an empty name stands for none."""
        self._wanted = (name, self.chosen) if name else None

    def known(self) -> tuple[str, str]:
        """Return id and name of the current experiment as far as they are known here."""
        wanted = self.awaited
        name = wanted or os.environ.get("MLFLOW_EXPERIMENT_NAME", "")
        chosen = str(self.chosen or os.environ.get("MLFLOW_EXPERIMENT_ID", ""))
        if wanted or (name and not chosen):
            return "", name
        chosen = chosen or "0"
        known = self._names.get((self._store.uri, chosen), "Default" if chosen == "0" else "")
        return chosen, known

    def learn(self, experiment_id: str, name: str) -> None:
        """Remember what an experiment of the store is called."""
        self._names[self._store.uri, experiment_id] = name

    def name_of(self, experiment_id: str) -> str:
        """Return an experiment's name; raises what MLflow raises where there is none."""
        key = (self._store.uri, experiment_id)
        if key not in self._names:
            client = mlflow().MlflowClient()
            self._names[key] = str(client.get_experiment(experiment_id).name)
        return self._names[key]

    def shown(self, experiment_id: str) -> str:
        """Return an experiment's name, or what stands for it where it cannot be read."""
        try:
            return self.name_of(experiment_id)
        except Exception:
            return f"experiment {experiment_id}"
