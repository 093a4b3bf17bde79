"""Pages of somebody between us and a real server: neither a refusal nor an acknowledgement."""

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
from tests.store.test_answers import HTML, JSON, NOT_ITS_OWN

SLOW_DOWN = ("1", "2", "0", "soon", "", "Mon, 01 Jan 2001 00:00:00 GMT", "90", "100000")
OTHERS = (
    Page(401, HTML, b"<html>Log in</html>", (("WWW-Authenticate", "Basic"),)),
    Page(407, HTML, b"<html>Log in at the proxy</html>"),
    Page(511, HTML, b"<html>Accept the conditions of this network</html>"),
    Page(200, HTML, b"<html>Blocked by the administrator</html>"),
    Page(200, JSON, b'{"run": {}}'),
    Page(200, JSON, b'{"error_code": "OK"}'),
    Page(200, "application/octet-stream", b"\x00\x01"),
    Page(302, HTML, b"", (("Location", "/login"),)),
)
PAGES = (
    *(Page(status, kind, body) for status, kind, body in NOT_ITS_OWN),
    *(Page(429 if n % 2 else 503, HTML, b"slow down", (("Retry-After", said),))
      for n, said in enumerate(SLOW_DOWN)),
    *OTHERS,
)  # fmt: skip
WAYS = ("for a while", "over the end", "until it is killed", "while a sync tries")


@dataclass(frozen=True)
class Plan:
    """Which page is answered to which requests, and until when."""

    seed: int
    fault: Fault
    way: str

    def __str__(self) -> str:
        page = self.fault.page
        said = f"{page.status} {page.kind} {page.body[:30]!r} {page.headers}" if page else ""
        return (
            f"pages {self.seed}: {said or f'413 from {self.fault.limit} bytes on'} to "
            f"{self.fault.only or 'all'} *{self.fault.share}, {self.way}"
        )


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"pages {seed}")
    way = WAYS[seed % len(WAYS)]
    if seed % 9 == 8:
        return Plan(seed, Fault("limit", limit=pick.choice((900, 2500, 6000)), only="batch"), way)
    page = PAGES[seed * 5 % len(PAGES)]
    only = pick.choice(("", "", "log-batch", "runs/", "mlflow-artifacts"))
    if only == "mlflow-artifacts":
        way = pick.choice(("over the end", "while a sync tries"))
    return Plan(seed, Fault("page", pick.choice((0.5, 1.0, 1.0)), only=only, page=page), way)


def play(plan: Plan, stage: Stage) -> Seen:
    """Train through a proxy, which gives its page from the first points on."""
    seen = Seen()
    server = stage.bench.server()
    proxy = Proxy(server.port, plan.seed)
    training = Training(f"pages-{plan.seed}", 150, 0.01, waits=True, more=100, seed=plan.seed)
    stage.environment["MLFLOW_TRACKING_URI"] = proxy.uri
    stage.environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    try:
        process = stage.train(training)
        arrived = "SELECT 1 FROM metrics JOIN runs USING (run_uuid) WHERE name = %s"
        until(lambda: server.rows(arrived, training.name) or process.status is not None, PATIENCE)
        proxy.set(plan.fault)
        stage.wait_acked(training, training.steps)
        statuses = _end(plan, stage, training, proxy, seen)
        seen.met = proxy.hits[plan.fault.kind] > 0
        if plan.fault.kind != "limit":
            proxy.set(None)
        stage.synced(seen)
    finally:
        proxy.close()
    compare(stage, training, seen, statuses, rows=server.rows)
    check_files(stage, training, server.artifacts, seen)
    check_journal_is_empty(stage, seen)
    return seen


def _end(plan: Plan, stage: Stage, training: Training, proxy: Proxy, seen: Seen) -> set[str]:
    """End the training as the plan says; return the statuses that are right."""
    process = stage.processes[training.name]
    if plan.way == "until it is killed":
        until(lambda: proxy.hits[plan.fault.kind] or process.status is not None, 10)
        process.close()
        return {"KILLED"}
    stage.go(training)
    if plan.way == "for a while":
        stage.wait_acked(training, training.steps + 20)
        until(lambda: proxy.hits[plan.fault.kind] or process.status is not None, 10)
        if plan.fault.kind != "limit":
            proxy.set(None)
    stage.ended(process, seen)
    if plan.way == "while a sync tries":
        # it waits for as long as it is told to
        tries = stage.start(
            "module", "sync", "--state", stage.state, "--timeout", 3, name="sync-under-it"
        )
        stage.ended(tries, seen)
    return {"FINISHED"}


KIND = Kind("pages", draw, play)
