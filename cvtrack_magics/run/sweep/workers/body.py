"""Runs the body of one trial in a worker, and tells the driver all that it records.

The worker has a run of its own, so that ``log()``, ``checkpoint()`` and the rest work as ever; but
it has no store, and what is recorded goes to the driver, which alone has one.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cvtrack_magics.config import CvTrack
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.errors import StoreUnavailable, UsageProblem
from cvtrack_magics.journal.fact_lines import to_json
from cvtrack_magics.records import Artifact, Call, End, Metric, Notice, Outcome, Record, Tag
from cvtrack_magics.run import current
from cvtrack_magics.run.checkpoint.files import CheckpointFolder, Kept
from cvtrack_magics.run.context import RESOURCES
from cvtrack_magics.run.host import ScriptHost
from cvtrack_magics.run.opening import open_run
from cvtrack_magics.run.outcome import is_pruned
from cvtrack_magics.run.scope import RunScope
from cvtrack_magics.run.session import Session
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.run.stretch import Earlier, Stretch
from cvtrack_magics.run.sweep.trial_run import numbers_of
from cvtrack_magics.run.sweep.workers.messages import Link, Message
from cvtrack_magics.run.sweep.workers.packing import Body
from cvtrack_magics.run.sweep.workers.remote_trial import RemoteTrial
from cvtrack_magics.store.deferred_runs import RUN_KEY
from cvtrack_magics.store.tracking import Tracking
from cvtrack_magics.text import kind_of

_STRETCH = re.compile(r"/stretch-\d+/")


class _NoStore(Tracking):
    """A store that a worker does not have."""

    def check(self) -> None:
        raise StoreUnavailable("The process of a trial has no store; its driver has.")


class _NoSender:
    """Sends nothing: what is recorded goes to the driver."""

    deliveries: tuple[Any, ...] = ()

    def open(self, delivery: Any) -> None:
        del delivery

    def wait(self, delivery: Any, timeout: float, *, patient: bool = False) -> bool:
        del delivery, timeout, patient
        return False

    def drain(self, timeout: float, say: Any) -> None:
        del timeout, say

    def hurry(self) -> None: ...

    def stop(self) -> None: ...


def begin(scratch: Path) -> None:
    """Let this process record nothing but for its driver; ``scratch`` is a folder of its own."""
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{scratch / 'none.db'}"

    def made() -> Session:
        config = CvTrack(state_folder=str(scratch / "state"), watch=False, close_timeout=0.0)
        session = Session(ScriptHost(), config)
        session.tracking = _NoStore(config.default_store, config.connect_timeout)
        session.sender = _NoSender()  # type: ignore[assignment]
        return session

    current.use(made)
    from cvtrack_magics.capture.params import seeds  # noqa: F401 (the first trial needs it)
    from cvtrack_magics.store.client import mlflow

    mlflow().tracking.fluent  # noqa: B018 (the import is what is wanted)
    current.get_session()


class _Told(Stretch):
    """A stretch of a run whose driver is told when it goes back to a checkpoint."""

    def __init__(self, earlier: Earlier, link: Link) -> None:
        super().__init__(earlier)
        self._curves = {}  # the driver has them
        self._link = link

    def go_back(self, steps: Mapping[str, int]) -> None:
        super().go_back(steps)
        self._link.tell("back", steps=dict(steps))


class Played:
    """One trial in a worker.

    Parameters
    ----------
    task : mapping
        What the driver said of it.
    checkpoint : Message, optional
        The file that it goes on from.
    link : Link
        To the driver.
    """

    def __init__(self, task: Mapping[str, Any], checkpoint: Message | None, link: Link) -> None:
        self._task = task
        self._link = link
        self._pid = os.getpid()
        self._folder = CheckpointFolder(current.get_session().config.state, str(task["key"]))
        if checkpoint is not None:
            self._folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._folder.path / Path(str(checkpoint.data["name"])).name
            file.touch(0o600)
            file.write_bytes(checkpoint.blob)

    def run(self, body: Body) -> None:
        """Run a body, and tell what came of it."""
        scope = self._open()
        task, error = self._task, None
        trial = RemoteTrial(self._link, task["number"], task["final"], dict(task["attributes"]))
        try:
            end: dict[str, Any] = {"status": "finished", "values": numbers_of(body(trial))}
        except BaseException as raised:
            error, end = raised, _end_by(raised)
        if os.getpid() != self._pid:
            os._exit(0)  # a child that the body forked; the trial is its parent's
        outcome: Outcome = {"finished": "FINISHED", "failed": "FAILED"}.get(end["status"], "KILLED")  # type: ignore[assignment]
        shown = error if outcome == "FAILED" else None
        current.get_session().close(scope, outcome, shown)
        with suppress(OSError):
            self._folder.clear()
        self._link.tell("end", **end)

    def _open(self) -> RunScope:
        task = self._task
        earlier = Earlier(
            int(task["stretch"]), tags={RUN_KEY: str(task["key"])}, steps=dict(task["steps"])
        )
        name, seed = str(task["name"]), task["seed"]
        scope = open_run(
            RunSpec(name=name, seed=seed, code=False, plot=False, quiet=True, auto=False)
        )
        scope.stretch = _Told(earlier, self._link)
        if scope.stretch.resumed:
            scope.control.go_on_after(scope.stretch.last_step)
            scope.albums.go_on_after(scope.stretch.last_step)
        self._relay(scope)
        return scope

    # -- what is recorded

    def _relay(self, scope: RunScope) -> None:
        """Let the driver have what goes to the run's journal."""
        own_add, own_end = scope.kept.add, scope.kept.end

        def add(records: Sequence[Record]) -> None:
            own_add(records)
            self._records(records)

        def end(records: Sequence[Record], end: End) -> None:
            own_end(records, end)
            self._records([one for one in records if _is_of_the_worker(one)])

        self._records([*scope.recorded, Tag("cvtrack.worker", socket.gethostname())])
        scope.kept.add, scope.kept.end = add, end  # type: ignore[method-assign]
        scope.channel.refresh = self._points

        def kept(one: Kept) -> None:
            self._link.tell("checkpoint", one.path.read_bytes(), name=one.path.name)

        CheckpointFolder.told = kept
        CheckpointFolder.before = scope.channel.drain  # a later worker does not log it again

    def _points(self, fresh: Mapping[str, Series]) -> None:
        rows = {
            name: [list(series.steps), list(series.values), list(series.times)]
            for name, series in fresh.items()
        }
        self._link.tell("points", rows=rows)

    def _records(self, records: Sequence[Record]) -> None:
        plain = [one for one in records if not isinstance(one, Artifact | Notice)]
        if plain:
            self._link.tell("records", records=[to_json(one) for one in plain])
        for one in records:
            if isinstance(one, Artifact):
                path = _STRETCH.sub("/", one.path, count=1)
                self._link.tell("file", _content(one), path=path, text=isinstance(one.content, str))


def _is_of_the_worker(record: Record) -> bool:
    """Whether the driver cannot say it itself at the end of the run."""
    if isinstance(record, Metric):
        return record.key.startswith(RESOURCES)
    return not isinstance(record, Call)


def _content(one: Artifact) -> bytes:
    if one.source is not None:
        return one.source.read_bytes()
    return (
        one.content.encode("utf-8", "surrogatepass")
        if isinstance(one.content, str)
        else one.content or b""
    )


def _end_by(error: BaseException) -> dict[str, Any]:
    """Return what a body's error makes of its trial, as plain values."""
    if is_pruned(error):
        return {"status": "pruned", "why": str(error)[:500]}
    if isinstance(error, KeyboardInterrupt):
        return {"status": "interrupted"}
    if isinstance(error, UsageProblem):
        return {"status": "failed", "usage": [error.problem, error.hint]}
    return {
        "status": "failed",
        "kind": kind_of(error),
        "why": str(error)[:2000],
    }
