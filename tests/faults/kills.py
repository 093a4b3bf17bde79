"""Kernel, sending process and watcher as they are, killed and stopped at random moments.

``python -m tests.faults.kills 50`` plays so many of each kind, two at a time, and prints a line
for each that went wrong and a table of all. Nothing is imported beforehand or forked from a
prepared process: what is killed is what a user's machine has.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).parents[2]
SOON = 10.0  # seconds within which a killed run is KILLED in the store
LAST = 60.0  # seconds within which no process is left
PATIENCE = 120.0
CALLS = 3000
PACE = 0.002

SCRIPT = f"""
import os, sys, time
from cvtrack_magics import log, mlrun
from cvtrack_magics.delivery import sending_process as outside
outside.AFTER = 0.5
acks = os.open("acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
with mlrun("r", output=False):
    os.write(acks, b"open\\n")
    for step in range({CALLS}):
        log({{"loss": float(step), "acc": step / 2}}, step=step)
        os.write(acks, b"1\\n")
        time.sleep({PACE})
os.write(acks, b"closed\\n")
"""


@dataclass
class Life:
    """One script and what runs beside it."""

    folder: Path
    process: subprocess.Popen[bytes]
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """From the kill until all was in the store."""
    points: int = 0
    """How many were compared with what was acknowledged."""
    met: bool = False
    """Whether something was killed or stopped while the run was open."""

    def acked(self) -> int:
        """Return how many calls of log() returned."""
        path = self.folder / "acks"
        return path.read_bytes().count(b"1") if path.exists() else 0

    def has(self, mark: bytes) -> bool:
        """Whether the script said that it is so far."""
        path = self.folder / "acks"
        return path.exists() and mark in path.read_bytes()

    def beside(self, what: str = "cvtrack_magics") -> list[psutil.Process]:
        """Return the processes that run for the script and are not it."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                beside = process.environ().get("XDG_STATE_HOME") == str(self.folder)
                beside = beside and process.pid != self.process.pid
                if beside and what in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def stored(self) -> tuple[str, set[tuple[str, int, float]], int]:
        """Return status, points and their number, as the store has them."""
        uri = f"file:{self.folder}/mlflow.db?mode=rw"  # a journal that was left has to be undone
        with closing(sqlite3.connect(uri, uri=True, timeout=20)) as store:
            rows = store.execute("SELECT run_uuid, status FROM runs").fetchall()
            if len(rows) != 1:
                return f"{len(rows)} runs", set(), 0
            found = store.execute(
                "SELECT key, step, value FROM metrics WHERE key IN ('loss', 'acc')"
            ).fetchall()
            return str(rows[0][1]), set(found), len(found)


def begin(template: Path) -> Life:
    """Start a script with a store and a state folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="cvtrack-kills-"))
    shutil.copyfile(template, folder / "mlflow.db")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "CVTRACK_"))}
    environment = {
        **kept,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "XDG_STATE_HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "OPENBLAS_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    return Life(folder, process)


def until(what: Callable[[], object], seconds: float = PATIENCE) -> bool:
    """Wait until something is so; False when it never was."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_whole(life: Life, status: str) -> bool:
    """Whether the store has the run's end and all that was acknowledged."""
    said, points, _ = life.stored()
    wanted = {(n, s, s / (1 + (n == "acc"))) for s in range(life.acked()) for n in ("loss", "acc")}
    return said == status and wanted <= points


def check(life: Life, status: str, soon: float = PATIENCE) -> None:
    """Wait until the run is whole, and note what is wrong with it."""
    began = time.monotonic()
    until(lambda: is_whole(life, status))
    life.seconds = time.monotonic() - began
    said, points, many = life.stored()
    life.points = 2 * life.acked()
    if not is_whole(life, status):
        life.problems.append(f"{said} with {many} points of {2 * life.acked()}")
    elif life.seconds > soon:
        life.problems.append(f"{status} only after {life.seconds:.1f} s")
    if many != len(points):
        life.problems.append(f"{many - len(points)} points are doubled")
    if many > 2 * (life.acked() + 1):
        life.problems.append(f"{many} points, of {2 * life.acked()} acknowledged")


def of_kernel(life: Life, draw: random.Random) -> None:
    """The kernel is killed."""
    time.sleep(draw.uniform(0.0, CALLS * PACE))
    life.met = life.process.poll() is None and not life.has(b"closed")
    life.process.kill()
    life.process.wait()
    check(life, "FINISHED" if life.has(b"closed") else "KILLED", SOON)


def of_companion(life: Life, draw: random.Random) -> None:
    """The process that sends is killed, and the kernel goes on."""
    until(lambda: life.beside("delivery.sending") or life.has(b"closed"))
    time.sleep(draw.uniform(0.0, CALLS * PACE / 2))
    life.met = bool(life.beside("delivery.sending")) and not life.has(b"closed")
    for process in life.beside("delivery.sending"):
        process.kill()
    life.process.wait(PATIENCE)
    check(life, "FINISHED")


def of_both(life: Life, draw: random.Random) -> None:
    """Kernel and sending process are killed; the watcher is left."""
    until(lambda: life.beside("delivery.sending") or life.has(b"closed"))
    time.sleep(draw.uniform(0.0, CALLS * PACE / 2))
    life.met = bool(life.beside("delivery.sending")) and not life.has(b"closed")
    for process in life.beside("delivery.sending"):
        process.kill()
    life.process.kill()
    life.process.wait()
    check(life, "FINISHED" if life.has(b"closed") else "KILLED", SOON)


def of_sleep(life: Life, draw: random.Random) -> None:
    """All of them are stopped for a while, as on a machine that sleeps."""
    time.sleep(draw.uniform(0.0, CALLS * PACE))
    life.met = not life.has(b"closed")
    sleeping = [psutil.Process(life.process.pid), *life.beside()]
    for process in sleeping:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGSTOP)
    time.sleep(draw.uniform(5.0, 20.0))
    for process in sleeping:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGCONT)
    life.process.wait(PATIENCE)
    check(life, "FINISHED")


KINDS = {"kernel": of_kernel, "companion": of_companion, "both": of_both, "asleep": of_sleep}


def play(kind: str, seed: int, template: Path) -> Life:
    """Play one."""
    life = begin(template)
    try:
        if not until(lambda: life.has(b"open") or life.process.poll() is not None):
            life.problems.append("the run was never open")
        KINDS[kind](life, random.Random(f"{kind} {seed}"))
        if not until(lambda: not life.beside(), LAST):
            left = [" ".join(p.cmdline())[-80:] for p in life.beside()]
            life.problems.append(f"left after {LAST:.0f} s: {left}")
        if list((life.folder / "cvtrack_magics").glob("journal/*/run.json")):
            life.problems.append("the journal is still there")
    except Exception as error:  # the harness's own failure is a failure
        life.problems.append(f"harness: {type(error).__name__}: {error}")
    finally:
        life.process.kill()
        life.process.wait()
        for process in life.beside():
            with suppress(psutil.Error):
                process.kill()
        if not life.problems:
            shutil.rmtree(life.folder, ignore_errors=True)
    return life


def template_in(folder: Path) -> Path:
    """Make an empty store, to be copied."""
    import mlflow

    path = folder / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


def main(words: list[str]) -> int:
    """Play as many of each kind as were asked for; 1 when one went wrong."""
    many = int(words[0]) if words else 50
    kinds = words[1:] or list(KINDS)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        template = template_in(Path(folder))
        for kind in kinds:
            playing = [pool.submit(play, kind, seed, template) for seed in range(many)]
            lives = [one.result() for one in playing]
            for seed, life in enumerate(lives):
                if life.problems:
                    wrong += 1
                    print(f"WRONG {kind} {seed} in {life.folder}: {'; '.join(life.problems)}")
            times = sorted(life.seconds for life in lives)
            right = sum(not life.problems for life in lives)
            print(
                f"{kind}: {right} of {many} right; in the store after {median(times):.1f} s "
                f"(median), {times[-1]:.1f} s at most",
                flush=True,
            )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
