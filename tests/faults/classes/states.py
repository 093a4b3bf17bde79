"""States of a PostgreSQL behind a store: all points arrive once it is well again."""

from __future__ import annotations

import queue
import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.classes.common import (
    PATIENCE,
    Bench,
    Kind,
    Seen,
    Stage,
    check_files,
    check_journal_is_empty,
    compare,
    stored_in,
)
from tests.faults.classes.trainer import Training
from tests.faults.kills import until
from tests.faults.servers import MlflowServer, Postgres, postgres_binaries

STANDS = 2
DATABASE = "mlruns"
KICK = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
FULL = (
    "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
    "'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$; "
    "CREATE TRIGGER full_disk BEFORE INSERT ON metrics EXECUTE FUNCTION full_disk()"
)
WELL_AGAIN = "DROP TRIGGER full_disk ON metrics; DROP FUNCTION full_disk"
WAYS = ("for a while", "over the end", "until it is killed")


def _away(what: str, name: str) -> tuple[str, str]:
    there = f"ALTER {what} {name} RENAME TO {name}_away"
    return there, f"ALTER {what} {name}_away RENAME TO {name}"


def _column(table: str, name: str) -> tuple[str, str]:
    alter = f"ALTER TABLE {table} RENAME COLUMN"
    return f"{alter} {name} TO {name}_away", f"{alter} {name}_away TO {name}"


def _revoked(right: str, table: str) -> tuple[str, str]:
    return f"REVOKE {right} ON {table} FROM app", f"GRANT {right} ON {table} TO app"


def _set(what: str, setting: str) -> tuple[str, str]:
    return f"ALTER {what} SET {setting}", f"ALTER {what} RESET {setting.split(maxsplit=1)[0]}"


STATES: dict[str, tuple[str, str]] = {
    "read-only": _set(f"DATABASE {DATABASE}", "default_transaction_read_only = on"),
    "read-only for the server's user": _set("ROLE app", "default_transaction_read_only = on"),
    "every statement times out": _set("ROLE app", "statement_timeout = 1"),
    "metrics away": _away("TABLE", "metrics"),
    "latest metrics away": _away("TABLE", "latest_metrics"),
    "runs away": _away("TABLE", "runs"),
    "tags away": _away("TABLE", "tags"),
    "all away": _away("SCHEMA", "public"),
    "a column away": _column("metrics", "step"),
    "a column of runs away": _column("runs", "status"),
    "no right to insert": _revoked("INSERT", "metrics"),
    "no right to update": _revoked("UPDATE", "latest_metrics"),
    "no right at all": _revoked("ALL", "runs"),
    "nobody may log in": ("ALTER ROLE app NOLOGIN", "ALTER ROLE app LOGIN"),
    "no connections": (
        f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false",
        f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true",
    ),
    "its disk is full": (FULL, WELL_AGAIN),
}
OTHER_STATES = ("restarted", "locked")
KEPT = ("metrics away", "no right to insert", "its disk is full", "a column away")
"""States that come over connections that are open."""


@dataclass(frozen=True)
class Plan:
    """What becomes of the database, who speaks to it, and until when."""

    seed: int
    state: str
    way: str
    through: str

    def __str__(self) -> str:
        return f"states {self.seed}: {self.state}, {self.way}, {self.through}"


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    pick = random.Random(f"states {seed}")
    names = (*STATES, *OTHER_STATES)
    through = pick.choice(("through a server", "through a server", "without a server"))
    return Plan(seed, names[seed % len(names)], WAYS[seed % len(WAYS)], through)


class Stand:
    """A PostgreSQL with a user that is no superuser, and a server in front of it."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres()
        try:
            self.sql("CREATE ROLE app LOGIN", database="postgres")
            self.sql(f"CREATE DATABASE {DATABASE} OWNER app", database="postgres")
            self.uri = f"postgresql+psycopg2://app@127.0.0.1:{self.postgres.port}/{DATABASE}"
            folder.mkdir()
            self.server = MlflowServer(folder, self.uri)
        except BaseException:
            self.postgres.close()
            raise

    def _connect(self, database: str = DATABASE) -> Any:
        import psycopg2

        made = psycopg2.connect(
            host="127.0.0.1", port=self.postgres.port, user="tests", dbname=database
        )
        made.autocommit = True
        return made

    def sql(self, *statements: str, database: str = DATABASE) -> None:
        """Say something to the database, as its superuser."""
        with closing(self._connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Read with SQL."""
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    @contextmanager
    def state(self, name: str) -> Iterator[None]:
        """Keep the database in a state."""
        if name == "restarted":
            self.postgres.kill()
            try:
                yield
            finally:
                self.postgres.start()
        elif name == "locked":
            with closing(self._connect()) as connection:
                connection.autocommit = False
                with connection.cursor() as cursor:
                    cursor.execute("LOCK TABLE metrics IN ACCESS EXCLUSIVE MODE")
                yield
                connection.rollback()
        else:
            there, back = STATES[name]
            self._say(there, name)
            try:
                yield
            finally:
                self._say(back, name)

    def _say(self, statement: str, name: str) -> None:
        """Say it, and end the connections of the server's user, which know what was before."""
        where = "postgres" if name == "no connections" else DATABASE
        self.sql(statement, *([] if name in KEPT else [KICK]), database=where)

    def close(self) -> None:
        """Take both down."""
        self.server.kill()
        self.postgres.close()


def _stands(bench: Bench) -> queue.Queue[Stand]:
    def make() -> queue.Queue[Stand]:
        stands: queue.Queue[Stand] = queue.Queue()
        for number in range(STANDS):
            stand = Stand(bench.folder / f"stand{number}")
            bench.closers.append(stand.close)
            stands.put(stand)
        return stands

    found = bench.once("stands", make)
    assert isinstance(found, queue.Queue)
    return found


def play(plan: Plan, stage: Stage) -> Seen:
    """Train, and let the state come over the database when the first points are there."""
    stands = _stands(stage.bench)
    stand = stands.get()
    try:
        return _play(plan, stage, stand)
    finally:
        stands.put(stand)


def _play(plan: Plan, stage: Stage, stand: Stand) -> Seen:
    seen = Seen()
    name = f"states-{plan.seed}-{time.time_ns() % 10**6}"
    files = stage.folder / "artifacts" if plan.through == "without a server" else None
    where = {"artifact_location": str(files)} if files else {}
    made = stand.server.call("experiments/create", name=name, **where)
    stage.environment["MLFLOW_EXPERIMENT_ID"] = str(made["experiment_id"])
    stage.environment["MLFLOW_TRACKING_URI"] = stand.uri if files else stand.server.uri
    stage.environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
    training = Training(name, 200, 0.015, waits=True, more=60, seed=plan.seed)
    process = stage.train(training)
    until(lambda: stored_in(stand.rows, name) or process.status is not None, PATIENCE)
    with stand.state(plan.state):
        began = stage.acked(training)
        stage.wait_acked(training, min(training.steps, began + 130))
        if plan.way == "until it is killed":
            process.close()
        elif plan.way == "over the end":
            stage.go(training)
            stage.ended(process, seen)
        acked = stage.acked(training)
    waiting = {p for n in range(acked) for p in training.points(n)} - set(
        stored_in(stand.rows, name)
    )
    seen.met = bool(waiting)
    stage.go(training)
    stage.ended(process, seen)
    stage.synced(seen)
    statuses = {"KILLED"} if plan.way == "until it is killed" else {"FINISHED"}
    compare(stage, training, seen, statuses, rows=stand.rows)
    check_files(stage, training, files or stand.server.artifacts, seen)
    check_journal_is_empty(stage, seen)
    return seen


def _why_not() -> str:
    return "" if postgres_binaries() else "PostgreSQL is not installed; 'make postgres' does it"


KIND = Kind("states", draw, play, at_once=STANDS, why_not=_why_not)
