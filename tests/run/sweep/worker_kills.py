"""Kill what runs the bodies of a sweep's trials, and count.

As :mod:`tests.run.sweep.kills`, of the processes of ``--jobs`` and, where Ray is installed, of a
worker and of a node of a Ray cluster of two. The sweep itself goes on: nobody runs it again.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import mlflow

from cvtrack_magics import log, mlbest, mlsweep
from tests.run.sweep.broken import PLACES, SEEDS, TRIALS, Job
from tests.run.sweep.kills import left_over

PROCESS, WORKER, NODE = "process", "ray worker", "ray node"
FAULTS = (PROCESS, WORKER, NODE)
LIMIT = 300.0  # seconds that a sweep may take


def objective(trial: Any) -> float:
    """Take long enough to be met, log each step, and be killed once at a place."""
    x = trial.suggest_float("x", -3, 3) if os.environ["PLACE"] != "ask" else _asked(trial)
    for step in range(3):
        trial.report(x * x + step, step)
        if step == 1:
            _meet("report")
        log({"val/loss": x * x + 2 - step})
        time.sleep(0.05)
    _meet("tell")
    if os.environ["PLACE"] == "between":
        threading.Timer(0.1, _meet, ("between",)).start()
    return x * x


def _asked(trial: Any) -> float:
    _meet("ask")
    return float(trial.suggest_float("x", -3, 3))


def _meet(place: str) -> None:
    """Strike once, in the second trial or later; a node is struck by who runs on it."""
    folder, second = Path(os.environ["FOLDER"]), int(os.environ["SECOND"])
    if place != os.environ["PLACE"] or (second and os.getppid() != second):
        return
    try:
        (folder / "met").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(second or os.getpid(), signal.SIGKILL)
    if second:
        time.sleep(30)  # until it is ended with its node


def drive(folder: str, place: str, second: str, address: str) -> None:
    """Run the sweep: the process that has the study and the store."""
    os.chdir(folder)
    os.environ.update(FOLDER=folder, PLACE=place, SECOND=second)
    told = {"FOLDER": folder, "PLACE": place, "SECOND": second}

    def body(trial: Any) -> float:
        os.environ.update(told)
        assert "MLFLOW_TRACKING_TOKEN" not in os.environ
        return objective(trial)

    where: dict[str, Any] = {"engine": "ray", "address": address} if address else {"jobs": 2}
    mlsweep("s", body, metric="val/loss", trials=TRIALS, seeds=SEEDS, seed=1, **where)
    Path("best").write_text(mlbest("s").run_id)  # type: ignore[union-attr]


def play(job: Job, second: int, address: str) -> list[str]:
    """Play one schedule; return what is wrong in the end."""
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": job.store,
        "XDG_STATE_HOME": f"{job.folder}/state",
        "CVTRACK_WATCH": "0",
        "CVTRACK_SENDER": "thread",
        "CVTRACK_CLOSE_TIMEOUT": "30",
        "MLFLOW_TRACKING_TOKEN": "secret-of-the-store",
    }
    command = [sys.executable, "-m", "tests.run.sweep.worker_kills", "--drive", job.folder]
    command += [job.place, str(second), address]
    with Path(job.folder, "log").open("w") as log_file:
        try:
            code = subprocess.run(
                command,
                env=environment,
                stdout=log_file,
                stderr=log_file,
                timeout=LIMIT,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = -999
    wrong = [] if Path(job.folder, "met").exists() else ["the fault was not met"]
    wrong += (
        [] if code == 0 else [f"it ended with {code}: {Path(job.folder, 'log').read_text()[-300:]}"]
    )
    return wrong or left_over(job)


def main() -> int:
    """Play what was asked for, and print a table; 1 where anything fell."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--drive", nargs=4, default=None)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--faults", default="")
    options.add_argument("--places", default=",".join(PLACES))
    asked = options.parse_args()
    if asked.drive:
        drive(*asked.drive)
        return 0
    has_ray = importlib.util.find_spec("ray") is not None
    faults = asked.faults.split(",") if asked.faults else list(FAULTS if has_ray else FAULTS[:1])
    return _played(faults, asked.places.split(","), asked.rounds)


def _played(faults: list[str], places: list[str], rounds: int) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nodes are ended, too
    root = Path(tempfile.mkdtemp(prefix="cvtrack-worker-kills-"))
    print(f"files are in {root}", flush=True)
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{root}/mlflow.db").search_experiments()
    nodes: Any = None
    if {WORKER, NODE} & {*faults}:
        from tests.run.sweep.ray_cluster import TwoNodes

        nodes = TwoNodes(root)
    right = dict.fromkeys([(fault, place) for fault in faults for place in places], 0)
    try:
        for number in range(rounds):
            for fault, place in right:
                folder = root / f"{fault}-{place}-{number}".replace(" ", "-")
                folder.mkdir()
                shutil.copyfile(root / "mlflow.db", folder / "mlflow.db")
                if fault != PROCESS:
                    nodes.start_second()
                job = Job(str(folder), fault, place, number)
                second = nodes.second if fault == NODE else 0
                began = time.monotonic()
                wrong = play(job, second, nodes.address if fault != PROCESS else "")
                right[fault, place] += not wrong
                took = time.monotonic() - began
                print(
                    f"{fault:12} {place:8} {number}: {wrong or 'right'} ({took:.0f} s)", flush=True
                )
    finally:
        if nodes is not None:
            nodes.stop()
    print(f"\n{'':12}" + "".join(f"{place:>10}" for place in places))
    for fault in faults:
        cells = [f"{right[fault, place]}/{rounds}" for place in places]
        print(f"{fault:12}" + "".join(f"{cell:>10}" for cell in cells))
    count = rounds * len(right)
    print(f"{sum(right.values())} of {count} schedules ended right")
    return int(sum(right.values()) != count)


if __name__ == "__main__":
    sys.exit(main())
