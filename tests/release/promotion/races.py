"""Promotions of one model by several processes at the same moment, many times.

Run ``python -m tests.release.promotion.races --count 100`` for the figures.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from cvtrack_magics.release.promotion import history, promote, repair
from cvtrack_magics.store.registry import Registry
from tests.faults.servers import MlflowServer
from tests.release.promotion.forks import Forks, Request
from tests.release.promotion.models import PASS, changes_of, faults_of, new_model

MOST_STEPS = 10
STORES = ("sqlite", "server")


class Watcher:
    """Reads the database beside the races: two champions must not be seen even for a moment."""

    def __init__(self, database: Path, name: str) -> None:
        self._database = database
        self._name = name
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.looks = 0
        self.most_in_production = 0
        self.champions: set[int] = set()

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        production = (
            "SELECT count(*) FROM model_versions WHERE name = ? AND current_stage = 'Production'"
        )
        champions = (
            "SELECT count(*) FROM registered_model_aliases WHERE name = ? AND alias = 'champion'"
        )
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            connection.execute("PRAGMA busy_timeout = 5000")
            while not self._over.wait(0.004):
                count = connection.execute(production, (self._name,)).fetchone()[0]
                self.most_in_production = max(self.most_in_production, count)
                self.champions.add(connection.execute(champions, (self._name,)).fetchone()[0])
                self.looks += 1


class Races:
    """Races on one store.

    Attributes
    ----------
    figures : Counter
        What happened, for the report.
    """

    def __init__(self, forks: Forks, uri: str, database: Path, seed: int) -> None:
        self._forks = forks
        self._uri = uri
        self._database = database
        self._random = random.Random(seed)
        self._registry = Registry(uri)
        self.figures: Counter[str] = Counter()

    def run(self, number: int) -> list[str]:
        """Play one race; return what is wrong afterwards."""
        rng = self._random
        racers, stages = rng.randint(2, 4), rng.random() < 0.5
        kind = rng.choice(["one wins", "all insist", "one is killed"])
        name = new_model(self._uri, racers + 1, f"race {number} {rng.getrandbits(32):08x}")
        promote(
            self._registry, name, "1", expected_champion=None, verdict=PASS, who="a", stage=stages
        )
        requests: list[Request] = [
            {
                "do": "promote",
                "uri": self._uri,
                "name": name,
                "version": str(n + 2),
                "expected": "1",
                "who": f"racer {n}",
                "seed": rng.getrandbits(32),
                "insist": kind != "one wins",
            }
            for n in range(racers)
        ]
        if kind == "one is killed":
            requests[0]["kill_in_turn"] = rng.randrange(MOST_STEPS)
        with Watcher(self._database, name) as watcher:
            answers = self._forks.run(*requests)
        return [
            f"{name} ({kind}, {racers} racers, stages {stages}): {fault}"
            for fault in [
                *self._seen(watcher, stages),
                *self._judged(name, kind, answers),
                *faults_of(self._registry, name, stages=stages),
            ]
        ]

    def _seen(self, watcher: Watcher, stages: bool) -> list[str]:
        self.figures["races"] += 1
        self.figures["looks at the database"] += watcher.looks
        faults = []
        if watcher.most_in_production > (1 if stages else 0):
            faults.append(f"{watcher.most_in_production} in Production")
        if watcher.champions - {1}:
            faults.append(f"numbers of champions seen: {watcher.champions}")
        return faults

    def _judged(self, name: str, kind: str, answers: list[Request]) -> list[str]:
        done = [a["entry"] for a in answers if "entry" in a]
        killed = sum(1 for a in answers if a.get("killed"))
        repaired = [line for a in answers for line in a.get("steps", ())]
        repaired += repair(self._registry, name, who="the judge")
        errors = Counter(a["error"] for a in answers if "error" in a)
        conflicts = errors.pop("PromotionConflict", 0)
        self.figures["promotions"] += len(done)
        self.figures["conflicts"] += conflicts + sum(a.get("conflicts", 0) for a in answers)
        self.figures["killed"] += killed
        self.figures["completed after a kill"] += _count("Completed", repaired)
        self.figures["taken back after a kill"] += _count("Took back", repaired)
        faults = [f"errors {dict(errors)}: {answers}"] if errors else []
        kept = [e.id for e in changes_of(self._registry, name)][1:]
        if kind == "one wins" and (len(done), conflicts) != (1, len(answers) - 1):
            faults.append(f"{len(done)} won, {conflicts} conflicts")
        if kind == "all insist" and len(done) != len(answers):
            faults.append(f"{len(done)} of {len(answers)} were promoted")
        lost = set(done) - set(kept)
        if lost:
            faults.append(f"records lost: {lost}")
        if not len(done) <= len(kept) <= len(done) + killed:
            faults.append(f"{len(kept)} records of {len(done)} promotions, {killed} killed")
        verdicts = sum(e.what == "passed" for e in history(self._registry, name)) - 1
        tried = len(answers) + sum(a.get("conflicts", 0) for a in answers)
        if not tried <= verdicts <= tried + killed * MOST_STEPS:
            faults.append(f"{verdicts} verdicts kept of {tried}")
        return faults


def _count(word: str, lines: list[str]) -> int:
    return sum(line.startswith(word) for line in lines)


def main() -> None:
    """Race on a database and on a server, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="races on each store")
    parser.add_argument("--store", choices=STORES, nargs="*", default=STORES)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cvtrack-races-") as folder, Forks() as forks:
        os.environ["XDG_STATE_HOME"] = folder
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/other.db"
        found = [
            fault
            for store in asked.store
            for fault in _played(forks, Path(folder), store, asked.count, asked.seed)
        ]
    if found:
        raise SystemExit("\n".join(found))


def _played(forks: Forks, folder: Path, store: str, count: int, seed: int) -> list[str]:
    database = folder / f"{store}.db"
    server = MlflowServer(folder, f"sqlite:///{database}") if store == "server" else None
    try:
        uri = f"sqlite:///{database}" if server is None else server.uri
        races = Races(forks, uri, database, seed)
        began = time.monotonic()
        faults = [fault for n in range(count) for fault in races.run(n)]
        took = time.monotonic() - began
    finally:
        if server is not None:
            server.kill()
    figures = ", ".join(f"{n} {what}" for what, n in races.figures.items())
    print(f"{store}: {figures}, {len(faults)} faults, {took:.0f} s", flush=True)
    return faults


if __name__ == "__main__":
    main()
