"""The check itself is checked: whatever is wrong with a store, it says so."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.calls import as_stored, calls_of
from tests.faults.check import Check
from tests.faults.schedule import RunPlan, Schedule, VictimPlan
from tests.faults.victim import CONFIG

RUN = RunPlan("p0-r0", calls=20, pace=0.0)
START = 1_800_000_000_000

TABLES = """
CREATE TABLE runs (run_uuid, name, status, start_time, end_time, experiment_id, lifecycle_stage);
CREATE TABLE metrics (run_uuid, key, step, value, is_nan, timestamp);
CREATE TABLE params (run_uuid, key, value);
CREATE TABLE tags (run_uuid, key, value);
"""


class Store:
    """A store that is right, and that a test may then spoil."""

    def __init__(self, folder: Path, seed: int, end: str) -> None:
        self.artifacts = folder / "artifacts"
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(TABLES)
        self.sql(
            "INSERT INTO runs VALUES ('r', 'p0-r0', ?, ?, ?, 1, 'active')",
            "KILLED" if end == "kill" else "FINISHED",
            START,
            START + 100,
        )
        for key, value in (("lr", "0.1"), ("of", "p0-r0"), ("late", "20")):
            self.sql("INSERT INTO params VALUES ('r', ?, ?)", key, value)
        for key in ("by", "phase"):
            self.sql("INSERT INTO tags VALUES ('r', ?, 'p0-r0')", key)
        said: list[dict[str, Any]] = [
            {"what": what, "at": START, "run": "p0-r0"}
            for what in ("opening", "opened", "facts", "config")
        ]
        for number, call in enumerate(calls_of(seed, RUN, 0)):
            at = START + number
            for key, step, value in call.points:
                stored = as_stored(value)
                nan = isinstance(stored, str)
                self.sql(
                    "INSERT INTO metrics VALUES ('r', ?, ?, ?, ?, ?)",
                    key,
                    step,
                    0 if nan else stored,
                    nan,
                    at,
                )
            said.append({"what": "log", "run": "p0-r0", "thread": 0, "before": at, "at": at})
        if end == "kill":
            said.pop()
        else:
            said.append({"what": "closed", "at": START + 100, "run": "p0-r0"})
        (folder / "p0.acks").write_text("".join(json.dumps(line) + "\n" for line in said))
        configs = self.artifacts / "1" / "r" / "artifacts" / "configs"
        configs.mkdir(parents=True)
        (configs / "p0-r0.yaml").write_text(CONFIG.format(name="p0-r0"))

    def sql(self, statement: str, *values: object) -> None:
        """Change it."""
        self.db.execute(statement, values)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read it, as a server's database is read."""
        return self.db.execute(query.replace("%s", "?"), values).fetchall()


def problems(
    folder: Path, spoil: Callable[[Store], object], end: str = "normal", seed: int = 3
) -> str:
    """Return what is said of a spoilt store."""
    store = Store(folder, seed, end)
    spoil(store)
    schedule = Schedule(seed, "sqlite", "script", (VictimPlan("p0", (RUN,), end),), (), "sync")
    ended = {"p0": START + 100} if end == "kill" else {}
    verdict = Check(schedule, store, "1", folder)(ended)  # type: ignore[arg-type]
    assert verdict.points >= 19 or not verdict.runs or "0 runs" in verdict.problems[0]
    return "; ".join(verdict.problems)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("end", ["normal", "kill"])
def test_a_right_store_is_right(seed: int, end: str, tmp_path: Path) -> None:
    assert problems(tmp_path, lambda store: None, end, seed) == ""


SPOILT = {
    "DELETE FROM metrics WHERE rowid = 5": "1 of 40 points lost",
    "INSERT INTO metrics SELECT * FROM metrics WHERE rowid = 5": "doubled",
    "UPDATE metrics SET step = step + 1 WHERE rowid = 5": "not acknowledged",
    "UPDATE metrics SET value = value * 1.0000000000000002 + 1e-300 WHERE rowid = 5": "lost",
    "UPDATE metrics SET is_nan = 1 WHERE rowid = 5": "lost",
    "UPDATE metrics SET timestamp = timestamp + 60000 WHERE rowid = 5": "wrong times",
    "UPDATE runs SET status = 'RUNNING'": "RUNNING instead of FINISHED",
    "UPDATE runs SET status = 'KILLED'": "KILLED instead of FINISHED",
    "UPDATE runs SET end_time = NULL": "no end time",
    "UPDATE runs SET end_time = end_time + 60000": "after its last point",
    "UPDATE runs SET start_time = start_time + 60000": "starts 60000 ms",
    "UPDATE runs SET lifecycle_stage = 'deleted'": "0 runs in the store",
    "INSERT INTO runs SELECT * FROM runs": "2 runs in the store",
    "INSERT INTO runs SELECT 'x', 'other', 'FINISHED', 1, 2, 1, 'active'": "nobody opened",
    "DELETE FROM params WHERE key = 'late'": "param late is None",
    "DELETE FROM tags WHERE key = 'by'": "tag by is None",
}


@pytest.mark.parametrize("statement", SPOILT)
def test_a_spoilt_store_is_found_out(statement: str, tmp_path: Path) -> None:
    assert SPOILT[statement] in problems(tmp_path, lambda store: store.sql(statement))


def test_a_lost_artifact_is_found_out(tmp_path: Path) -> None:
    def spoil(store: Store) -> None:
        next(store.artifacts.rglob("*.yaml")).unlink()

    assert "its configuration file is None" in problems(tmp_path, spoil)


def test_values_are_compared_as_the_store_keeps_them() -> None:
    assert as_stored(math.nan) == "nan"
    assert as_stored(-math.inf) == -1.7976931348623157e308
    assert as_stored(5e-324) == 5e-324
