"""A sweep in a process of its own that meets a fault at a place in a trial's life."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

import cvtrack_magics.commands.mlsweep
import cvtrack_magics.run.scope
import cvtrack_magics.run.sweep.best
import cvtrack_magics.run.sweep.runner  # noqa: F401 (children are forked with all of it)
from cvtrack_magics import log, mlbest, mlsweep, mlsync

FAULTS = ("kernel", "second process", "journal", "server", "disk full")
PLACES = ("ask", "report", "tell", "between")
JOURNAL = ("locked", "torn", "away")
"""What becomes of Optuna's journal, in turn."""
TRIALS, SEEDS = 4, 2
REPEATS = 3
AWAY = 3.0  # seconds that a lock is held by another, or the server away
LIMIT = 240.0  # seconds that a process may take


@dataclass(frozen=True)
class Job:
    """A sweep in a folder, and the fault that it meets."""

    folder: str
    fault: str
    place: str
    round: int
    uri: str = ""

    @property
    def studies(self) -> Path:
        """The folder of Optuna's journal."""
        root = Path(self.folder)
        return root / ("state/cvtrack_magics" if self.uri else "") / "cvtrack-sweeps"

    @property
    def store(self) -> str:
        """Where its runs are."""
        return self.uri or f"sqlite:///{self.folder}/mlflow.db"

    @property
    def experiment(self) -> str:
        """The name of its experiment."""
        return Path(self.folder).name if self.uri else "Default"


def objective(trial: Any) -> float:
    """Take long enough to be met, log each step."""
    x = trial.suggest_float("x", -3, 3)
    for step in range(3):
        trial.report(x * x + step, step)
        log({"val/loss": x * x + 2 - step})
        time.sleep(0.05)
    return x * x


# -- the process that meets the fault


def meet(job: Job) -> None:
    """Let the fault come at its place, once."""
    left = [2 if job.round % 2 == 0 else TRIALS + 2]
    left = [1] if job.fault == "second process" else left

    def at(place: str) -> None:
        left[0] -= place == job.place
        if place == job.place and left[0] == 0:
            (Path(job.folder) / "met").touch()
            _strike(job)

    wrap(optuna.study.Study, "ask", before=lambda: at("between"), after=lambda: at("ask"))
    wrap(optuna.study.Study, "tell", before=lambda: at("tell"))
    reported = [0]

    def second_report() -> None:
        reported[0] += 1
        if reported[0] % 3 == 2:  # of three, once a trial
            at("report")

    wrap(optuna.trial.Trial, "report", before=second_report)


def wrap(
    owner: Any,
    name: str,
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Call something before and after a method."""
    own = getattr(owner, name)

    def call(*args: Any, **options: Any) -> Any:
        before()
        found = own(*args, **options)
        after()
        return found

    setattr(owner, name, call)


def _strike(job: Job) -> None:
    if job.fault in ("kernel", "second process"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif job.fault == "disk full":
        size = (job.studies / "studies.log").stat().st_size
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, size + 20))
    elif job.fault == "server":
        (Path(job.folder) / "away").touch()
        time.sleep(0.5)  # until the proxy has seen it
    else:
        _spoil(job)


def _spoil(job: Job) -> None:
    kind = JOURNAL[job.round % len(JOURNAL)]
    file = job.studies / "studies.log"
    if kind == "torn":  # as another process leaves it that is killed while it writes
        with file.open("ab") as handle:
            handle.write(b'{"op_code":4,"worker')
    elif kind == "away":
        file.rename(file.with_name("kept.log"))
        file.mkdir()
    else:
        _hold_locks(job)


def _hold_locks(job: Job) -> None:
    """Let another process hold the locks, and be killed."""
    from cvtrack_magics.journal import liveness

    ready, told = os.pipe()
    if os.fork() == 0:
        for name in ("lock", "writing"):
            with suppress(OSError):  # this process may have one of them
                liveness.lock(os.open(job.studies / name, os.O_RDWR | os.O_CREAT))
        os.write(told, b".")
        time.sleep(AWAY)
        os.kill(os.getpid(), signal.SIGKILL)
    os.read(ready, 1)


def mend(job: Job) -> None:
    """Bring Optuna's journal back."""
    file = job.studies / "studies.log"
    if file.is_dir():
        file.rmdir()
        file.with_name("kept.log").rename(file)


# -- processes


def start(job: Job, *, struck: bool, wait: float = 0.0) -> int:
    """Fork a process that runs the sweep; return its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        _settle(job)
        time.sleep(wait)
        if struck:
            meet(job)
        best = mlsweep("s", objective, metric="val/loss", trials=TRIALS, seeds=SEEDS, seed=1)
        if not struck:
            mlsync()  # what waited on disk for the server
            best = mlbest("s")
            (Path(job.folder) / "best").write_text(best.run_id)  # type: ignore[union-attr]
        code = 0
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    finally:
        with suppress(BaseException):
            from cvtrack_magics.run import current

            session = current.peek()
            if session is not None:
                session.stop()
        os._exit(code)


def _settle(job: Job) -> None:
    os.chdir(job.folder)
    os.environ.update(
        MLFLOW_TRACKING_URI=job.store,
        XDG_STATE_HOME=f"{job.folder}/state",
        CVTRACK_WATCH="0",
        CVTRACK_SENDER="thread",
        CVTRACK_CLOSE_TIMEOUT="30",
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
    )
    if job.uri:
        os.environ["MLFLOW_EXPERIMENT_NAME"] = job.experiment
    log_file = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log_file, 1)
    os.dup2(log_file, 2)


def ended(child: int) -> int:
    """Return the exit code of a process, negative for a signal; it is killed where it hangs."""
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -999
