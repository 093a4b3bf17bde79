"""How fast points reach the store while a loop runs, and what a run leaves behind."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from benchmarks.log_server import Stores
from benchmarks.rows import Row

SUBJECT = Path(__file__).with_name("sending_subject.py")
POINTS = 10_000
SETTLE = 2.0  # seconds of logging before the store is looked at
Count = Callable[[], int]


def rows(quick: bool = False) -> list[Row]:
    """Compare the rate of points with that of ``log_batch``, and a run beside a backlog."""
    seconds, rounds = (4.0, 1) if quick else (8.0, 3)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        stores = Stores(folder)
        postgres = _postgres()
        try:
            stores.start_server()
            found = []
            for kind in ("sqlite", "server", *(["PostgreSQL"] if postgres else [])):
                pairs = []
                for turn in range(rounds):
                    uri, count = _store(kind, folder / f"{kind}-{turn}.db", stores, postgres)
                    mine = _rate(folder, uri, count, "ours", seconds)
                    uri, count = _store(kind, folder / f"{kind}-{turn}b.db", stores, postgres)
                    pairs.append((mine, _rate(folder, uri, count, "batch", seconds)))
                mine, peer = (statistics.median(pair[at] for pair in pairs) for at in (0, 1))
                what = f"{POINTS:,} points while a loop runs, {kind}"
                who = "log_batch(1000) in a second process"
                met = mine <= peer / 0.9
                found.append(Row(what, mine, who, peer, "at least 0.9 of its rate", met))
            return [*found, *_beside_a_backlog(folder, stores, rounds)]
        finally:
            stores.stop()
            if postgres is not None:
                postgres.close()


def _beside_a_backlog(folder: Path, stores: Stores, rounds: int) -> list[Row]:
    seen = []
    for turn in range(rounds):
        path = folder / f"small-{turn}.db"
        stores.new_database(path)
        seen.append(json.loads(_said(folder, f"sqlite:///{path}", "small")))
    block, whole, alone, finished = (statistics.median(one[at] for one in seen) for at in range(4))
    return [
        Row("a small run beside 200,000 points", block, "alone", alone, "0.1 s", block <= 0.1),
        Row("the same until FINISHED", whole, "alone", finished, "2 s", whole <= 2.0),
    ]


@functools.cache
def _memory(rounds: int) -> list[list[float]]:
    seen = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        stores = Stores(folder)
        for turn in range(rounds):
            path = folder / f"memory-{turn}.db"
            stores.new_database(path)
            seen.append(json.loads(_said(folder, f"sqlite:///{path}", "memory")))
    return seen


def section(quick: bool = False) -> str:
    """Return what runs take of memory, as Markdown."""
    first, growth, watcher, sending = (
        statistics.median(one[at] for one in _memory(1 if quick else 3)) for at in range(4)
    )
    return (
        "## What runs leave in memory\n\n"
        "Runs of 20 steps of 2 scalars in one script, medians of three.\n\n"
        "| what | MB |\n|---|--:|\n"
        f"| the script after its first run | {first:.0f} |\n"
        f"| growth a run, from the 100th to the 300th | {growth:.3f} |\n"
        f"| the watcher, idle | {watcher:.0f} |\n"
        f"| the process that sends | {sending:.0f} |"
    )


def _postgres():  # type: ignore[no-untyped-def]  # the tests' own, where it is installed
    try:
        from tests.faults.servers import Postgres

        return Postgres()
    except (ImportError, FileNotFoundError):
        return None


def _store(kind: str, path: Path, stores: Stores, postgres: object) -> tuple[str, Count]:
    if kind == "PostgreSQL":
        return _postgres_store(postgres)
    if kind == "server":
        return stores.uri, lambda: _count(stores.database)
    stores.new_database(path)
    return f"sqlite:///{path}", lambda: _count(path)


def _count(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as store:
        return int(store.execute("SELECT count(*) FROM metrics").fetchone()[0])


def _postgres_store(postgres) -> tuple[str, Count]:  # type: ignore[no-untyped-def]
    import sqlalchemy

    engine = sqlalchemy.create_engine(postgres.uri)

    def count() -> int:
        with engine.connect() as link:
            return int(link.execute(sqlalchemy.text("SELECT count(*) FROM metrics")).scalar() or 0)

    return postgres.uri, count


def _rate(folder: Path, uri: str, count: Count, kind: str, seconds: float) -> float:
    """Return how long 10,000 points took while a loop ran beside them, in seconds."""
    beside = _start(folder, uri, "alone", seconds + SETTLE + 10) if kind == "batch" else None
    writer = _start(folder, uri, kind, seconds + SETTLE)
    try:
        assert writer.stdout is not None
        while writer.stdout.readline().strip() != "ready":
            if writer.poll() is not None:
                raise RuntimeError(f"{kind} ended before its time")
        time.sleep(SETTLE)
        first, began = count(), time.perf_counter()
        time.sleep(seconds - 1)
        last, ended = count(), time.perf_counter()
        return (ended - began) * POINTS / (last - first)
    finally:
        writer.wait()
        if beside is not None:
            beside.kill()
            beside.wait()


def _said(folder: Path, uri: str, kind: str) -> str:
    process = _start(folder, uri, kind, 0.0)
    out, _ = process.communicate()
    return next(line for line in out.splitlines() if line.startswith("["))


def _start(folder: Path, uri: str, kind: str, seconds: float) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": uri,
        "XDG_STATE_HOME": str(folder / "state"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    return subprocess.Popen(
        [sys.executable, str(SUBJECT), kind, str(seconds)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
