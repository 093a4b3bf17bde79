"""A process that trains, logs, and dies as told, and says what was acknowledged.

What ``log()`` returned from stands in the file of acknowledgements: one line, one
``os.write``, so that it is there whatever happens to the process a moment later.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.calls import calls_of
from tests.faults.company import Company, as_people_have_it
from tests.faults.schedule import RunPlan, VictimPlan, schedule_of

HANGS = 85.0  # seconds after which a victim says where it is; after a hundred it is wrong
CONFIG = "made: by the test\nof: {name}\n"


class Boom(Exception):
    """The error of a script that fails."""


class Acks:
    """The file of acknowledgements."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(self, what: str, **more: Any) -> None:
        """Append one line."""
        line = json.dumps({"what": what, "at": now(), **more}, separators=(",", ":"))
        os.write(self._fd, line.encode() + b"\n")


def now() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Victim:
    """Plays one process of a schedule."""

    def __init__(self, seed: int, plan: VictimPlan, folder: Path) -> None:
        self.seed = seed
        self.plan = plan
        self.folder = folder
        self.acks = Acks(folder / f"{plan.name}.acks")

    def script(self) -> None:
        """Do it all, as a script."""
        from cvtrack_magics import mlrun

        self.begin()
        for run in self.plan.runs:
            last = run is self.plan.runs[-1]
            self.opening(run.name)
            ours = mlrun(run.name, tags={"by": run.name}, params={"lr": 0.1, "of": run.name})
            with ours:
                self.body(run)
                if run.child:
                    self._child(run, last=last)
                elif last:
                    self.end(run.name)
                self.closing(run.name)
            self.acks.say("closed", run=run.name)
            Company(self.seed, run, self.acks, self.folder).late(ours.run_id)
        self.acks.say("over")

    def _child(self, run: RunPlan, *, last: bool) -> None:
        from cvtrack_magics import mlrun

        child = child_of(run)
        self.opening(child.name)
        with mlrun(child.name, nested=True):
            self.body(child)
            if last:
                self.end(child.name, run.name)
            self.closing(child.name)
        self.acks.say("closed", run=child.name)

    def begin(self) -> None:
        """Set what the schedule sets, and say that the process is there."""
        from cvtrack_magics.run.current import get_session

        config = get_session().config
        config.close_timeout = config.exit_timeout = self.plan.close_timeout
        self.acks.say("started", pid=os.getpid())

    def opening(self, name: str) -> None:
        """Say that a run is about to be opened."""
        self.acks.say("opening", run=name)

    def body(self, run: RunPlan) -> None:
        """Record facts, then log in as many threads as the plan has."""
        from cvtrack_magics import mlconfig, mlparams, mltags

        self.acks.say("opened", run=run.name)
        mlparams({"late": run.calls})
        mltags(phase=run.name)
        self.acks.say("facts", run=run.name)
        config = self.folder / f"{run.name}.yaml"
        config.write_text(CONFIG.format(name=run.name))
        mlconfig(config)
        self.acks.say("config", run=run.name)
        company = Company(self.seed, run, self.acks, self.folder)
        company.begin()
        stop = threading.Event()
        others = [
            threading.Thread(target=self._loop, args=(run, n, stop)) for n in range(1, run.threads)
        ]
        for thread in others:
            thread.start()
        try:
            self._loop(run, 0, stop, company.halfway)
        except BaseException:
            stop.set()
            raise
        finally:
            for thread in others:
                thread.join()
            company.end(hurried=stop.is_set())

    def _loop(
        self,
        run: RunPlan,
        thread: int,
        stop: threading.Event,
        halfway: Callable[[], None] = lambda: None,
    ) -> None:
        from cvtrack_magics import log

        for number, call in enumerate(calls_of(self.seed, run, thread)):
            if stop.is_set():
                return
            if number == run.calls // 2:
                halfway()
            metrics, step = call.metrics, call.step
            if "numbers" in run.company:
                metrics, step = as_people_have_it(call, number)
            before = now()
            if step is None:
                log(metrics)
            else:
                log(metrics, step=step)
            self.acks.say("log", run=run.name, thread=thread, n=number, before=before)
            if run.pace:
                time.sleep(run.pace)

    def closing(self, *names: str) -> None:
        """Say that runs are about to end by themselves."""
        for name in names:
            self.acks.say("closing", run=name)

    def end(self, *names: str) -> None:
        """End the process from inside, where the plan says so."""
        way = self.plan.end
        if way in WAYS:
            self.closing(*names)
            WAYS[way]()


def child_of(run: RunPlan) -> RunPlan:
    """Return the plan of the run that is nested under a run."""
    return RunPlan(f"{run.name}-child", run.child, run.pace, counted=not run.counted)


def _boom() -> None:
    raise Boom("the script failed")


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)


WAYS: dict[str, Callable[[], object]] = {
    "exception": _boom,
    "exit": lambda: sys.exit(3),
    "sigterm": _terminate,
    "_exit": lambda: os._exit(4),
}


def victim_of(seed: int, name: str, folder: str) -> Victim:
    """Return the victim of a schedule by its name."""
    plan = next(v for v in schedule_of(seed).victims if v.name == name)
    return Victim(seed, plan, Path(folder))


def main(seed: str, name: str, folder: str) -> None:
    """Play a victim in this process."""
    faulthandler.dump_traceback_later(HANGS)
    if os.environ["CVTRACK_SENDER"] == "process":
        from tests.faults.helper import prefork

        prefork(int(seed))
    victim_of(int(seed), name, folder).script()


if __name__ == "__main__":
    main(*sys.argv[1:])
