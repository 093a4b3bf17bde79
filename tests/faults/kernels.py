"""Many kernels on one state folder and one store: all runs right, and no process left.

``python -m tests.faults.kernels 20`` opens so many, four at a time; each trains for longer than a
run stays with its kernel, and then is shut down, restarted, interrupted or killed.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psutil

from tests.faults.kills import LAST, template_in, until
from tests.kernels import Kernel

STEPS = 250
CELL = f"""%%mlrun {{name}}
import time
print("begins", flush=True)
for step in range({STEPS}):
    log({{{{"loss": float(step)}}}}, step=step)
    time.sleep(0.02)
"""
ENDS = ("shutdown", "restart", "killed in the loop", "killed after it", "interrupted")
RIGHT = {"killed in the loop": "KILLED", "interrupted": "KILLED"}


def live(number: int, folder: Path) -> str:
    """Open a kernel, train, and end it in one of the ways; return which."""
    end = ENDS[number % len(ENDS)]
    kernel = Kernel(folder)
    try:
        kernel.run("%load_ext cvtrack_magics").check()
        cell = CELL.format(name=f"r{number}")
        if end in RIGHT:
            message = kernel.start(cell)
            kernel.wait_output(message, "begins")
            time.sleep(random.Random(number).uniform(3.5, 4.5))
            if end == "interrupted":
                kernel.manager.interrupt_kernel()
                kernel.finish(message)
            else:
                kernel.manager.signal_kernel(signal.SIGKILL)
            return end
        kernel.run(cell).check()
        if end == "restart":
            kernel.manager.restart_kernel(now=False)
        elif end == "killed after it":
            kernel.manager.signal_kernel(signal.SIGKILL)
        return end
    finally:
        kernel.close()


def beside(folder: Path) -> list[str]:
    """Return what still runs for these kernels."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("XDG_STATE_HOME") == str(folder):
                found.append(" ".join(process.cmdline())[-80:])
    return found


def problems(ends: list[str], folder: Path) -> list[str]:
    """Wait until the store has all runs, and return what is wrong."""

    def stored() -> dict[str, tuple[str, int]]:
        with closing(sqlite3.connect(folder / "mlflow.db", timeout=20)) as store:
            rows = store.execute(
                "SELECT r.name, r.status, (SELECT count(*) FROM metrics m WHERE m.run_uuid ="
                " r.run_uuid AND m.key = 'loss') FROM runs r"
            ).fetchall()
        return {str(name): (str(status), int(points)) for name, status, points in rows}

    def wrong() -> list[str]:
        seen = stored()
        found = [f"{len(seen)} runs of {len(ends)}"] if len(seen) != len(ends) else []
        for number, end in enumerate(ends):
            status, points = seen.get(f"r{number}", ("", 0))
            whole = points > 0 if end in RIGHT else points == STEPS
            if status != RIGHT.get(end, "FINISHED") or not whole:
                found.append(f"r{number}, {end}: {status} with {points} points")
        return found

    until(lambda: not wrong(), LAST)
    return wrong()


def play(many: int) -> tuple[list[str], int]:
    """Open so many kernels; return what went wrong, and how many points were compared."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        template_in(folder)
        kept = {key: os.environ.get(key) for key in ("MLFLOW_TRACKING_URI", "XDG_STATE_HOME")}
        os.environ.update(
            MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db", XDG_STATE_HOME=str(folder)
        )
        try:
            with ThreadPoolExecutor(4) as pool:
                ends = list(pool.map(lambda number: live(number, folder), range(many)))
        finally:
            for key, value in kept.items():
                del os.environ[key]
                if value is not None:
                    os.environ[key] = value
        said = problems(ends, folder)
        if not until(lambda: not beside(folder), LAST):
            said += [f"left after {LAST:.0f} s: {line}" for line in beside(folder)]
        return said, STEPS * sum(end not in RIGHT for end in ends)


def main(words: list[str]) -> int:
    """Open as many as were asked for; 1 when one went wrong or something was left."""
    many = int(words[0]) if words else 20
    said, points = play(many)
    for line in said:
        print(f"WRONG {line}")
    print(f"kernels: {many - len(said)} of {many} right; {points:,} points; no process left")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
