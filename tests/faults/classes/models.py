"""A server that dies while a model is made: the model becomes READY or FAILED, never PENDING."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.classes import modeller
from tests.faults.classes.common import (
    PATIENCE,
    Kind,
    Seen,
    Stage,
    check_journal_is_empty,
    compare,
)
from tests.faults.classes.trainer import Training
from tests.faults.kills import until
from tests.faults.proxy import Fault, Proxy
from tests.faults.servers import MlflowServer

MODELS = "logged-models"
FAULTS = {
    "dies": Fault("refuse"),
    "drops answers of models": Fault("cut", only=MODELS),
    "drops half of them": Fault("cut", share=0.5, only=MODELS),
    "tears answers of models": Fault("torn", only=MODELS),
    "fails on models": Fault("500", only=MODELS),
    "drops requests of models": Fault("half", only=MODELS),
    "drops answers of outputs": Fault("cut", only="outputs"),
    "hangs": Fault("hang"),
}
WHEN = ("before it begins", "once it is pending")
ENDS = ("ready", "failed", "killed", "killed when ready")
STATUSES = {1: "PENDING", 2: "READY", 3: "FAILED"}


@dataclass(frozen=True)
class Plan:
    """What the server does and when, and what becomes of the model here."""

    seed: int
    ails: str
    when: str
    end: str
    sender: str

    def __str__(self) -> str:
        return (
            f"models {self.seed}: a server {self.ails} {self.when}, the model {self.end}, sent by "
            f"a {self.sender}"
        )


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"models {seed}")
    ails = list(FAULTS)[seed % len(FAULTS)]
    end = ENDS[(seed // len(FAULTS)) % len(ENDS)]
    return Plan(seed, ails, WHEN[pick.randrange(2)], end, pick.choice(("thread", "process")))


def play(plan: Plan, stage: Stage) -> Seen:
    """Make a model while the server ails, and look at it once all is well again."""
    seen = Seen()
    server = stage.bench.server()
    proxy = Proxy(server.port, plan.seed)
    name = f"models-{plan.seed}"
    stays = plan.end == "killed when ready"
    training = Training(name, 30, 0.002, waits=True, stays=stays, seed=plan.seed)
    stage.environment["MLFLOW_TRACKING_URI"] = proxy.uri
    stage.environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    stage.environment["CVTRACK_SENDER"] = plan.sender
    said = json.dumps({"training": asdict(training), "fails": plan.end == "failed"})
    place = Path(modeller.__file__)
    if plan.when == WHEN[0]:
        proxy.set(FAULTS[plan.ails])
    process = stage.start("script", place, said, stage.folder, name=name)
    try:
        until(lambda: b"begun\n" in stage.said(training) or process.status is not None, PATIENCE)
        if plan.when == WHEN[1]:
            until(lambda: bool(_statuses(server, name)), PATIENCE)
            proxy.set(FAULTS[plan.ails])
        if plan.end == "killed":
            process.close()
        else:
            stage.go(training)
        if stays:
            until(lambda: b"ended\n" in stage.said(training), PATIENCE)
            process.close()
        stage.ended(process, seen)
        if plan.end.startswith("killed"):  # who sends what it left meets the same server
            early = ("sync", "--state", stage.state, "--timeout", 5)
            stage.ended(stage.start("module", *early, name="sync-early"), seen)
        seen.met = bool(proxy.hits) and _statuses(server, name) not in (["READY"], ["FAILED"])
        proxy.set(None)
        until(lambda: stage.synced(seen).startswith("Nothing"), PATIENCE)
    finally:
        proxy.close()
    compare(stage, training, seen, _run_ends(plan), rows=server.rows)
    _check(plan, stage, training, server, seen)
    check_journal_is_empty(stage, seen)
    return seen


def _run_ends(plan: Plan) -> set[str]:
    return {"KILLED"} if plan.end.startswith("killed") else {"FINISHED"}


def _statuses(server: MlflowServer, name: str) -> list[str]:
    """Return the statuses of the models of a run, in the order in which they were made."""
    rows = server.rows(
        "SELECT m.status FROM logged_models m JOIN runs r ON m.source_run_id = r.run_uuid "
        "WHERE r.name = %s AND m.lifecycle_stage = 'active' ORDER BY m.creation_timestamp_ms",
        name,
    )
    return [STATUSES.get(int(status), str(status)) for (status,) in rows]


def _check(plan: Plan, stage: Stage, training: Training, server: MlflowServer, seen: Seen) -> None:
    """There is one model of the run, it came to its end, and one that is ready has its file."""
    found = _statuses(server, training.name)
    wanted = "READY" if b"ended\n" in stage.said(training) else "FAILED"
    if found != [wanted]:
        seen.problems.append(f"{training.name}: models {found}, where one {wanted} is right")
    files = [path.read_text() for path in server.artifacts.rglob("weights.txt")]
    if (training.name in files) != (wanted == "READY"):
        seen.problems.append(f"{training.name}: {wanted}, and its file is among {files}")
    linked = server.rows(
        "SELECT COUNT(*) FROM inputs i JOIN runs r ON i.source_id = r.run_uuid WHERE r.name = %s "
        "AND i.destination_type = 'MODEL_OUTPUT'",
        training.name,
    )
    if linked != [(1,)]:
        seen.problems.append(f"{training.name}: the run names {linked} models")


KIND = Kind("models", draw, play, at_once=3)
