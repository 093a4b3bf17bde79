"""What :mod:`benchmarks.bench_sending` measures, each in a process of its own.

``python sending_subject.py KIND SECONDS``; the store is ``MLFLOW_TRACKING_URI``. A line of JSON
says what was seen; ``ready`` on a line of its own, that the store may be looked at.
"""

from __future__ import annotations

import json
import sys
import time

STEP = 0.0003  # seconds of Python between two calls, so that more is logged than is sent
HANDED_OVER = 5.0  # seconds after which a run is sent by the process beside the kernel
BACKLOG = 200_000
FEW = 10
RUNS = 300


def work(until: float) -> None:
    """Compute for a moment, as a step of training in Python does."""
    value = 0.0
    while time.perf_counter() < until:
        value += 1.0


def loop(seconds: float, call: object = None) -> int:
    """Run steps for so long, with a call in each; return how many."""
    end, step = time.perf_counter() + seconds, 0
    while (now := time.perf_counter()) < end:
        work(now + STEP)
        if call is not None:
            call(step)  # type: ignore[operator]
        step += 1
    return step


def ours(seconds: float) -> None:
    """Log four scalars a step into an open run."""
    from cvtrack_magics import log, mlrun

    with mlrun("r", output=False, code=False):
        log({"a": 0.0}, step=0)
        time.sleep(HANDED_OVER)
        print("ready", flush=True)
        loop(seconds, lambda n: log({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}, step=n))


def alone(seconds: float) -> None:
    """Run the same steps, and log nothing."""
    loop(seconds)


def batch(seconds: float) -> None:
    """Hand points to MLflow, a thousand a call."""
    import mlflow
    from mlflow.entities import Metric

    with mlflow.start_run() as run:
        client, step = mlflow.MlflowClient(), 0
        end = time.perf_counter() + seconds
        print("ready", flush=True)
        while time.perf_counter() < end:
            points = [
                Metric(key, 0.5, 1_700_000_000_000 + step, step + n)
                for n in range(250)
                for key in "abcd"
            ]
            client.log_batch(run.info.run_id, metrics=points)
            step += 250


def small(_: float) -> None:
    """Open and end a small run, alone and beside a run that has a backlog."""
    import mlflow

    from cvtrack_magics import log, mlrun

    client = mlflow.MlflowClient()

    def one(name: str) -> tuple[float, float]:
        began = time.perf_counter()
        with mlrun(name, output=False, code=False) as run:
            for n in range(FEW):
                log({"a": float(n)}, step=n)
        block = time.perf_counter() - began
        while client.get_run(run.run_id).info.status != "FINISHED":
            time.sleep(0.02)
        return block, time.perf_counter() - began

    one("first")
    block, finished = one("alone")
    with mlrun("long", output=False, code=False):
        for n in range(BACKLOG):
            log({"a": float(n)}, step=n)
    beside, whole = one("beside")
    print(json.dumps([beside, whole, block, finished]), flush=True)


def memory(_: float) -> None:
    """Open and end runs, and look at what they leave in memory."""
    import gc

    import psutil

    from cvtrack_magics import log, mlrun

    me = psutil.Process()

    def one() -> None:
        with mlrun("r", output=False, code=False):
            for n in range(20):
                log({"a": float(n), "b": 1.0}, step=n)

    seen = {}
    for number in range(1, RUNS + 1):
        one()
        if number in (1, RUNS // 3, RUNS):
            gc.collect()
            seen[number] = me.memory_info().rss / 1e6
    beside = {"watcher": 0.0, "sending": 0.0}
    with mlrun("long", output=False, code=False):
        time.sleep(HANDED_OVER)
        for child in psutil.process_iter():
            try:
                words = " ".join(child.cmdline())
                if "cvtrack" not in words or child.pid == me.pid:
                    continue
                if child.environ().get("XDG_STATE_HOME") != me.environ().get("XDG_STATE_HOME"):
                    continue
                kind = "watcher" if "watcher" in words else "sending"
                beside[kind] = max(beside[kind], child.memory_info().rss / 1e6)
            except psutil.Error:
                continue
    first, third, last = seen[1], seen[RUNS // 3], seen[RUNS]
    growth = (last - third) / (RUNS - RUNS // 3)
    print(json.dumps([first, growth, beside["watcher"], beside["sending"]]), flush=True)


if __name__ == "__main__":
    {f.__name__: f for f in (ours, alone, batch, small, memory)}[sys.argv[1]](float(sys.argv[2]))
