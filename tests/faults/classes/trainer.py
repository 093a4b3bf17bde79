"""A training that says of each call of ``log()`` that it returned; run as a script."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

WORKER_STEPS = 60
LONGEST = 120.0  # seconds that a worker stays after its last call


@dataclass(frozen=True)
class Training:
    """What a training does, in one run.

    ``waits`` lets it wait, after its steps, until somebody says that it may go on; ``more`` is
    how many steps it makes then, after a file; ``stays`` lets it wait once more, at its end.
    ``uri`` is the store, where it is not the one of
    the environment. ``workers`` are forked, log beside it and live on until they are killed;
    before the second half of its steps the clock is stepped by ``clock`` seconds.
    """

    name: str
    steps: int = 200
    pace: float = 0.002
    waits: bool = False
    stays: bool = False
    more: int = 0
    seed: int = 0
    uri: str = ""
    workers: int = 0
    clock: float = 0.0

    def metrics(self, step: int) -> dict[str, float]:
        """Return what is logged at a step; every third step has one name more."""
        base = float((self.seed * 7919 + step * 31) % 10_007)
        found = {"p/loss": base / 7, "p/acc": -base}
        return {**found, "p/third": base * 1e-9} if step % 3 == 0 else found

    def points(self, step: int) -> list[tuple[str, int, float]]:
        """Return the points of a step."""
        return [(key, step, value) for key, value in self.metrics(step).items()]

    def worker_metrics(self, worker: int, step: int) -> dict[str, float]:
        """Return what a worker logs at a step."""
        return {f"p/worker{worker}": float(self.seed * 11 + step * 3)}

    def worker_points(self, worker: int, step: int) -> list[tuple[str, int, float]]:
        """Return the points of a worker's step."""
        return [(key, step, value) for key, value in self.worker_metrics(worker, step).items()]


def main(training: Training, folder: Path) -> None:
    """Train."""
    import mlflow

    from cvtrack_magics import mlconfig, mlrun

    if training.uri:
        mlflow.set_tracking_uri(training.uri)
    acks = acks_of(folder, training.name)
    half = training.steps // 2
    with mlrun(training.name, output=False, params={"of": training.name}):
        os.write(acks, b"open\n")
        mlconfig({"made": training.name}, name=training.name)
        os.write(acks, b"config\n")
        train(training, range(half), acks)
        for worker in range(training.workers):
            if os.fork() == 0:
                be_a_worker(training, worker, folder)
        if training.clock:
            step_clock(training.clock)
        train(training, range(half, training.steps), acks)
        wait(training.waits, folder / f"{training.name}.go")
        if training.more:
            mlconfig({"late": training.name}, name=f"{training.name}-late")
            os.write(acks, b"late\n")
            train(training, range(training.steps, training.steps + training.more), acks)
        wait(training.stays, folder / f"{training.name}.end")
    os.write(acks, b"closed\n")


def wait(waits: bool, file: Path) -> None:
    """Wait for a file, where it is meant to be waited."""
    while waits and not file.exists():
        time.sleep(0.02)


def acks_of(folder: Path, name: str) -> int:
    """Open the file in which it is said what returned."""
    return os.open(folder / f"{name}.acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def be_a_worker(training: Training, worker: int, folder: Path) -> None:
    """Log beside the parent, and stay."""
    from cvtrack_magics import log

    acks = acks_of(folder, f"{training.name}-w{worker}")
    os.write(acks, f"pid {os.getpid()}\n".encode())
    for step in range(WORKER_STEPS):
        log(training.worker_metrics(worker, step), step=step)
        os.write(acks, b"1\n")
        time.sleep(0.005)
    time.sleep(LONGEST)
    os._exit(0)


def step_clock(seconds: float) -> None:
    """Step what this process takes for the clock of the machine."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 1e9)


def train(training: Training, steps: Iterable[int], acks: int) -> None:
    """Log some steps."""
    from cvtrack_magics import log

    for step in steps:
        log(training.metrics(step), step=step)
        os.write(acks, b"1\n")
        if training.pace:
            time.sleep(training.pace)


if __name__ == "__main__":
    for plan in json.loads(sys.argv[1]):
        main(Training(**plan), Path(sys.argv[2]))
