"""Processes that promote, forked from one that has imported MLflow.

Run as a module it is that parent: for each line of JSON, a list of requests, it forks a child
for each, lets all of them go at one moment, and answers with a line when the last one ended.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
QUIET = {"OPENBLAS_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
TURN = "has its turn"
Request = dict[str, Any]


class Forks:
    """The parent of all processes that promote."""

    def __init__(self) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.release.promotion.forks"],
            cwd=ROOT,
            env={**environment, **QUIET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self._popen.wait(20)

    def run(self, *requests: Request) -> list[Request]:
        """Do all requests at one moment; return an answer for each.

        A request has ``do`` (``promote``, ``rollback`` or ``repair``), ``uri``, ``name`` and
        the arguments; ``kill_at`` is the step, counted from 0, at which the process kills
        itself, ``kill_in_turn`` is counted from the moment when it has its turn, and
        ``insist`` lets it try again after a conflict. An answer has ``steps``, and ``entry``,
        ``error`` or ``killed``.
        """
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._popen.stdin.write(json.dumps(requests) + "\n")
        self._popen.stdin.flush()
        answers: list[Request] = json.loads(self._popen.stdout.readline())
        return answers


def perform(request: Request) -> Request:
    """Be the child."""
    from cvtrack_magics.errors import CvtrackError
    from cvtrack_magics.store.registry import Registry

    rng = random.Random(request.get("seed"))
    steps: list[str] = []

    def step(line: str) -> None:
        steps.append(line)
        in_turn = len(steps) - 1 - steps.index(TURN) if TURN in steps else -1
        if len(steps) - 1 == request.get("kill_at") or in_turn == request.get("kill_in_turn"):
            os.kill(os.getpid(), signal.SIGKILL)
        if "seed" in request:
            time.sleep(rng.uniform(0, 0.02))

    registry = Registry(request["uri"])
    answer: Request = {"conflicts": 0, "steps": steps}
    expected = request.get("expected")
    while True:
        try:
            return {**answer, **_act(registry, request, expected, step)}
        except CvtrackError as error:
            if type(error).__name__ == "PromotionConflict" and request.get("insist"):
                answer["conflicts"] += 1
                expected = registry.aliases(request["name"]).get("champion")
                continue
            return {**answer, "error": type(error).__name__, "line": str(error)}


def _act(registry: Any, request: Request, expected: str | None, step: Any) -> Request:
    from cvtrack_magics.release import promotion
    from tests.release.promotion.models import PASS

    name, who = request["name"], request.get("who", "ana")
    if request["do"] == "repair":
        return {"repaired": promotion.repair(registry, name, who=who, step=step)}
    if request["do"] == "rollback":
        done = promotion.rollback(registry, name, who=who, reason="bad masks", step=step)
    else:
        done = promotion.promote(
            registry,
            name,
            request["version"],
            expected_champion=expected,
            verdict=PASS,
            who=who,
            stage=request.get("stage"),
            step=step,
        )
    return {"entry": done.entry.id, "repaired": done.repaired}


def child(request: Request, go: int, out: int) -> None:
    """Wait for the others, perform, and tell the result."""
    os.read(go, 1)  # its end, when the parent has forked all
    try:
        answer = perform(request)
    except BaseException as error:
        answer = {"error": type(error).__name__, "line": str(error)[:500]}
    os.write(out, json.dumps(answer).encode())
    os._exit(0)


def batch(requests: list[Request]) -> list[Request]:
    """Fork for each request and wait for all."""
    go_read, go_write = os.pipe()
    started = []
    for request in requests:
        out_read, out_write = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(go_write)
            child(request, go_read, out_write)
        os.close(out_write)
        started.append((pid, out_read))
    os.close(go_read)
    os.close(go_write)
    # taken away at the moment of its death, as a shell does it
    dead = threading.Thread(target=lambda: [os.waitpid(pid, 0) for pid, _ in started])
    dead.start()
    answers = []
    for _, out in started:
        with os.fdopen(out, "rb") as stream:
            said = stream.read()
        answers.append(json.loads(said) if said else {"killed": True})
    dead.join()
    return answers


def main() -> None:
    """Import all that a child needs, and serve."""
    import mlflow.store.model_registry.rest_store
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.rest_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401

    import tests.release.promotion.models  # noqa: F401

    if threading.active_count() > 1:
        raise RuntimeError(f"an import started threads: {threading.enumerate()}")
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(batch(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
