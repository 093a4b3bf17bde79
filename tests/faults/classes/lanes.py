"""A small run beside a store that hangs, is slow or has much to take: nobody waits for it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.faults.classes.common import (
    PATIENCE,
    Kind,
    Seen,
    Stage,
    check_files,
    check_journal_is_empty,
    compare,
)
from tests.faults.classes.trainer import Training
from tests.faults.kills import until
from tests.faults.proxy import Fault, Page, Proxy
from tests.store.test_answers import HTML

FAULTS = {
    "hangs": Fault("hang"),
    "answers late": Fault("late"),
    "is slow": Fault("slow", delay=2.0),
    "is gone": Fault("refuse"),
    "asks to wait for 90 s": Fault("page", page=Page(503, HTML, b"", (("Retry-After", "90"),))),
    "asks to wait for a day": Fault("page", page=Page(429, HTML, b"", (("Retry-After", "86400"),))),
    "drops each answer": Fault("cut"),
    "asks for a login": Fault("page", page=Page(200, HTML, b"<form>Log in</form>")),
}
WAYS = ("one process", "two processes", "a sync", "a load")
SMALL = 60


@dataclass(frozen=True)
class Plan:
    """What ails one store, and who sends to the other beside it."""

    seed: int
    ails: str
    way: str
    large: int
    sender: str

    def __str__(self) -> str:
        return (
            f"lanes {self.seed}: a store {self.ails} with {self.large} calls for it, a small run "
            f"for another in {self.way}, sent by a {self.sender}"
        )


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"lanes {seed}")
    way = WAYS[(seed + seed // len(FAULTS)) % len(WAYS)]
    large = pick.choice((500, 3000, 12_000))
    sender = pick.choice(("thread", "thread", "process"))
    return Plan(seed, list(FAULTS)[seed % len(FAULTS)], way, large, sender)


def play(plan: Plan, stage: Stage) -> Seen:
    """Let a small run arrive while the other store ails, and the other run afterwards."""
    seen = Seen()
    server = stage.bench.server()
    proxy = Proxy(server.port, plan.seed)
    name = f"lanes-{plan.seed}"
    waits = plan.way != "one process"
    large = Training(name, plan.large, 0.0, waits=waits, seed=plan.seed, uri=proxy.uri)
    small = Training("small", SMALL, 0.005, seed=plan.seed + 1, uri=f"sqlite:///{stage.database}")
    stage.environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    stage.environment["CVTRACK_SENDER"] = plan.sender
    proxy.set(FAULTS[plan.ails])
    try:
        _live(plan, stage, large, small, seen)
        until(lambda: _is_whole(stage, small), PATIENCE)
        compare(stage, small, seen, {"FINISHED"})
        seen.met = not server.rows(
            "SELECT 1 FROM runs WHERE name = %s AND status != 'RUNNING'", name
        )
        proxy.set(None)
        if plan.way == "two processes":
            stage.go(large)
            stage.ended(stage.processes[name], seen)
        until(lambda: stage.synced(seen).startswith("Nothing"), PATIENCE)
    finally:
        proxy.close()
        (stage.folder / "enough").touch()
    killed = plan.way in ("a sync", "a load")
    compare(stage, large, seen, {"KILLED"} if killed else {"FINISHED"}, rows=server.rows)
    check_files(stage, large, server.artifacts, seen)
    check_journal_is_empty(stage, seen)
    return seen


def _live(plan: Plan, stage: Stage, large: Training, small: Training, seen: Seen) -> None:
    """Let both train, up to where the small run is meant to arrive."""
    if plan.way == "one process":
        stage.ended(stage.train(large, small), seen)
        return
    process = stage.train(large)
    stage.wait_acked(large, large.steps)
    if plan.way == "two processes":
        stage.ended(stage.train(small), seen)
        return
    process.close()
    with stage.locked():
        stage.ended(stage.train(small), seen)
    if plan.way == "a load":
        stage.start("load", stage.folder / "enough", name="load")
    else:
        stage.start("module", "sync", "--state", stage.state, "--timeout", 40, name="sync-beside")


def _is_whole(stage: Stage, small: Training) -> bool:
    ended = stage.rows("SELECT 1 FROM runs WHERE name = 'small' AND status != 'RUNNING'")
    wanted = {point for n in range(SMALL) for point in small.points(n)}
    return bool(ended) and wanted <= set(stage.stored("small"))


KIND = Kind("lanes", draw, play)
