"""What the classes share: a bench, a stage for each schedule, and the comparison with the store."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.classes import trainer
from tests.faults.classes.trainer import Training
from tests.faults.kills import template_in, until
from tests.faults.processes import Process, Zygote
from tests.faults.servers import MlflowServer

PATIENCE = 90.0  # seconds after which something that ought to end has hung
RAW = ("Traceback (most recent call last)", "Exception in thread", "Exception ignored")
_IGNORED = re.compile(
    r"^Exception ignored in.*\n(?:Traceback.*\n(?:[ \t].*\n)*)?(?:\w[\w.]*.*\n?)?", re.M
)
SCRIPT = Path(trainer.__file__)

Point = tuple[str, int, float]
Rows = Callable[..., list[tuple[Any, ...]]]


@dataclass
class Seen:
    """What became of a schedule: what went wrong, what was compared, whether the fault struck."""

    problems: list[str] = field(default_factory=list)
    points: int = 0
    met: bool = False


@dataclass(frozen=True)
class Kind:
    """A class of faults.

    Attributes
    ----------
    name : str
        What it is called on the command line.
    draw : callable
        Returns the plan of a seed, whose text says all of it.
    play : callable
        Plays a plan on a stage.
    at_once : int
        How many are played beside each other.
    why_not : callable
        Says why the class cannot be played here; empty where it can.
    """

    name: str
    draw: Callable[[int], Any]
    play: Callable[[Any, Stage], Seen]
    at_once: int = 3
    why_not: Callable[[], str] = lambda: ""


class Bench:
    """What the schedules share: a parent of processes, an empty store, servers when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "XDG_"))}
        self.environment = {k: v for k, v in kept.items() if not k.startswith("CVTRACK_")}
        self.template = template_in(folder)
        self.zygote = Zygote(self.environment)
        self.closers: list[Callable[[], object]] = [self.zygote.close]
        self.shared: dict[str, Any] = {}
        self._lock = threading.Lock()

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what is made once for all schedules."""
        with self._lock:
            if name not in self.shared:
                self.shared[name] = make()
            return self.shared[name]

    def server(self) -> MlflowServer:
        """Return a real server on SQLite."""

        def start() -> MlflowServer:
            place = self.folder / "server"
            place.mkdir()
            server = MlflowServer(place, f"sqlite:///{place / 'server.db'}")
            self.closers.append(server.kill)
            return server

        found = self.once("server", start)
        assert isinstance(found, MlflowServer)
        return found

    def close(self) -> None:
        """Take everything down."""
        for close in reversed(self.closers):
            close()


class Stage:
    """A folder, a store and a state folder of its own, for one schedule."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench = bench
        self.folder = bench.folder / name
        self.folder.mkdir()
        self.state = self.folder / "home" / "cvtrack_magics"
        self.state.parent.mkdir(mode=0o700)
        self.database = self.folder / "mlflow.db"
        shutil.copyfile(bench.template, self.database)
        self.artifacts = self.folder / "artifacts"
        with closing(sqlite3.connect(self.database)) as store, store:
            store.execute("UPDATE experiments SET artifact_location = ?", (str(self.artifacts),))
        self.processes: dict[str, Process] = {}
        self.raw_allowed: set[str] = set()
        self.environment = {
            **bench.environment,
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.database}",
            "XDG_STATE_HOME": str(self.state.parent),
            "TMPDIR": str(self.folder),
            "IPYTHONDIR": str(self.folder / "ipython"),
            "CVTRACK_WATCH": "0",
            "CVTRACK_SENDER": "thread",
            "CVTRACK_CLOSE_TIMEOUT": "1",
            "CVTRACK_EXIT_TIMEOUT": "2",
            "OPENBLAS_NUM_THREADS": "1",
        }

    # -- processes

    def start(self, what: str, *arguments: object, name: str, **more: str) -> Process:
        """Fork a process that has imported everything."""
        process = self.bench.zygote.fork(
            what,
            *arguments,
            folder=self.folder,
            name=name,
            env={**self.environment, **more},
        )
        self.processes[name] = process
        return process

    def train(self, *trainings: Training, **more: str) -> Process:
        """Start trainings, one after the other, whose calls are read with :meth:`acked`."""
        plan = json.dumps([asdict(training) for training in trainings])
        name = trainings[0].name
        process = self.start("script", SCRIPT, plan, self.folder, name=name, **more)
        self.processes |= {training.name: process for training in trainings}
        return process

    def sync(self, name: str = "sync", **more: str) -> Process:
        """Start ``python -m cvtrack_magics sync``."""
        name = f"{name}-{len(self.processes)}"
        return self.start("module", "sync", "--state", self.state, name=name, **more)

    def ended(self, process: Process, seen: Seen, patience: float = PATIENCE) -> bool:
        """Wait for a process; one that hangs is a problem."""
        if process.wait(patience) is None:
            seen.problems.append(f"{process.out.stem} hung: {process.said[-500:]}")
            process.close()
            return False
        return True

    def synced(self, seen: Seen, **more: str) -> str:
        """Sync, and return what was said."""
        process = self.sync(**more)
        self.ended(process, seen)
        return process.said

    def acked(self, training: Training) -> int:
        """Return how many calls of ``log()`` returned."""
        return self.said(training).splitlines().count(b"1")

    def said(self, training: Training) -> bytes:
        """Return what a training said of itself."""
        path = self.folder / f"{training.name}.acks"
        return path.read_bytes() if path.exists() else b""

    def wait_acked(self, training: Training, calls: int) -> None:
        """Wait until so many calls have returned."""
        process = self.processes[training.name]
        until(lambda: self.acked(training) >= calls or process.status is not None, PATIENCE)
        if self.acked(training) < calls:
            raise RuntimeError(f"{training.name} came to {self.acked(training)}: {process.said}")

    def go(self, training: Training) -> None:
        """Let a training go on that waits before its end."""
        (self.folder / f"{training.name}.go").touch()

    def end(self, training: Training) -> None:
        """Let a training end that stays."""
        (self.folder / f"{training.name}.end").touch()

    def close(self, seen: Seen) -> None:
        """End what still runs; what was said raw by any process is a problem."""
        for name, process in self.processes.items():
            process.close()
            said = _IGNORED.sub(_of_others, process.said)
            raw = [mark for mark in RAW if mark in said]
            if raw and name not in self.raw_allowed:
                seen.problems.append(f"{name} said it raw: {said[-1500:]}")

    # -- the store

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the store from answering anybody."""
        with closing(sqlite3.connect(self.database, timeout=60, isolation_level=None)) as store:
            store.execute("BEGIN EXCLUSIVE")
            try:
                yield
            finally:
                store.execute("ROLLBACK")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the store with SQL; ``%s`` stands for a value."""
        with closing(sqlite3.connect(self.database, timeout=60)) as store:
            return list(store.execute(query.replace("%s", "?"), values).fetchall())

    def stored(self, name: str) -> Counter[Point]:
        """Return the points of the runs of a name, and how often each is there."""
        return stored_in(self.rows, name)


def stored_in(rows: Rows, name: str) -> Counter[Point]:
    """Return the points that a store has of the runs of a name."""
    query = "SELECT key, step, value FROM metrics m JOIN runs r ON m.run_uuid = r.run_uuid"
    found = rows(f"{query} WHERE r.name = %s", name)
    return Counter((str(k), int(s), float(v)) for k, s, v in found if str(k).startswith("p/"))


def compare(
    stage: Stage,
    training: Training,
    seen: Seen,
    statuses: set[str],
    *,
    rows: Rows | None = None,
    whole: bool = True,
) -> set[Point]:
    """Compare the store with what was acknowledged; return what is not there.

    Nothing may be altered, foreign or doubled; where ``whole`` nothing may be missing either,
    and the run is there once, with its facts and one of the statuses.
    """
    rows = rows or stage.rows
    name = training.name
    calls = stage.acked(training)
    wanted = {point for n in range(calls) for point in training.points(n)}
    under_way = set(training.points(calls))
    for worker in range(training.workers):
        path = stage.folder / f"{name}-w{worker}.acks"
        done = path.read_bytes().splitlines().count(b"1") if path.exists() else 0
        wanted |= {point for n in range(done) for point in training.worker_points(worker, n)}
        under_way |= set(training.worker_points(worker, done))
    stored = stored_in(rows, name)
    steps = Counter((key, step) for key, step, _ in stored.elements())
    lost = wanted - set(stored)
    seen.points += len(wanted)
    wrong: dict[str, set[Any]] = {
        "altered or foreign": set(stored) - wanted - under_way,
        "doubled": {step for step, count in steps.items() if count > 1},
        "lost": lost if whole else set(),
    }
    for what, found in wrong.items():
        if found:
            some = sorted(found, key=str)[:3]
            seen.problems.append(f"{name}: {len(found)} of {len(wanted)} points {what}: {some}")
    if whole:
        _facts(stage, training, seen, statuses, rows)
    return lost


def _facts(
    stage: Stage,
    training: Training,
    seen: Seen,
    statuses: set[str],
    rows: Rows,
) -> None:
    name = training.name
    runs = rows("SELECT run_uuid, status FROM runs WHERE name = %s", name)
    if len(runs) != 1:
        seen.problems.append(f"{name}: {len(runs)} runs in the store instead of one")
        return
    [(run_id, status)] = runs
    if status not in statuses:
        seen.problems.append(f"{name}: {status} instead of {' or '.join(sorted(statuses))}")
    if b"config\n" in stage.said(training):
        found: dict[str, str] = dict(
            rows("SELECT key, value FROM params WHERE run_uuid = %s", run_id)
        )
        if found.get("of") != name:
            seen.problems.append(f"{name}: param 'of' is {found.get('of')!r}")


def check_files(stage: Stage, training: Training, root: Path, seen: Seen) -> None:
    """The files that were handed over lie in the store."""
    said = stage.said(training)
    for mark, name in ((b"config\n", training.name), (b"late\n", f"{training.name}-late")):
        if mark in said:
            found = [path.read_text() for path in root.rglob(f"{name}.yaml")]
            if len(found) != 1 or training.name not in found[0]:
                seen.problems.append(f"{training.name}: its file {name}.yaml is {found}")


def check_journal_is_empty(stage: Stage, seen: Seen) -> None:
    """What the store has does not wait any more."""
    left = sorted(stage.state.glob("journal/*/run.json"))
    if left:
        seen.problems.append(f"the journal still holds {[path.parent.name for path in left]}")


def is_root() -> bool:
    """Whether this process may change owners and mount."""
    return sys.platform == "linux" and os.geteuid() == 0


def _of_others(found: re.Match[str]) -> str:
    """Leave out what a handler of the training raised in a library that is not ours."""
    block = found.group()
    return "" if "/logger.py" in block and "/cvtrack_magics/" not in block else block
