"""What else goes on in a run of a schedule, beside its own calls of ``log()``.

Children that are forked and spawned, numbers as people have them, MLflow's own calls and its
asynchronous mode, code that switches the store and ends the run, points after the end.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.calls import PREFIX, Call

if TYPE_CHECKING:
    from tests.faults.schedule import RunPlan
    from tests.faults.victim import Acks

SHARES = {
    "forked": 0.2,
    "spawned": 0.06,
    "numbers": 0.2,
    "plain": 0.2,
    "async": 0.15,
    "switched": 0.15,
    "late": 0.15,
}
"""In how many runs what goes on."""
IN_A_SCRIPT = ("late", "spawned")
LOGGING = ("forked", "spawned", "late")
"""Those whose points are counted as calls, one acknowledgement each."""
MANY = {"forked": 25, "spawned": 10, "late": 3}
LONGEST = 30.0  # seconds that a child may go on after its parent's loop
PLAIN_POINT = (f"{PREFIX}plain", 7, 1.5)
DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "4"}


def company_of(draw: random.Random, host: str) -> tuple[str, ...]:
    """Draw what goes on in a run."""
    drawn = [kind for kind, share in SHARES.items() if draw.random() < share]
    return tuple(kind for kind in drawn if host == "script" or kind not in IN_A_SCRIPT)


def extra_calls(seed: int, run: RunPlan, who: str) -> Iterator[Call]:
    """Yield what a child, or who comes late, logs."""
    draw = random.Random(f"company {seed} {run.name} {who}")
    for step in range(MANY[who]):
        key, value = f"{PREFIX}{who}", draw.gauss(0, 1)
        yield Call({key: value}, step, ((key, step, value),))


def as_people_have_it(call: Call, number: int) -> tuple[Mapping[str, Any], Any]:
    """Return metrics and step of a call in the types of NumPy and of the standard library."""
    import numpy as np

    kinds: tuple[Callable[[Any], Any], ...] = (np.float64, np.array, Decimal, float)
    kind = kinds[number % len(kinds)]
    steps: tuple[Callable[[Any], Any], ...] = (np.int64, float, np.array, int)
    step = None if call.step is None else steps[number % len(steps)](call.step)
    return {key: kind(value) for key, value in call.metrics.items()}, step


def _plain(run: RunPlan, folder: Path) -> dict[str, Callable[[], Any]]:
    """MLflow's own calls in a run, by what is looked for afterwards."""
    import mlflow

    key, step, value = PLAIN_POINT
    file = folder / f"{run.name}.txt"
    file.write_text(run.name)
    return {
        "metric": lambda: mlflow.log_metric(key, value, step=step),
        "param plain": lambda: mlflow.log_param("plain", run.name),
        "param plains": lambda: mlflow.log_params({"plains": run.name}),
        "tag plain": lambda: mlflow.set_tag("plain", run.name),
        "tag plains": lambda: mlflow.set_tags({"plains": run.name}),
        "file plain/a.txt": lambda: mlflow.log_text(run.name, "plain/a.txt"),
        "file plain/a.json": lambda: mlflow.log_dict({"of": run.name}, "plain/a.json"),
        f"file plain/{file.name}": lambda: mlflow.log_artifact(str(file), "plain"),
    }


class Company:
    """What goes on in one run.

    Parameters
    ----------
    seed : int
        Of the schedule.
    run : RunPlan
        The run.
    acks : Acks
        Where it is said what was done.
    folder : Path
        For files and for a store elsewhere.
    """

    def __init__(self, seed: int, run: RunPlan, acks: Acks, folder: Path) -> None:
        self._seed = seed
        self._run = run
        self._acks = acks
        self._folder = folder
        self._forked = 0
        self._spawned: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Before the loop."""
        if "async" in self._run.company:
            import mlflow

            mlflow.config.enable_async_logging(True)
        if "plain" in self._run.company:
            for name, call in _plain(self._run, self._folder).items():
                before = _now()
                call()
                self._acks.say("plain", run=self._run.name, name=name, before=before)
        if "forked" in self._run.company:
            self._forked = os.fork()
            if not self._forked:
                self._be_a_child()
        if "spawned" in self._run.company:
            words = (str(self._seed), self._run.name, str(self._folder), str(os.getpid()))
            self._spawned = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.company", *words],
                cwd=Path(__file__).parents[2],
            )

    def _be_a_child(self) -> None:
        _die_with_parent()
        try:
            log_as(self._seed, self._run, "forked", self._acks)
        finally:
            os._exit(0)

    def halfway(self) -> None:
        """In the middle of the loop: other code switches the store and ends the run."""
        if "switched" in self._run.company:
            import mlflow

            mlflow.set_tracking_uri(f"sqlite:///{self._folder}/elsewhere.db")
            mlflow.end_run()
            os.environ["MLFLOW_EXPERIMENT_NAME"] = "elsewhere"

    def end(self, *, hurried: bool) -> None:
        """After the loop: children end, by themselves where there is time."""
        if self._forked:
            until = time.monotonic() + (0.0 if hurried else LONGEST)
            while not os.waitpid(self._forked, os.WNOHANG)[0]:
                if time.monotonic() > until:
                    os.kill(self._forked, signal.SIGKILL)
                time.sleep(0.01)
        if self._spawned is not None:
            with suppress(subprocess.TimeoutExpired):
                self._spawned.wait(0.01 if hurried else LONGEST)
            self._spawned.kill()
            self._spawned.wait()

    def late(self, run_id: str) -> None:
        """After the run's end: somebody who has its id logs into it."""
        if "late" not in self._run.company or not run_id:
            return
        import mlflow

        before_us = {name: os.environ.get(name) for name in IMPATIENT}
        os.environ.update(IMPATIENT)
        try:
            client = mlflow.MlflowClient(tracking_uri=os.environ["MLFLOW_TRACKING_URI"])
            for number, call in enumerate(extra_calls(self._seed, self._run, "late")):
                ((key, step, value),) = call.points
                before = _now()
                on_its_way = client.log_metric(run_id, key, value, step=step)
                if on_its_way is not None:  # MLflow's queue: a failure shows there only
                    on_its_way.wait()
                self._acks.say("late", run=self._run.name, n=number, before=before)
        except Exception as error:  # its own call failed: nothing is acknowledged
            print(f"late: {type(error).__name__}", flush=True)
        finally:
            for name, value in before_us.items():
                if value is None:
                    os.environ.pop(name, None)


def log_as(seed: int, run: RunPlan, who: str, acks: Acks) -> None:
    """Log as a child."""
    from cvtrack_magics import log

    for number, call in enumerate(extra_calls(seed, run, who)):
        before = _now()
        log(call.metrics, step=call.step)
        acks.say(who, run=run.name, n=number, before=before)
        time.sleep(run.pace)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _now() -> int:
    return time.time_ns() // 1_000_000


def main(seed: str, name: str, folder: str, parent: str) -> None:
    """Be a spawned child, as long as its parent lives: without it nothing is recorded."""
    from tests.faults.schedule import schedule_of
    from tests.faults.victim import Acks, child_of

    _die_with_parent()
    if os.getppid() != int(parent):  # it died before that was asked for
        return
    for victim in schedule_of(int(seed)).victims:
        for run in victim.runs:
            for one in (run, child_of(run)):
                if one.name == name:
                    log_as(int(seed), one, "spawned", Acks(Path(folder, f"{victim.name}.acks")))


if __name__ == "__main__":
    main(*sys.argv[1:])
