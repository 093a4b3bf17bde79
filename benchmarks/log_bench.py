"""Runs the measurements of one tracker, each in fresh processes and a fresh folder."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.log_peers import python_with
from benchmarks.log_points import KEYS, Board
from benchmarks.log_server import Stores
from benchmarks.log_subjects import SUBJECTS

ROOT = Path(__file__).parent.parent
OPENING_S = 60
ORPHANS_S = 15
QUIET = {  # nothing is sent anywhere, and the user's own state is not touched
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "WANDB_ERROR_REPORTING": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
}

Found = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """One row of the table: a tracker and where it stores.

    Parameters
    ----------
    name : str
        In `SUBJECTS`.
    store : str
        ``"sqlite"``, ``"server"`` or, for trackers with files of their own, empty.
    share : float
        The part of the steps that it gets, because it is slow.
    """

    name: str
    store: str = ""
    share: float = 1.0

    @property
    def label(self) -> str:
        """Its name in the table."""
        where = f" → {self.store}" if self.store else ""
        return SUBJECTS[self.name].label + where


class Home:
    """A new folder and environment for one measurement."""

    def __init__(self, folder: Path, entry: Entry, stores: Stores) -> None:
        self.entry = entry
        self.folder = folder
        self.since = int(time.time() * 1000)
        self.board = folder.parent / f"{folder.name}.board"
        self.state = folder / "state"
        database = stores.database if entry.store == "server" else folder / "mlflow.db"
        folder.mkdir()
        if entry.store == "sqlite":
            stores.new_database(database)
        uri = stores.uri if entry.store == "server" else f"sqlite:///{database}"
        self._database = database
        self.environment = {
            **os.environ,
            **QUIET,
            "HOME": str(folder),
            "XDG_STATE_HOME": str(self.state),
            "TRACKIO_DIR": str(folder / "trackio"),
            "MLFLOW_TRACKING_URI": uri,
            "BENCH_DATABASE": str(database),
            "PYTHONPATH": str(ROOT),
        }
        self._before = self.bytes()
        self._started: list[subprocess.Popen[str]] = []

    def bytes(self) -> int:
        """Return what the tracker's files and its database take on disk."""
        files = {path for path in self.folder.rglob("*") if path.is_file()} | {self._database}
        return sum(path.stat().st_blocks * 512 for path in files if path.exists())

    def grown(self) -> int:
        """Return the bytes that were added."""
        return self.bytes() - self._before

    def start(self, measure: str, *more: object) -> subprocess.Popen[str]:
        """Start a measurement."""
        python = python_with(SUBJECTS[self.entry.name].module or "json")
        assert python is not None
        command = [python, "-m", "benchmarks.log_subject", self.entry.name, measure]
        command += [str(self._out(measure)), "--home", str(self.folder)]
        command += ["--since", str(self.since), "--board", str(self.board), *map(str, more)]
        errors = (self.folder.parent / f"{self.folder.name}.{measure}.err").open("w")
        with errors:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def result(self, measure: str, process: subprocess.Popen[str], patience: float) -> Found:
        """Wait for a measurement and return what it found, or ``error``."""
        try:
            process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return {"error": f"{measure}: not done in {patience:.0f} s"}
        out = self._out(measure)
        if not out.exists():
            said = out.with_suffix(".err").read_text().strip().splitlines()
            return {"error": f"{measure}: {said[-1] if said else process.returncode}"}
        return dict(json.loads(out.read_text()))

    def leave(self) -> None:
        """End what still runs and remove the folder."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _out(self, measure: str) -> Path:
        return self.folder.parent / f"{self.folder.name}.{measure}.json"


class Bench:
    """All measurements, written below one temporary folder."""

    def __init__(self, folder: Path, stores: Stores, work: int) -> None:
        self._folder = folder
        self._stores = stores
        self._work = work
        self._count = 0
        self._random = random.Random(0)

    @contextlib.contextmanager
    def _home(self, entry: Entry) -> Iterator[Home]:
        self._count += 1
        home = Home(self._folder / f"{self._count:03d}-{entry.name}", entry, self._stores)
        try:
            yield home
        finally:
            home.leave()

    def cost(self, entry: Entry, steps: int, patience: float = 120) -> Found:
        """Measure a tight loop: time a step, memory, disk."""
        with self._home(entry) as home:
            steps = max(1, round(steps * entry.share))
            found = home.result("cost", home.start("cost", "--steps", steps), patience)
            return {**found, "bytes_per_point": home.grown() / (steps * len(KEYS))}

    def loop(self, entry: Entry, steps: int, patience: float = 120) -> Found:
        """Measure a loop with work in it."""
        with self._home(entry) as home:
            steps = round(steps * max(entry.share, 0.2))
            started = home.start("cost", "--steps", steps, "--work", self._work)
            return home.result("cost", started, patience)

    def train(self, entry: Entry, kind: str, every: int, blocks: int) -> Found:
        """Measure how much longer the steps of a training loop take with two calls in each."""
        with self._home(entry) as home:
            more = ("--kind", kind, "--every", every, "--steps", blocks, "--work", 2 * self._work)
            return home.result("train", home.start("train", *more), 300)

    def queryable(self, entry: Entry, steps: int, patience: float = 120) -> Found:
        """Measure the time until another process sees all points."""
        with self._home(entry) as home:
            count = max(1, round(steps * entry.share))
            Board(home.board)
            watching = home.start("watch", "--steps", count, "--patience", patience)
            assert watching.stdout is not None
            watching.stdout.readline()
            filling = home.start("fill", "--steps", count)
            found = home.result("watch", watching, patience + OPENING_S)
            filled = home.result("fill", filling, 30)
            if "error" in filled:
                return filled
            if "queryable_s" in found:
                found["queryable_s"] *= steps / count
            return {**filled, **found}

    def kill(self, entry: Entry, steps: int, *, work: bool) -> Found:
        """Kill a loop with ``kill -9`` at a random moment, recover, count what is lost.

        Parameters
        ----------
        entry : Entry
            The tracker.
        steps : int
            A tight loop is killed after 0.3 to 1 times as many, or after two seconds; one
            with work after one to two seconds.
        work : bool
            Whether there is work between the steps.
        """
        with self._home(entry) as home:
            board = Board(home.board)
            rounds = self._work if work else 0
            child = home.start("burst", "--work", rounds, "--steps", 5 * steps)
            opened = time.monotonic() + OPENING_S
            while not board.steps:
                if child.poll() is not None or time.monotonic() > opened:
                    child.kill()
                    return home.result("burst", child, 5)
                time.sleep(0.001)
            until = time.monotonic() + (self._random.uniform(1, 2) if work else 2)
            enough = steps * 100 if work else self._random.uniform(0.3, 1) * steps
            while board.steps < enough and time.monotonic() < until:
                time.sleep(0.0001)
            orphans = _children(child.pid)
            child.kill()
            child.communicate()
            logged = board.steps
            found: Found = {"steps": logged, "logged": logged * len(KEYS)}
            _wait_for(orphans)
            if entry.name == "ours":
                found["recovery"] = self._sync(home)
            checking = home.start("survived", "--steps", logged)
            return {**found, **home.result("survived", checking, 60)}

    def _sync(self, home: Home) -> str:
        """Send what waits, as a user does after a crash; return what went wrong."""
        state = str(home.state / "cvtrack_magics")
        command = [sys.executable, "-m", "cvtrack_magics", "sync", "--state", state]
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=home.folder,
                env=home.environment,
                capture_output=True,
                text=True,
                timeout=180,
            )
        except subprocess.TimeoutExpired:
            return "sync: not done in 180 s"
        said = (done.stderr or done.stdout).strip().splitlines()
        return f"sync: {said[-1] if said else done.returncode}" if done.returncode else ""


def _children(pid: int) -> list[Any]:
    import psutil

    with contextlib.suppress(psutil.Error):
        return list(psutil.Process(pid).children(recursive=True))
    return []


def _wait_for(orphans: list[Any]) -> None:
    """Let a tracker's own helpers write what they have, then end them."""
    import psutil

    _, left = psutil.wait_procs(orphans, timeout=ORPHANS_S)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
