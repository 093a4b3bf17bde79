"""``make rank-kills``: break cells with ranks at random moments, and count what is left."""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import mlflow
import psutil

from tests.kernels import Kernel

FAULTS = {"kernel": "KILLED", "rank": "FAILED", "launcher": "FAILED", "interrupt": "KILLED"}
RANK, LAUNCHER = "cvtrack_magics.notebook.rank_process", "cvtrack_magics.run.ranks.launcher"
BESIDE = ("cvtrack_magics.delivery", "cvtrack_magics/delivery", "cvtrack_magics sync")
"""What outlives a kernel: the watcher, the process that sends, and the one that sends the rest."""
GONE = 10.0  # seconds after which no process may be left
SETTLED = 60.0  # seconds that the watcher has for the run's end
BODY = """%%mlrun {name} --ranks 2
import subprocess, sys
import torch.distributed as dist
if os.environ['RANK'] == '1':
    started = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
dist.init_process_group('gloo')
for step in track(range(100_000), 'step'):
    dist.barrier()
    log({{'loss': float(step)}})
    time.sleep(0.02)
"""


@dataclass(frozen=True)
class Try:
    """One cell, what breaks it, and after how many seconds."""

    name: str
    fault: str
    after: float


def play(one: Try, folder: Path, store: str) -> list[str]:
    """Play a try in a new kernel; return what is wrong afterwards."""
    mark = uuid4().hex
    with Kernel(folder, CVTRACK_WATCH="1", CVTRACK_SENDER="process", RANKS_MARK=mark) as kernel:
        kernel.run("%load_ext cvtrack_magics\nimport os, time").check()
        message = kernel.start(BODY.format(name=one.name))
        _wait_for_run(store, one.name)
        time.sleep(one.after)
        _break(one.fault, kernel, mark)
        if one.fault != "kernel":
            kernel.finish(message, timeout=60)
        left = _left(mark, kernel)
        return [*left, *_wrong_in(store, one)]


def _break(fault: str, kernel: Kernel, mark: str) -> None:
    if fault == "kernel":
        os.kill(_kernel_pid(kernel), signal.SIGKILL)
    elif fault == "interrupt":
        kernel.manager.interrupt_kernel()
    else:
        wanted = RANK if fault == "rank" else LAUNCHER
        found: list[int] = []
        until = time.monotonic() + 60
        while not found and time.monotonic() < until:
            found = [one.pid for one in _marked(mark) if wanted in _line(one)]
        with suppress(ProcessLookupError):
            os.kill(random.choice(found), signal.SIGKILL)


def _kernel_pid(kernel: Kernel) -> int:
    return int(kernel.manager.provisioner.pid)


def _line(one: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(one.cmdline())
    return ""


def _marked(mark: str) -> Iterator[psutil.Process]:
    """Yield the processes that have a kernel's environment."""
    for one in psutil.process_iter():
        with suppress(psutil.Error):
            if one.environ().get("RANKS_MARK") == mark and one.status() != psutil.STATUS_ZOMBIE:
                yield one


def _left(mark: str, kernel: Kernel) -> list[str]:
    """Return the processes that are still there when none may be."""
    until = time.monotonic() + GONE
    while True:
        lines = [_line(one) for one in _marked(mark) if one.pid != _kernel_pid(kernel)]
        lines = [line for line in lines if line and not any(word in line for word in BESIDE)]
        if not lines or time.monotonic() > until:
            return [f"left: {line[:120]}" for line in lines]
        time.sleep(0.2)


def _runs(store: str, name: str) -> list[mlflow.entities.Run]:
    client = mlflow.MlflowClient(tracking_uri=store)
    found: list[mlflow.entities.Run] = client.search_runs(["0"], max_results=1000)
    return [run for run in found if run.info.run_name == name]


def _wait_for_run(store: str, name: str) -> None:
    until = time.monotonic() + 60
    while not _runs(store, name) and time.monotonic() < until:
        time.sleep(0.1)


def _wrong_in(store: str, one: Try) -> list[str]:
    until = time.monotonic() + SETTLED
    while True:
        states = [run.info.status for run in _runs(store, one.name)]
        if states == [FAULTS[one.fault]] or time.monotonic() > until:
            break
        time.sleep(0.3)
    wrong = [] if states == [FAULTS[one.fault]] else [f"runs are {states}"]
    client = mlflow.MlflowClient(tracking_uri=store)
    for run in _runs(store, one.name):
        steps = sorted(m.step for m in client.get_metric_history(run.info.run_id, "loss"))
        if steps != list(range(len(steps))):
            wrong.append(f"steps are {len(steps)}, and {len(set(steps))} different")
    return wrong


def main() -> int:
    """Play what was asked for; 1 where anything was left or wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tries", type=int, default=100)
    options.add_argument("--seed", type=int, default=14)
    options.add_argument("--longest", type=float, default=12.0)
    asked = options.parse_args()
    draw = random.Random(asked.seed)
    root = Path(tempfile.mkdtemp(prefix="cvtrack-rank-kills-"))
    store = f"sqlite:///{root / 'mlflow.db'}"
    os.environ.update(MLFLOW_TRACKING_URI=store, XDG_STATE_HOME=str(root / "state"))
    mlflow.MlflowClient(tracking_uri=store).search_experiments()
    played, fell = Counter[str](), Counter[str]()
    for number in range(asked.tries):
        fault = list(FAULTS)[number % len(FAULTS)]
        one = Try(f"t{number}", fault, draw.uniform(0, asked.longest))
        wrong = play(one, root, store)
        played[fault] += 1
        fell[fault] += bool(wrong)
        print(f"{number:3} {fault:9} {one.after:5.1f} s {wrong or 'right'}", flush=True)
    for fault in FAULTS:
        print(f"{fault:9} {played[fault]:3} played, {fell[fault]:3} fell")
    return int(fell.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
