"""One tracking store: experiments, and the opening, writing and ending of runs."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.records import Notice, Outcome, Record
from cvtrack_magics.redact import in_one_line, redact
from cvtrack_magics.store.client import mlflow, quietly
from cvtrack_magics.store.uris import absolute, sqlite_file
from cvtrack_magics.store.writer import write


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that the store has opened. Times are Unix milliseconds."""

    run_id: str
    name: str
    experiment_id: str
    experiment: str
    uri: str
    started: int
    params: Mapping[str, str]

    @property
    def url(self) -> str:
        """The web address of the run's page; empty for a store without a server."""
        if urlsplit(self.uri).scheme not in ("http", "https"):
            return ""
        base = redact(self.uri).rstrip("/")
        return f"{base}/#/experiments/{self.experiment_id}/runs/{self.run_id}"


class Tracking:
    """The current MLflow tracking store, as the user's environment names it.

    Parameters
    ----------
    default_uri : str
        Used when neither the environment nor ``mlflow.set_tracking_uri`` names one.
    connect_timeout : float
        Seconds to wait for a server before :class:`StoreUnavailable` is raised.
    """

    def __init__(self, default_uri: str, connect_timeout: float) -> None:
        self._default_uri = default_uri
        self._connect_timeout = connect_timeout
        self._names: dict[tuple[str, str], str] = {}
        self._set_by_us = ""

    @property
    def uri(self) -> str:
        """The tracking URI now in force."""
        module = mlflow()
        chosen = module.is_tracking_uri_set() or os.environ.get("MLFLOW_TRACKING_URI")
        if not chosen:
            self._set_by_us = absolute(self._default_uri)
            module.set_tracking_uri(self._set_by_us)
        return str(module.get_tracking_uri())

    def release(self) -> None:
        """Take the default store back, where it is still the one in force."""
        if self._set_by_us and mlflow().get_tracking_uri() == self._set_by_us:
            mlflow().set_tracking_uri(None)
        self._set_by_us = ""

    @property
    def place(self) -> str:
        """Where the store is, in words fit to be shown; short when it is close by."""
        file = sqlite_file(self.uri) if self.uri.startswith("sqlite") else None
        if file is None:
            return redact(self.uri)
        return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)

    def check(self) -> None:
        """Raise :class:`StoreUnavailable` at once when the store cannot be used."""
        from cvtrack_magics.store.probe import probe

        probe(self.uri, self._connect_timeout)

    @contextlib.contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        self.check()
        try:
            with quietly():
                yield
        except Exception as error:
            first = in_one_line(error, 300)
            raise StoreUnavailable(
                f"MLflow could not {what}: {first}",
                f"The store is {self.place}; mlflow.set_tracking_uri(...) changes it.",
            ) from error

    def set_experiment(self, name: str) -> str:
        """Make an experiment the current one, creating it when new; return its id."""
        with self._calling(f"set experiment {name!r}"):
            return str(mlflow().set_experiment(name).experiment_id)

    def current_experiment(self) -> str:
        """Return the name of the experiment that new runs go to."""
        with self._calling("read the current experiment"):
            return self._experiment_name(str(mlflow().tracking.fluent._get_experiment_id()))

    def experiments(self) -> list[str]:
        """Return the names of the store's experiments, newest first."""
        with self._calling("list the experiments"):
            return [str(e.name) for e in mlflow().MlflowClient().search_experiments()]

    def autolog(self, *, explore: bool) -> None:
        """Switch MLflow's PyTorch autologging on or off."""
        with quietly():
            if explore:
                mlflow().pytorch.autolog(log_every_n_epoch=1, log_models=False, silent=True)
            else:
                mlflow().pytorch.autolog(disable=True, silent=True)

    def open_run(self, name: str, tags: Mapping[str, str], *, nested: bool) -> OpenRun:
        """Start a run and make it MLflow's active one in this thread."""
        with self._calling(f"open run {name!r}"):
            run = mlflow().start_run(run_name=name, nested=nested, tags=dict(tags))
            return self._opened(run, {})

    def resume_run(self, run_id: str, *, nested: bool) -> OpenRun:
        """Make a finished run the active one again."""
        with self._calling(f"resume run {run_id}"):
            run = mlflow().start_run(run_id=run_id, nested=nested)
            return self._opened(run, run.data.params)

    def find_run(self, name: str, parent_id: str = "") -> str:
        """Return the id of the newest run of that name in the current experiment, or ``""``."""
        with self._calling(f"look up run {name!r}"):
            module = mlflow()
            escaped = name.replace("'", "''")
            query = f"tags.`mlflow.runName` = '{escaped}'"
            if parent_id:
                query += f" and tags.`mlflow.parentRunId` = '{parent_id}'"
            experiment = module.tracking.fluent._get_experiment_id()
            found = module.MlflowClient().search_runs(
                [experiment], query, order_by=["attributes.start_time DESC"], max_results=1
            )
            return str(found[0].info.run_id) if found else ""

    def _opened(self, run: Any, params: Mapping[str, str]) -> OpenRun:
        info = run.info
        return OpenRun(
            run_id=info.run_id,
            name=info.run_name or info.run_id[:8],
            experiment_id=info.experiment_id,
            experiment=self._experiment_name(info.experiment_id),
            uri=absolute(self.uri),
            started=int(info.start_time or time.time() * 1000),
            params=params,
        )

    def _experiment_name(self, experiment_id: str) -> str:
        key = (self.uri, experiment_id)
        if key not in self._names:
            client = mlflow().MlflowClient()
            self._names[key] = str(client.get_experiment(experiment_id).name)
        return self._names[key]

    def foreign_run(self, ours: Iterable[str]) -> tuple[str, str] | None:
        """Return (name, id) of an active run that somebody else opened, if there is one."""
        run = mlflow().active_run()
        if run is None or run.info.run_id in set(ours):
            return None
        return str(run.info.run_name or ""), str(run.info.run_id)

    def leave_run(self, run: OpenRun, outcome: Outcome) -> list[Notice]:
        """Take a run off MLflow's stack in this thread, with all that lies above it.

        The run's own ending is written by :meth:`end_run`; this one only sets what
        MLflow's fluent functions take for the active run.
        """
        module = mlflow()
        notices: list[Notice] = []
        active = module.tracking.fluent._active_run_stack
        stack = active.get() if hasattr(active, "get") else active
        if run.run_id not in [entry.info.run_id for entry in stack]:
            return notices
        while stack:
            top = stack.pop()
            monitors = getattr(module.tracking.fluent, "run_id_to_system_metrics_monitor", {})
            if top.info.run_id in monitors:
                monitors.pop(top.info.run_id).finish()
            if top.info.run_id == run.run_id:
                break
            notices.append(
                Notice(
                    f"Run {top.info.run_name!r} was opened inside {run.name!r} and left open; "
                    f"it was ended as {outcome}. Use 'with mlflow.start_run(nested=True):'."
                )
            )
            with quietly():
                self._client(run).set_terminated(top.info.run_id, outcome)
        return notices

    def end_run(self, run: OpenRun, outcome: Outcome, ended: int) -> None:
        """Write a run's final status and end time (Unix milliseconds)."""
        with quietly():
            self._client(run).set_terminated(run.run_id, outcome, ended)

    def kill_if_running(self, uri: str, run_id: str, ended: int) -> bool:
        """End a run as KILLED when the store still calls it running; say whether it did."""
        from cvtrack_magics.store.probe import probe

        probe(uri, self._connect_timeout)
        with quietly():
            client = mlflow().MlflowClient(tracking_uri=uri)
            if client.get_run(run_id).info.status not in ("RUNNING", "SCHEDULED"):
                return False
            client.set_terminated(run_id, "KILLED", ended)
            return True

    def write(self, run: OpenRun, records: Iterable[Record]) -> list[Notice]:
        """Write records to a run, whichever thread calls."""
        with quietly():
            return write(self._client(run), run.run_id, records)

    def last_metrics(self, run: OpenRun) -> dict[str, float]:
        """Return the last value of each metric, as the store has them."""
        with quietly():
            data = self._client(run).get_run(run.run_id).data
        return {key: float(value) for key, value in data.metrics.items()}

    def _client(self, run: OpenRun) -> Any:
        return mlflow().MlflowClient(tracking_uri=run.uri)
