"""Plays a schedule: servers, proxy, victims and their ends, what comes after, the check."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.check import Check, Verdict
from tests.faults.processes import ROOT, KernelVictim, Process, Zygote
from tests.faults.proxy import Proxy
from tests.faults.schedule import BY_PARENT, Event, Schedule, VictimPlan
from tests.faults.servers import MlflowServer

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
START_TIMEOUT = 60.0
END_TIMEOUT = 100.0
SYNC_TIMEOUT = 60.0
ARRIVAL = 90.0  # seconds that something sent in the background has to arrive


@dataclass
class Result:
    """How a schedule went."""

    schedule: Schedule
    verdict: Verdict
    seconds: float
    hits: Counter[str] = field(default_factory=Counter)
    said: str = ""

    def __str__(self) -> str:
        lines = [str(self.schedule), *(f"  - {p}" for p in self.verdict.problems)]
        return "\n".join([*lines, self.said[-6000:]])


class Rough:
    """Bad times of a real server, shared by the schedules that live through them."""

    def __init__(self, parties: int) -> None:
        self.begin = threading.Barrier(parties + 1)
        self.over = threading.Event()


@dataclass
class Arena:
    """What all schedules share."""

    servers: dict[str, MlflowServer]
    zygote: Zygote
    folder: Path


class Play:
    """One schedule being played."""

    def __init__(self, arena: Arena, schedule: Schedule, rough: Rough | None = None) -> None:
        self.arena = arena
        self.schedule = schedule
        self.rough = rough
        self.server = arena.servers[schedule.store]
        self.folder = arena.folder / f"s{schedule.seed}-{time.time_ns() % 10**9}"
        self.state = self.folder / "state"
        self.state.mkdir(parents=True)
        self.proxy = Proxy(self.server.port, schedule.seed)
        self.problems: list[str] = []
        self.processes: dict[str, Process | KernelVictim] = {}
        self.ended: dict[str, int] = {}
        self._syncs = 0

    def __call__(self) -> Result:
        """Play it to its end."""
        began = time.monotonic()
        verdict = Verdict()
        try:
            name = f"schedule {self.schedule.seed} {time.time_ns()}"
            self.experiment = str(
                self.server.call("experiments/create", name=name)["experiment_id"]
            )
            self.environment = self._environment(name)
            self._live()
            self.proxy.set(None)
            verdict = self._settle()
        except Exception as error:  # the harness's own failure is a failure of this schedule
            self.problems.append(f"harness: {type(error).__name__}: {error}")
        finally:
            for process in self.processes.values():
                process.close()
            self.proxy.close()
        verdict.problems = self.problems + verdict.problems
        said = "\n".join(f"--- {n}: {p.status}\n{p.said}" for n, p in self.processes.items())
        return Result(self.schedule, verdict, time.monotonic() - began, self.proxy.hits, said)

    def _environment(self, experiment: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "XDG_"))}
        chosen = (
            {"MLFLOW_EXPERIMENT_NAME": experiment}
            if self.schedule.seed % 3
            else {"MLFLOW_EXPERIMENT_ID": self.experiment}
        )
        return {
            **kept,
            **chosen,
            "MLFLOW_TRACKING_URI": self.server.uri if self.schedule.rough else self.proxy.uri,
            "XDG_STATE_HOME": str(self.state),
            "CVTRACK_SENDER": self.schedule.sender,
            "CVTRACK_WATCH": "0",  # who sends what, and when, is the schedule's to say
            "IPYTHONDIR": str(self.folder / "ipython"),
            "PYTHONFAULTHANDLER": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    # -- while the victims live

    def _live(self) -> None:
        if self.rough is not None:
            self.rough.begin.wait(START_TIMEOUT)
        plays = [threading.Thread(target=self._one, args=(v,)) for v in self.schedule.victims]
        self._apply([e for e in self.schedule.events if e.at < 0], time.monotonic())
        for thread in plays:
            thread.start()
        time.sleep(self.schedule.victims[0].start_at)
        self._wait_ready(self.schedule.victims[0])
        began = time.monotonic()
        timeline = [(e.at, e.fault) for e in self.schedule.events if e.at >= 0]
        timeline += [(at, "sync") for at in self.schedule.syncs_beside]
        beside = []
        for at, what in sorted(timeline, key=lambda entry: entry[0]):
            _until(began + at)
            if what == "sync":
                beside.append(self._sync("beside"))
            else:
                self.proxy.set(what)
        for thread in plays:
            thread.join()
        if self.rough is not None and not self.rough.over.wait(END_TIMEOUT):
            self.problems.append("harness: the rough times did not end")
        self.proxy.set(None)
        for process in beside:
            if process.wait(SYNC_TIMEOUT) is None:
                self.problems.append(f"a sync beside the run did not end: {process.said[-500:]}")

    def _wait_ready(self, victim: VictimPlan) -> None:
        """Wait until the schedule's clock begins to run for a victim."""
        path = self.folder / f"{victim.name}.acks"
        mark = b'"opened"' if self.schedule.clock == "open" else b'"started"'
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if path.exists() and mark in path.read_bytes():
                return
            process = self.processes.get(victim.name)
            if process is not None and process.status is not None:
                return
            time.sleep(0.01)

    def _one(self, victim: VictimPlan) -> None:
        try:
            self._one_victim(victim)
        except Exception as error:
            self.problems.append(f"harness: {victim.name}: {type(error).__name__}: {error}")

    def _one_victim(self, victim: VictimPlan) -> None:
        time.sleep(victim.start_at)
        seed, name = self.schedule.seed, victim.name
        process: Process | KernelVictim
        if self.schedule.host == "kernel":
            run = victim.runs[0].name
            process = KernelVictim(seed, name, run, self.folder, self.environment)
        else:
            arguments = (seed, name, self.folder)
            process = self._fork("victim", *arguments, name=name)
        self.processes[name] = process
        if victim.end in BY_PARENT:
            self._wait_ready(victim)
            process_ended = getattr(process, "ended", threading.Event())
            process_ended.wait(victim.end_at)
            self.ended[name] = time.time_ns() // 1_000_000
            process.signal(SIGNALS[victim.end])
        if process.wait(END_TIMEOUT) is None:
            self.problems.append(f"{name} did not end in {END_TIMEOUT:.0f} s")
        process.close()

    def _fork(self, what: str, *arguments: object, name: str) -> Process:
        return self.arena.zygote.fork(
            what, *arguments, folder=self.folder, name=name, env=self.environment
        )

    def _apply(self, events: list[Event], began: float) -> None:
        for event in events:
            _until(began + event.at)
            self.proxy.set(event.fault)

    # -- afterwards

    def _sync(self, why: str) -> Process:
        self._syncs += 1
        name = f"sync{self._syncs}-{why.replace(' ', '-')}"
        arguments = ("sync", "--state", self.state / "cvtrack_magics", "--json")
        process = self._fork("module", *arguments, name=name)
        self.processes[name] = process
        return process

    def _settle(self) -> Verdict:
        check = Check(self.schedule, self.server, self.experiment, self.folder)
        way = self.schedule.settle
        if way == "nothing":
            self._complain(check(self.ended), "before any sync: ")
        elif way == "sync":
            self._expect_done(self._sync("after"))
        elif way == "command line":
            self._command_line()
        elif way == "three at once":
            for process in [self._sync("together") for _ in range(3)]:
                if process.wait(SYNC_TIMEOUT) is None:
                    self.problems.append("one of three syncs did not end")
        elif way == "killed sync":
            process = self._sync("killed")
            self._apply(list(self.schedule.settle_events), time.monotonic())
            process.signal(signal.SIGKILL)
            process.wait(10)
        elif way == "sync under fault":
            self.proxy.set(self.schedule.settle_events[0].fault)
            process = self._sync("under-fault")
            self._apply(list(self.schedule.settle_events), time.monotonic())
            if process.wait(SYNC_TIMEOUT) is None:
                self.problems.append("a sync under a fault did not end")
        elif way == "load":
            self._load(check)
        if way not in ("load", "nothing"):
            self._expect_done(self._sync("last"))
        verdict = check(self.ended)
        if way not in ("killed sync", "sync under fault", "three at once"):
            self._expect_nothing(check)
        return verdict

    def _complain(self, verdict: Verdict, when: str) -> None:
        self.problems += [f"{when}{problem}" for problem in verdict.problems]

    def _expect_done(self, process: Process) -> None:
        """A sync with the server up leaves nothing behind."""
        if process.wait(SYNC_TIMEOUT) != 0:
            said = f"{process.status}: {process.said[-1500:]}"
            self.problems.append(f"sync with the server up came back with {said}")

    def _expect_nothing(self, check: Check) -> None:
        """Nothing is left to be sent, and nothing is sent twice.

        A process that was told to end may have sent all and not have had the time to note it.
        Then one sync sends it again, which must change nothing, and the next finds nothing.
        """
        status, said = self._sync_again()
        hurried = any(victim.end == "sigterm" for victim in self.schedule.victims)
        if hurried and self.schedule.settle == "nothing" and said.get("sent"):
            self._complain(check(self.ended), "after all was sent again: ")
            status, said = self._sync_again()
        if status != 0 or said.get("sent") != [] or said.get("waiting") != []:
            self.problems.append(f"one more sync: {status}, {said}")

    def _sync_again(self) -> tuple[int | None, dict[str, Any]]:
        process = self._sync("again")
        status = process.wait(SYNC_TIMEOUT)
        try:
            return status, dict(json.loads(process.out.read_text()))
        except (OSError, ValueError):
            return status, {"said": process.said[-1500:]}

    def _command_line(self) -> None:
        command = [sys.executable, "-m", "cvtrack_magics", "sync"]
        command += ["--state", str(self.state / "cvtrack_magics")]
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SYNC_TIMEOUT,
        )
        if ran.returncode:
            self.problems.append(f"python -m cvtrack_magics sync: {ran.stdout}{ran.stderr}")

    def _load(self, check: Check) -> None:
        """The next load sends in the background; wait until all of it is there."""
        enough = self.folder / "enough"
        process = self._fork("load", enough, name="load")
        self.processes["load"] = process
        deadline = time.monotonic() + ARRIVAL
        while check(self.ended).problems and time.monotonic() < deadline:
            time.sleep(0.3)
        # what is in the store still stands in the journal until that is noted there
        journal = self.state / "cvtrack_magics" / "journal"
        while any(journal.glob("*/run.json")) and time.monotonic() < deadline:
            time.sleep(0.1)
        enough.touch()
        if process.wait(SYNC_TIMEOUT) is None:
            self.problems.append("the shell that loaded the extension did not end")


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
