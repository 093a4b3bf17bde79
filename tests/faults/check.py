"""Compares a store with what was acknowledged, point by point and past every proxy."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.calls import PREFIX, Call, as_stored, calls_of
from tests.faults.company import LOGGING, PLAIN_POINT, extra_calls
from tests.faults.schedule import RunPlan, Schedule, VictimPlan
from tests.faults.servers import MlflowServer
from tests.faults.victim import CONFIG, child_of

SLOWEST = 1500  # milliseconds in log(), on a machine that has too much to do
CLOCK = 3  # milliseconds between two readings that count as one
ENDED = {
    "normal": {"FINISHED"},
    "exception": {"FAILED"},
    "exit": {"FAILED"},
    "sigterm": {"KILLED"},
    "_exit": {"KILLED"},
    "term": {"KILLED"},
    "int": {"KILLED"},
    "kill": {"KILLED"},
}

Key = tuple[str, int, float | str]


@dataclass
class Acked:
    """What the victim said about one run."""

    plan: RunPlan
    opening: int = 0
    opened: int = 0
    closing: int = 0
    closed: int = 0
    facts: bool = False
    config: bool = False
    calls: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """By thread: (before, after) of each call that returned, in Unix milliseconds."""
    extra: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    """The same of children and of who comes late."""
    plain: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The same of MLflow's own calls, by what they write."""


def acked_by(folder: Path, victim: VictimPlan) -> dict[str, Acked]:
    """Read a victim's file of acknowledgements."""
    runs = {}
    for plan in victim.runs:
        runs[plan.name] = Acked(plan)
        if plan.child:
            runs[f"{plan.name}-child"] = Acked(child_of(plan))
    path = folder / f"{victim.name}.acks"
    for line in path.read_bytes().split(b"\n") if path.exists() else []:
        if not line:
            continue
        said = json.loads(line)
        run = runs.get(said.get("run", ""))
        if run is None:
            continue
        what = said["what"]
        if what == "log":
            run.calls.setdefault(said["thread"], []).append((said["before"], said["at"]))
        elif what in LOGGING:
            run.extra.setdefault(what, []).append((said["before"], said["at"]))
        elif what == "plain":
            run.plain[said["name"]] = (said["before"], said["at"])
        elif what in ("facts", "config"):
            setattr(run, what, True)
        else:
            setattr(run, what, said["at"])
    return runs


@dataclass
class Verdict:
    """What was found."""

    points: int = 0
    runs: int = 0
    slowest: int = 0
    problems: list[str] = field(default_factory=list)


class Check:
    """Checks all runs of one schedule in one experiment."""

    def __init__(
        self, schedule: Schedule, server: MlflowServer, experiment: str, folder: Path
    ) -> None:
        self.schedule = schedule
        self.server = server
        self.experiment = experiment
        self.folder = folder
        self.verdict = Verdict()

    def problem(self, text: str) -> None:
        """Note a difference."""
        self.verdict.problems.append(text)

    def __call__(self, ended: dict[str, int]) -> Verdict:
        """Check; ``ended`` says when (Unix ms) the parent ended a victim, by name."""
        self.verdict = Verdict()
        rows = self.server.rows(
            "SELECT run_uuid, name, status, start_time, end_time FROM runs "
            "WHERE experiment_id = %s AND lifecycle_stage = 'active'",
            int(self.experiment),
        )
        expected = set()
        for victim in self.schedule.victims:
            for name, acked in acked_by(self.folder, victim).items():
                expected.add(name)
                self._run(victim, acked, [r for r in rows if r[1] == name], ended.get(victim.name))
        for row in rows:
            if row[1] not in expected:
                self.problem(f"a run {row[1]!r} that nobody opened")
        return self.verdict

    def _run(self, victim: VictimPlan, acked: Acked, rows: list[Any], ended: int | None) -> None:
        name = acked.plan.name
        if not acked.opened:
            if len(rows) > 1:
                self.problem(f"{name}: {len(rows)} runs, though it was never seen open")
            allowed = {"KILLED", "FAILED"} if acked.opening else set()
            if rows and rows[0][2] not in allowed:
                self.problem(f"{name}: {rows[0][2]}, though it was never seen open")
            return
        self.verdict.runs += 1
        waited = [*acked.calls.values(), list(acked.plain.values())]
        slowest = max((b - a for calls in waited for a, b in calls), default=0)
        self.verdict.slowest = max(self.verdict.slowest, slowest)
        if slowest > SLOWEST:
            self.problem(f"{name}: the loop waited {slowest} ms in one call")
        if len(rows) != 1:
            self.problem(f"{name}: {len(rows)} runs in the store instead of one")
            if not rows:
                return
            rows = sorted(rows, key=lambda row: -self._count(row[0]))  # go on with the fullest
        run_id, _, status, start, end = rows[0]
        if status not in self._statuses(victim, acked):
            wanted = " or ".join(sorted(self._statuses(victim, acked)))
            self.problem(f"{name}: {status} instead of {wanted}")
        if not acked.opening - CLOCK <= start <= acked.opened + CLOCK:
            self.problem(
                f"{name}: starts {start - acked.opening} ms after its opening was asked for "
                f"and {start - acked.opened} ms after it was open"
            )
        last = max((at for calls in acked.calls.values() for _, at in calls), default=acked.opened)
        latest = acked.closed or ended or acked.closing or math.inf
        if acked.plan.child:  # it ends after its child has waited for the store
            latest += 1000 * victim.close_timeout + 3000
        if end is None:
            self.problem(f"{name}: no end time")
        elif not last - 2000 <= end <= latest + 2000:
            self.problem(f"{name}: ends {end - last} ms after its last point")
        self._points(acked, run_id, ended)
        self._facts(acked, run_id)

    def _count(self, run_id: str) -> int:
        query = "SELECT count(*) FROM metrics WHERE run_uuid = %s"
        return int(self.server.rows(query, run_id)[0][0])

    def _statuses(self, victim: VictimPlan, acked: Acked) -> set[str]:
        if acked.closed:
            return {"FINISHED"}
        wanted = ENDED[victim.end]
        if acked.closing and victim.end in ("kill", "term", "int"):
            return wanted | {"FINISHED"}
        if victim.end == "normal":
            return {"FINISHED"}
        return wanted

    def _points(self, acked: Acked, run_id: str, ended: int | None) -> None:
        name = acked.plan.name
        stored: Counter[Key] = Counter()
        times: dict[Key, int] = {}
        query = "SELECT key, step, value, is_nan, timestamp FROM metrics WHERE run_uuid = %s"
        for key, step, value, is_nan, timestamp in self.server.rows(query, run_id):
            if key.startswith(PREFIX):
                point = (key, step, "nan" if is_nan else value)
                stored[point] += 1
                times[point] = timestamp
        wanted: set[Key] = set()
        optional: set[Key] = set()
        wrong_times: list[str] = []
        for calls, planned, alone in self._sources(acked):
            for number, call in enumerate(planned):
                points = {(key, step, as_stored(value)) for key, step, value in call.points}
                if number >= len(calls):
                    optional |= points  # the one that was under way
                    break
                before, after = calls[number]
                # log() beside a run that another thread is ending may come too late for it
                late = not alone and (
                    after >= (acked.closing or math.inf) or after >= (ended or math.inf)
                )
                if late and not self._killed(acked):
                    optional |= points
                    continue
                wanted |= points
                wrong_times += [
                    f"{point} at {times[point] - before} ms of {after - before}"
                    for point in points
                    if point in times and not before - CLOCK <= times[point] <= after + CLOCK
                ]
        if "metric" in acked.plain:
            wanted.add(PLAIN_POINT)
        elif "plain" in acked.plan.company:
            optional.add(PLAIN_POINT)
        self.verdict.points += len(wanted)
        lost = wanted - set(stored)
        foreign = set(stored) - wanted - optional
        doubled = {point for point, times_ in stored.items() if times_ > 1}
        for what, found in (("lost", lost), ("not acknowledged", foreign), ("doubled", doubled)):
            if found:
                some = sorted(found, key=str)[:3]
                self.problem(f"{name}: {len(found)} of {len(wanted)} points {what}, as {some}")
        if wrong_times:
            self.problem(f"{name}: {len(wrong_times)} points have wrong times: {wrong_times[:3]}")

    def _sources(
        self, acked: Acked
    ) -> Iterator[tuple[list[tuple[int, int]], Iterable[Call], bool]]:
        """Yield who logs: the calls that returned, all that were planned, and whether alone.

        Who logs beside the one that ends the run may come too late for it.
        """
        seed, plan = self.schedule.seed, acked.plan
        for thread in range(plan.threads):
            yield acked.calls.get(thread, []), calls_of(seed, plan, thread), plan.threads == 1
        for who in LOGGING:
            if who in plan.company:
                yield acked.extra.get(who, []), extra_calls(seed, plan, who), who == "late"

    def _killed(self, acked: Acked) -> bool:
        return any(
            v.end == "kill" and acked.plan.name.startswith(v.name) for v in self.schedule.victims
        )

    def _facts(self, acked: Acked, run_id: str) -> None:
        name = acked.plan.name
        parameters = dict(
            self.server.rows("SELECT key, value FROM params WHERE run_uuid = %s", run_id)
        )
        tags = dict(self.server.rows("SELECT key, value FROM tags WHERE run_uuid = %s", run_id))
        script = self.schedule.host == "script" and not name.endswith("-child")
        wanted: dict[str, str] = {"lr": "0.1", "of": name} if script else {}
        marks = {} if name.endswith("-child") else {"by": name}
        if acked.facts:
            wanted["late"] = str(acked.plan.calls)
            marks["phase"] = name
        if name.endswith("-child"):
            parent = self.server.rows(
                "SELECT name FROM runs WHERE run_uuid = %s", tags.get("mlflow.parentRunId", "")
            )
            if parent != [(name.removesuffix("-child"),)]:
                self.problem(f"{name}: its parent is {parent}")
        for what, found, needed in (("param", parameters, wanted), ("tag", tags, marks)):
            for key, value in needed.items():
                if found.get(key) != value:
                    self.problem(f"{name}: {what} {key} is {found.get(key)!r}, not {value!r}")
        folder = Path(self.server.artifacts, self.experiment, run_id, "artifacts")
        for what in acked.plain:
            kind, _, key = what.partition(" ")
            if kind == "file" and not (folder / key).exists():
                self.problem(f"{name}: MLflow's own call for file {key} is lost")
            elif kind in ("param", "tag"):
                value = (parameters if kind == "param" else tags).get(key)
                if value != name:
                    self.problem(f"{name}: MLflow's own call for {kind} {key} left {value!r}")
        if acked.config:
            path = Path(self.server.artifacts, self.experiment, run_id, "artifacts", "configs")
            file = path / f"{name}.yaml"
            text = file.read_text() if file.exists() else None
            if text != CONFIG.format(name=name):
                self.problem(f"{name}: its configuration file is {text!r}")
