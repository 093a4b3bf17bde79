"""Who lives: healers beside workers, clocks, namespaces and sleepers, and beside each other."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.faults.classes.common import (
    PATIENCE,
    Kind,
    Seen,
    Stage,
    check_files,
    check_journal_is_empty,
    compare,
    is_root,
)
from tests.faults.classes.trainer import Training
from tests.faults.kills import until
from tests.faults.processes import ROOT

STEPS = 120
SHIFTED = """
import runpy, sys, time
shift = float(sys.argv[1])
now, now_ns = time.time, time.time_ns
time.time = lambda: now() + shift
time.time_ns = lambda: now_ns() + int(shift * 1e9)
sys.argv = ["cvtrack_magics", *sys.argv[2:]]
runpy.run_module("cvtrack_magics", run_name="__main__", alter_sys=True)
"""
UNSHARED = {
    "another process namespace": ("--pid", "--fork", "--mount-proc"),
    "another host name": ("--uts",),
    "a container of its own": ("--pid", "--fork", "--mount-proc", "--uts", "--ipc", "--net"),
}
CLOCKS = (-10_800.0, -3.0, 2.5, 3600.0, 864_000.0)


@dataclass(frozen=True)
class Plan:
    """Who looks at whose run, and what the two do not agree about."""

    seed: int
    case: str
    clock: float
    workers: int
    healers: int
    watch: bool

    def __str__(self) -> str:
        return (
            f"locks {self.seed}: {self.case}, clock {self.clock:+.1f} s, {self.workers} workers, "
            f"{self.healers} healers, {'with' if self.watch else 'without'} a watcher"
        )


@dataclass(frozen=True)
class Scene:
    """A plan on its stage."""

    plan: Plan
    stage: Stage
    seen: Seen

    def training(self, **more: object) -> Training:
        """Return the training that is looked at."""
        values = {"pace": 0.002, "seed": self.plan.seed, "workers": self.plan.workers, **more}
        return Training(f"locks-{self.plan.seed}", STEPS, **values)  # type: ignore[arg-type]

    def heal_at_once(self) -> None:
        """Let healers sync beside each other, and wait for them."""
        healers = [self.stage.sync(f"healer{n}") for n in range(self.plan.healers)]
        for process in healers:
            self.stage.ended(process, self.seen)

    def is_left_alone(self, training: Training, said: str) -> None:
        """Note when a living run was not left alone."""
        rows = self.stage.rows("SELECT status FROM runs WHERE name = %s", training.name)
        if rows not in ([], [("RUNNING",)]):
            self.seen.problems.append(f"a living run was ended: {rows}: {said[-300:]}")
        if not any(self.stage.state.glob("journal/*/run.json")):
            self.seen.problems.append(f"a living run's journal was deleted: {said[-300:]}")

    def ends(self, training: Training) -> None:
        """Let a training go on to its end."""
        self.stage.go(training)
        self.stage.ended(self.stage.processes[training.name], self.seen)

    def end_workers(self, training: Training) -> None:
        """Kill the workers that live on."""
        for pid in self.workers(training):
            os.kill(pid, signal.SIGKILL)

    def workers(self, training: Training) -> list[int]:
        """Return the workers that live."""
        found = []
        for path in self.stage.folder.glob(f"{training.name}-w*.acks"):
            pid = int(path.read_text().split()[1])
            if psutil.pid_exists(pid):
                found.append(pid)
        return found

    def workers_done(self, training: Training) -> None:
        """Wait until the workers have logged all they log."""
        paths = [self.stage.folder / f"{training.name}-w{n}.acks" for n in range(training.workers)]
        until(lambda: all(p.exists() and p.read_text().count("\n") > 60 for p in paths), PATIENCE)


def _dead(scene: Scene) -> Training:
    """Kill a training whose workers live on, and let healers come at once."""
    stage = scene.stage
    training = scene.training(waits=True)
    process = stage.train(training)
    stage.wait_acked(training, STEPS)
    scene.workers_done(training)
    with stage.locked():  # what was logged last waits, and the healers meet
        process.close()
        healers = [stage.sync(f"healer{n}") for n in range(scene.plan.healers)]
        time.sleep(1)
        scene.seen.met = all(one.status is None for one in healers)
    scene.seen.met &= len(scene.workers(training)) == training.workers
    for one in healers:
        stage.ended(one, scene.seen)
    if scene.plan.workers:
        scene.end_workers(training)
    return training


def _clock_of_healer(scene: Scene) -> Training:
    """A healer with another clock looks at a living run."""
    stage = scene.stage
    training = scene.training(waits=True, more=40)
    stage.train(training)
    stage.wait_acked(training, STEPS)
    script = stage.folder / "shifted.py"
    script.write_text(SHIFTED)
    arguments = (scene.plan.clock, "sync", "--state", stage.state)
    process = stage.start("script", script, *arguments, name="shifted")
    stage.ended(process, scene.seen)
    scene.seen.met = "open" in process.said
    scene.is_left_alone(training, process.said)
    scene.end_workers(training)
    scene.ends(training)
    return training


def _clock_of_owner(scene: Scene) -> Training:
    """The clock of the one that trains is stepped, and healers look at it."""
    training = scene.training(waits=True, more=40, clock=scene.plan.clock)
    scene.stage.train(training)
    scene.stage.wait_acked(training, STEPS)
    scene.heal_at_once()
    scene.seen.met = True
    scene.is_left_alone(training, "")
    scene.end_workers(training)
    scene.ends(training)
    [(start, end)] = scene.stage.rows(
        "SELECT start_time, end_time FROM runs WHERE name = %s", training.name
    ) or [(0, 0)]
    if end is None or end < start:
        scene.seen.problems.append(f"the run ends {end} and began {start}")
    return training


def _stopped(scene: Scene) -> Training:
    """The one that trains is stopped, as on a machine that sleeps, and healers look at it."""
    stage = scene.stage
    training = scene.training(waits=True, more=40)
    process = stage.train(training)
    stage.wait_acked(training, STEPS)
    process.signal(signal.SIGSTOP)
    scene.heal_at_once()
    scene.seen.met = psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
    process.signal(signal.SIGCONT)
    scene.is_left_alone(training, "")
    scene.end_workers(training)
    scene.ends(training)
    return training


def _unshared(scene: Scene) -> Training:
    """A healer that counts its processes by itself looks at a living run."""
    stage = scene.stage
    training = scene.training(waits=True, more=40)
    stage.train(training)
    stage.wait_acked(training, STEPS)
    how = UNSHARED[scene.plan.case]
    command = ["unshare", *how, sys.executable, "-m", "cvtrack_magics", "sync"]
    if "--uts" in how:
        inner = 'hostname another-host; exec "$0" "$@"'
        command[len(how) + 1 : len(how) + 1] = ["sh", "-c", inner]
    ran = subprocess.run(
        [*command, "--state", str(stage.state)],
        cwd=ROOT,
        env=stage.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    said = ran.stdout + ran.stderr
    scene.seen.met = "open" in said
    if ran.returncode or "Traceback" in said:
        scene.seen.problems.append(f"the healer ended with {ran.returncode}: {said[-800:]}")
    scene.is_left_alone(training, said)
    scene.end_workers(training)
    scene.ends(training)
    return training


def _far(scene: Scene) -> Training:
    """A machine that slept for long was healed by another one, wakes, and goes on."""
    from cvtrack_magics.journal.folder import RunFolder, read_note

    stage = scene.stage
    training = scene.training(waits=True, more=40)
    process = stage.train(training)
    stage.wait_acked(training, STEPS)
    until(lambda: stage.stored(training.name), PATIENCE)
    process.signal(signal.SIGSTOP)
    path = next(stage.state.glob("journal/*/run.json")).parent
    RunFolder(path, read_note(path)).change(boot="of another machine")
    long_ago = time.time() - 10_000
    for file in (stage.state / "alive").iterdir():
        os.utime(file, (long_ago, long_ago))
    scene.heal_at_once()
    rows = stage.rows("SELECT status FROM runs WHERE name = %s", training.name)
    scene.seen.met = rows == [("KILLED",)]
    if not path.exists():
        scene.seen.problems.append("the journal of a machine that may wake was deleted")
    process.signal(signal.SIGCONT)
    scene.end_workers(training)
    scene.ends(training)
    return training


CASES: dict[str, Callable[[Scene], Training]] = {
    "dead, and healers at once": _dead,
    "the healer's clock is stepped": _clock_of_healer,
    "the owner's clock is stepped": _clock_of_owner,
    "the owner is stopped": _stopped,
    "the owner slept on another machine": _far,
    **(dict.fromkeys(UNSHARED, _unshared) if is_root() and shutil.which("unshare") else {}),
}


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"locks {seed}")
    names = list(CASES)
    return Plan(
        seed,
        names[seed % len(names)],
        pick.choice(CLOCKS),
        pick.choice((0, 1, 3)),
        pick.choice((2, 3)),
        pick.random() < 0.3,
    )


def play(plan: Plan, stage: Stage) -> Seen:
    """Play the case, then sync, and compare."""
    seen = Seen()
    if plan.watch:
        stage.environment["CVTRACK_WATCH"] = "1"
    scene = Scene(plan, stage, seen)
    try:
        training = CASES[plan.case](scene)
    finally:
        scene.end_workers(scene.training())
    stage.synced(seen)
    dead = plan.case.startswith("dead")
    compare(stage, training, seen, {"KILLED"} if dead else {"FINISHED"})
    check_files(stage, training, stage.artifacts, seen)
    check_journal_is_empty(stage, seen)
    return seen


KIND = Kind("locks", draw, play)
