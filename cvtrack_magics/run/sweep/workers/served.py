"""The driver's side of a trial that runs in a worker: answers it, and records what it says."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.journal.fact_lines import from_json
from cvtrack_magics.journal.points import UnixTime
from cvtrack_magics.records import Artifact, Param, Record
from cvtrack_magics.run.checkpoint.counters import go_back
from cvtrack_magics.run.checkpoint.files import CheckpointFolder, step_of
from cvtrack_magics.run.sweep.journal import JournalProblem
from cvtrack_magics.run.sweep.trials import Asked
from cvtrack_magics.run.sweep.workers.messages import Message, Worker, WorkerGone
from cvtrack_magics.run.sweep.workers.remote_trial import ANSWERED

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

WAIT = 0.2  # seconds between two looks whether the sweep was stopped


class Stopped(KeyboardInterrupt):
    """The sweep was interrupted while a worker ran a trial."""


class BodyFailed(Exception):
    """What a body raised in another process; its traceback is recorded from there."""


class Served:
    """A body that runs in a worker.

    Parameters
    ----------
    worker : Worker
        Which one.
    packed : bytes
        The body.
    stop : threading.Event
        Set where the sweep is interrupted.
    """

    def __init__(self, worker: Worker, packed: Any, stop: threading.Event) -> None:
        self._worker = worker
        self._packed = packed
        self._stop = stop
        self._has_body = False

    def ready(self, timeout: float) -> bool:
        """Wait until the worker can be given a trial."""
        try:
            return self._worker.ready(timeout)
        except WorkerGone:
            self._has_body = False
            raise

    def run(
        self, trial: Any, asked: Asked, scope: RunScope, seed: int | None, pruned: type[Exception]
    ) -> Any:
        """Run the body for a trial; return or raise as it did.

        Parameters
        ----------
        trial : optuna.trial.Trial
            The trial.
        asked : Asked
            The same, as it is known to the sweep.
        scope : RunScope
            Its run.
        seed : int, optional
            That of the run.
        pruned : type
            What is raised for a trial that was pruned.
        """
        folder = CheckpointFolder(scope.session.config.state, scope.key)
        ended = False
        try:
            self._begin(trial, asked, scope, seed, folder)
            while True:
                if self._stop.is_set():
                    raise Stopped
                for message in self._worker.take(WAIT):
                    if message.kind == "end":
                        ended = not message.data.get("is_last")
                        if message.data["status"] == "finished":  # its files are with the run
                            folder.clear()
                        return _came(message.data, pruned)
                    self._one(message, trial, scope, folder)
        finally:
            if not ended:
                self._has_body = False
                self._worker.kill()

    def _begin(
        self, trial: Any, asked: Asked, scope: RunScope, seed: int | None, folder: CheckpointFolder
    ) -> None:
        worker = self._worker
        if not self._has_body:
            worker.send(Message("body", {"path": [one for one in sys.path if one]}, self._packed))
            self._has_body = True
        if not scope.stretch.resumed:
            folder.clear()
        for kept in folder.kept()[:1]:
            worker.send(Message("from", {"name": kept.path.name}, kept.path.read_bytes()))
        about = {
            "name": scope.name,
            "key": scope.key,
            "seed": seed,
            "stretch": scope.stretch.number,
            "steps": dict(scope.stretch.earlier.steps),
            "number": trial.number,
            "final": asked.final,
            "attributes": {
                k: v for k, v in trial.user_attrs.items() if isinstance(v, str | int | float)
            },
        }
        worker.send(Message("play", about))

    # -- what it says

    def _one(self, message: Message, trial: Any, scope: RunScope, folder: CheckpointFolder) -> None:
        data = message.data
        if message.kind == "call":
            self._worker.send(_answer(trial, data))
        elif message.kind == "points":
            _points(scope, data["rows"])
        elif message.kind == "records":
            found = [from_json(str(kind), fields) for kind, fields in data["records"]]
            _record(scope, [one for one in found if one is not None])
        elif message.kind == "file":
            content = (
                message.blob.decode("utf-8", "surrogatepass") if data["text"] else message.blob
            )
            _record(scope, [Artifact(str(data["path"]), content)])
        elif message.kind == "back":
            go_back(scope, {"before": data["steps"]})
        elif message.kind == "checkpoint":
            _keep(folder, str(data["name"]), message.blob)
        elif message.kind == "unread":
            raise UsageProblem(
                f"The body cannot be read in another process: {data['why']}.",
                "What it imports must be installed there, too.",
            )


def _answer(trial: Any, data: Mapping[str, Any]) -> Message:
    method = str(data["method"])
    if method not in ANSWERED:
        return Message("answer", {"error": ["AttributeError", method]})
    try:
        return Message(
            "answer", {"value": getattr(trial, method)(*data["args"], **data["options"])}
        )
    except JournalProblem:
        raise
    except Exception as error:
        return Message("answer", {"error": [type(error).__name__, str(error)[:1000]]})


def _points(scope: RunScope, rows: Mapping[str, Any]) -> None:
    """Write points down at their own times, those of one step in one row."""
    groups: dict[tuple[int, float], dict[str, float]] = {}
    for name, (steps, values, times) in rows.items():
        for step, value, unix in zip(steps, values, times, strict=True):
            groups.setdefault((int(step), float(unix)), {})[name] = float(value)
    for (step, unix), values in sorted(groups.items(), key=lambda one: one[0][1]):
        scope.channel.record(values, step, 1, UnixTime(int(unix * 1e9)))


def _record(scope: RunScope, records: list[Record]) -> None:
    fresh = [one for one in records if not (isinstance(one, Param) and one.key in scope.params)]
    scope.notices += scope.add(fresh)


def _keep(folder: CheckpointFolder, name: str, data: bytes) -> None:
    """Keep the newest checkpoint, from which another worker can go on."""
    step = step_of(name)
    if step < 0 or Path(name).name != name:
        return
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = folder.path / f"{name}.part"
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder.path / name)
    for old in folder.kept():
        if old.step < step:  # a worker on this machine may have written a newer one here since
            with suppress(OSError):
                old.path.unlink()


def _came(end: Mapping[str, Any], pruned: type[Exception]) -> Any:
    """Return what a body returned, or raise what it raised."""
    status = end["status"]
    if status == "finished":
        return end["values"]
    if status == "pruned":
        raise pruned(end["why"])
    if status == "interrupted":
        raise Stopped
    if "usage" in end:
        raise told(UsageProblem(*end["usage"]))
    raise told(type(str(end["kind"]), (BodyFailed,), {})(str(end["why"])))


def told(error: Exception) -> Exception:
    """Mark an error as one whose traceback the worker has recorded."""
    error.told_by_worker = True  # type: ignore[attr-defined]
    return error
