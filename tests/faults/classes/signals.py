"""``log()`` inside ``log()``, and exceptions that arrive in it: what returned is there."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.classes import logger
from tests.faults.classes.common import Kind, Seen, Stage
from tests.faults.classes.logger import Plan

INSIDE = ("handler", "finaliser", "collector", "weak reference")


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"signals {seed}")
    many = pick.choice((1, 1, 1, 2, 4))
    inside = {INSIDE[seed % 5]} if seed % 5 < 4 else set()
    inside |= set(pick.sample(INSIDE, many)) if inside and many > 1 else set()
    raised = "" if inside and pick.random() < 0.6 else pick.choice(list(logger.RAISED))
    return Plan(
        seed,
        calls=pick.choice((600, 1500, 3000)),
        inside=tuple(sorted(inside)),
        raised=raised,
        names=pick.choice((1, 3, 40)),
        threads=pick.choice((0, 0, 2)),
        every=pick.choice((0.0004, 0.001, 0.003)),
        end=pick.choice(("normal", "normal", "kill")),
    )


def play(plan: Plan, stage: Stage) -> Seen:
    """Play it, once with the store away from the first points on in one of three."""
    seen = Seen()
    with ExitStack() as away:
        if plan.seed % 3 == 0:
            away.enter_context(stage.locked())
        text = json.dumps(asdict(plan))
        process = stage.start("script", Path(logger.__file__), text, stage.folder, name="signals")
        stage.ended(process, seen)
    wanted = -9 if plan.end == "kill" else 0
    if process.status != wanted:
        seen.problems.append(f"ended with {process.status}: {process.said[-800:]}")
    stage.synced(seen)
    lines = (stage.folder / "signals.acks").read_text().splitlines()
    seen.met = any(line.startswith("struck") for line in lines)
    _compare(plan, stage, lines, seen)
    return seen


def _points(plan: Plan, lines: list[str], mark: str) -> set[tuple[str, int, float]]:
    calls = [line.split()[1:] for line in lines if line.startswith(mark)]
    return {
        (key, int(number), value)
        for who, number in calls
        for key, value in plan.metrics(who, int(number)).items()
    }


def _compare(plan: Plan, stage: Stage, lines: list[str], seen: Seen) -> None:
    stored = stage.stored("signals")
    # the interpreter may end garbage when the run is over, and is told so
    over = next((n for n, line in enumerate(lines) if line.startswith("late")), len(lines))
    wanted = _points(plan, lines[:over], "returned ")
    begun = _points(plan, lines, "begins ")
    steps = Counter((key, step) for key, step, _ in stored.elements())
    wrong: dict[str, set[Any]] = {
        "lost": wanted - set(stored),
        "foreign": set(stored) - begun,
        "doubled": {step for step, count in steps.items() if count > 1},
    }
    seen.points += len(wanted)
    for what, found in wrong.items():
        if found:
            some = sorted(found, key=str)[:3]
            seen.problems.append(f"{len(found)} of {len(wanted)} points {what}: {some}")
    statuses = [status for (status,) in stage.rows("SELECT status FROM runs")]
    if statuses != ["KILLED" if plan.end == "kill" else "FINISHED"]:
        seen.problems.append(f"the runs are {statuses}")


KIND = Kind("signals", draw, play)
