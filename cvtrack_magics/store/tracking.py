"""One tracking store: experiments, and the opening, writing and ending of runs."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cvtrack_magics.errors import CvtrackError, StoreUnavailable
from cvtrack_magics.records import Notice, Outcome, Record
from cvtrack_magics.redact import kind_and_line, redact
from cvtrack_magics.store.asking import said_by
from cvtrack_magics.store.calls import PARENT
from cvtrack_magics.store.client import client_of, creating, mlflow, quietly, sending_client_of
from cvtrack_magics.store.current_experiment import CurrentExperiment
from cvtrack_magics.store.current_store import CurrentStore
from cvtrack_magics.store.deferred_runs import entered_own
from cvtrack_magics.store.denials import what_to_set
from cvtrack_magics.store.detours import beside, under
from cvtrack_magics.store.error_kinds import is_denied, is_no, is_refusal, of_another_version
from cvtrack_magics.store.first_contact import meet
from cvtrack_magics.store.notes import set_primary_metric
from cvtrack_magics.store.run_files import RunFiles
from cvtrack_magics.store.uris import absolute, page_path
from cvtrack_magics.store.writer import Doubts, Point, end_run, write, write_points


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that the store has opened, or would have. Times are Unix milliseconds.

    ``local`` marks a run that the store could not open: ``run_id`` is then the key under
    which the run is kept on disk, and the store gives it another one later.
    """

    run_id: str
    name: str
    experiment_id: str
    experiment: str
    uri: str
    started: int
    params: Mapping[str, str]
    local: bool = False

    @property
    def url(self) -> str:
        """The web address of the run's page; empty for a store without a server."""
        if self.local or urlsplit(self.uri).scheme not in ("http", "https"):
            return ""
        return f"{redact(self.uri).rstrip('/')}/{page_path(self.experiment_id, self.run_id)}"


def _equals(name: str) -> str:
    """Return what MLflow's filters compare with a name; more than it may be equal to that.

    A text there ends at its first quote, and nothing takes that away from it.
    """
    quote = '"' if "'" in name else "'"
    if quote not in name:
        return f"= {quote}{name}{quote}"
    return f"LIKE {quote}{name.replace(quote, '_')}{quote}"


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
        self.store = CurrentStore(default_uri)
        self.connect_timeout = connect_timeout
        self._current = CurrentExperiment(self.store)
        self.caught_up: Callable[[str], None] = lambda _: None
        """Told the experiment that is the current one now that the store answers."""
        self._doubts = Doubts()
        self.typed_experiment = ""
        """The name that the user gave to %mlexperiment last."""

    @property
    def uri(self) -> str:
        """The tracking URI now in force."""
        return self.store.uri

    @property
    def place(self) -> str:
        """Where the store is, in words fit to be shown; short when it is close by."""
        return self.store.place

    def check(self) -> None:
        """Raise :class:`StoreUnavailable` at once when the store cannot be used."""
        from cvtrack_magics.store.probe import probe

        try:
            probe(self.uri, self.connect_timeout)
        except CvtrackError:
            raise
        except Exception as error:  # a library that other code changed, no file to be opened
            raise StoreUnavailable(
                f"The store {self.place} could not be looked at: {kind_and_line(error)}.",
                "What is recorded waits on disk; %mlsync sends it.",
            ) from error

    @contextlib.contextmanager
    def _calling(self, what: str) -> Iterator[None]:
        self.check()
        meet(self.uri)
        try:
            with quietly():
                yield
        except Exception as error:
            first = of_another_version(error) or said_by(error, 300)
            problem = StoreUnavailable(
                f"MLflow could not {what}: {first.rstrip('.')}.",
                what_to_set(error)
                or f"The store is {self.place}; mlflow.set_tracking_uri(...) changes it.",
            )
            problem.answered = is_no(error)
            raise problem from error

    def set_experiment(self, name: str) -> str:
        """Make an experiment the current one, creating it when new.

        Returns
        -------
        str
            Empty; or why that has to wait for the store. Runs from now on belong to the
            experiment all the same.

        Raises
        ------
        StoreUnavailable
            The store refuses the name.
        """
        try:
            with self._calling(f"set experiment {name!r}"):
                found = mlflow().set_experiment(name)
                if self._current.chosen != found.experiment_id:
                    # somebody made it at that moment, and MLflow then leaves the current one
                    mlflow().set_experiment(name)
                self._current.learn(str(found.experiment_id), name)
        except StoreUnavailable as error:
            cause = error.__cause__
            if isinstance(cause, Exception) and (is_refusal(cause) or is_denied(cause)):
                raise
            self._current.wait_for(name)
            return error.problem
        self._current.wait_for("")
        return ""

    def _catch_up(self) -> None:
        """Make the experiment that waits for the store the current one.

        Raises
        ------
        StoreUnavailable
            The store is still away, or refuses the name.
        """
        name = self._current.awaited
        if not name:
            return
        why = self.set_experiment(name)
        if why:
            raise StoreUnavailable(why)
        self.caught_up(name)

    def experiment_now(self) -> tuple[str, str]:
        """Return id and name of the current experiment as far as they are known here."""
        return self._current.known()

    def current_experiment(self) -> str:
        """Return the name of the experiment that new runs go to."""
        self._catch_up()
        with self._calling("read the current experiment"):
            return self.experiment_name(str(mlflow().tracking.fluent._get_experiment_id()))

    def experiment_here(self) -> tuple[str, str]:
        """Return id and name of the experiment that new runs go to, as the store has it."""
        self._catch_up()
        with self._calling("read the current experiment"):
            found = str(mlflow().tracking.fluent._get_experiment_id())
            return found, self.experiment_name(found)

    def set_primary_metric(self, name: str, more: bool) -> None:
        """Say which metric the current experiment is about, and whether more is better."""
        experiment, _ = self.experiment_here()
        with self._calling("name the experiment's metric"), creating():
            set_primary_metric(client_of(self.uri), experiment, name, more=more)

    def experiments(self) -> list[str]:
        """Return the names of the store's experiments, newest first."""
        with self._calling("list the experiments"):
            return [str(e.name) for e in mlflow().MlflowClient().search_experiments()]

    def run_names(self, most: int) -> list[str]:
        """Return the names of the newest runs of the current experiment, each once."""
        self._catch_up()
        with self._calling("list the runs"):
            module = mlflow()
            experiment = module.tracking.fluent._get_experiment_id()
            found = module.MlflowClient().search_runs(
                [experiment], order_by=["attributes.start_time DESC"], max_results=most
            )
            return list(dict.fromkeys(str(run.info.run_name) for run in found))

    def autolog(self, *, explore: bool) -> None:
        """Switch MLflow's PyTorch autologging on or off."""
        with quietly():
            if explore:
                mlflow().pytorch.autolog(log_every_n_epoch=1, log_models=False, silent=True)
            else:
                mlflow().pytorch.autolog(disable=True, silent=True)

    def open_run(
        self, name: str, tags: Mapping[str, str], *, nested: bool, parent: Any = None
    ) -> OpenRun:
        """Start a run and make it MLflow's active one in this thread.

        ``parent`` is MLflow's entry of the run it is nested in, where that is not the active one.
        """
        self._catch_up()
        calling = self._calling(f"open run {name!r}")
        with calling, creating(), beside(nested=nested), under(parent):
            run = mlflow().start_run(run_name=name, nested=nested, tags=dict(tags))
            return self._opened(entered_own(run, tags), {})

    def resume_run(self, run_id: str, *, nested: bool) -> OpenRun:
        """Make a finished run the active one again."""
        with self._calling(f"resume run {run_id}"), beside(nested=nested):
            run = mlflow().start_run(run_id=run_id, nested=nested)
            return self._opened(run, run.data.params)

    def find_run(self, name: str, parent_id: str | None = None, but: str = "") -> str:
        """Return the id of the newest run of a name in the current experiment, or ``""``.

        ``parent_id`` is that of its parent, where that matters: with ``""`` a run that is no
        child comes before newer ones that are. The run ``but`` is not meant.
        """
        self._catch_up()
        with self._calling(f"look up run {name!r}"):
            module = mlflow()
            query = f"tags.`mlflow.runName` {_equals(name)}"
            if parent_id:
                query += f" and tags.`mlflow.parentRunId` = '{parent_id}'"
            experiment = module.tracking.fluent._get_experiment_id()
            found = module.MlflowClient().search_runs(
                [experiment], query, order_by=["attributes.start_time DESC"], max_results=100
            )
            named = [run for run in found if run.info.run_name == name and run.info.run_id != but]
            if parent_id == "":
                named.sort(key=lambda run: PARENT in run.data.tags)
            return str(named[0].info.run_id) if named else ""

    def _opened(self, run: Any, params: Mapping[str, str]) -> OpenRun:
        info = run.info
        return OpenRun(
            run_id=info.run_id,
            name=info.run_name or info.run_id[:8],
            experiment_id=info.experiment_id,
            experiment=self._current.shown(info.experiment_id),
            uri=absolute(self.uri),
            started=int(info.start_time or time.time() * 1000),
            params=params,
        )

    def experiment_name(self, experiment_id: str) -> str:
        """Return an experiment's name; raises what MLflow raises where there is none."""
        return self._current.name_of(experiment_id)

    def end_run(self, run: OpenRun, outcome: Outcome, ended: int) -> None:
        """Write a run's final status and end time (Unix milliseconds)."""
        with creating():
            end_run(sending_client_of(run.uri), run.run_id, outcome, ended)

    def write(
        self, run: OpenRun, records: Iterable[Record], folders: Iterable[Path] = ()
    ) -> list[Notice]:
        """Write records to a run, and folders as its artifacts, whichever thread calls."""
        with creating():
            return write(sending_client_of(run.uri), run.run_id, records, folders, self._doubts)

    def write_points(self, run: OpenRun, points: Iterable[Point]) -> list[Notice]:
        """Write at most 1,000 points of metrics to a run."""
        with creating():
            return write_points(sending_client_of(run.uri), run.run_id, points, self._doubts)

    def metrics_of(self, reference: str, but: str) -> dict[str, float]:
        """Return the last values of a run; see :meth:`run_of`."""
        data = self._run_of(reference, but).data
        return {key: float(value) for key, value in data.metrics.items()}

    def run_of(self, reference: str, but: str = "") -> OpenRun:
        """Return a run by its name in this experiment, its id, or MODEL@ALIAS.

        The run ``but`` is not meant, even where it has the name.

        Raises
        ------
        StoreUnavailable
            There is no such run, or the store does not answer.
        """
        run = self._run_of(reference, but)
        return self._opened(run, run.data.params)

    def _run_of(self, reference: str, but: str) -> Any:
        run_id = ""
        if "@" in reference:
            name, alias = reference.rsplit("@", 1)
            with self._calling(f"find the model {reference!r}"):
                run_id = mlflow().MlflowClient().get_model_version_by_alias(name, alias).run_id
        run_id = run_id or self.find_run(reference, but=but) or reference
        with self._calling(f"find the run {reference!r}"):
            return mlflow().MlflowClient().get_run(run_id)

    def files(self, run: OpenRun, folder: str) -> list[str]:
        """Return the paths of the artifacts of a run in a folder, sorted."""
        with self._calling(f"list the artifacts of run {run.name!r}"):
            return sorted(item.path for item in self._files(run).listed(folder))

    def read_file(self, run: OpenRun, path: str) -> bytes:
        """Return the content of an artifact of a run."""
        with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
            return self.download(run, path, Path(folder)).read_bytes()

    def download(self, run: OpenRun, path: str, folder: Path) -> Path:
        """Write an artifact, or a folder of them, into a local folder; return where it is."""
        with self._calling(f"read {path} of run {run.name!r}"):
            return self._files(run).download(path, folder)

    def _files(self, run: OpenRun) -> RunFiles:
        return RunFiles(self._client(run), run.uri, run.run_id)

    def last_metrics(self, run: OpenRun) -> dict[str, float]:
        """Return the last value of each metric, as the store has them."""
        with quietly():
            data = self._client(run).get_run(run.run_id).data
        return {key: float(value) for key, value in data.metrics.items()}

    def _client(self, run: OpenRun) -> Any:
        return client_of(run.uri)
