"""Plays many schedules beside each other, for most of the time is waiting."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from tests.faults.play import Arena, Play, Result, Rough
from tests.faults.processes import Zygote
from tests.faults.schedule import STORES, Schedule, schedule_of
from tests.faults.servers import MlflowServer, Postgres, postgres_binaries

AT_ONCE = 12


class World:
    """Both servers, the database and the zygote, up until it is closed."""

    def __init__(self, folder: Path, stores: Iterable[str] = STORES) -> None:
        self.postgres: Postgres | None = None
        self.arena: Arena | None = None
        self._closers: list[Callable[[], None]] = []
        places = {store: folder / store for store in stores}
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        try:
            self._start(folder, places)
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path, places: dict[str, Path]) -> None:
        if "postgresql" in places and postgres_binaries() is not None:
            self.postgres = Postgres()
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "XDG_"))}
        with ThreadPoolExecutor() as pool:
            zygote = pool.submit(Zygote, environment)
            started = {
                store: pool.submit(MlflowServer, place, self._backend(store, place))
                for store, place in places.items()
                if store == "sqlite" or self.postgres is not None
            }
            servers = {}
            for store, future in started.items():
                servers[store] = future.result()
                self._closers.append(servers[store].kill)
            self._closers.append(zygote.result().close)
        self.arena = Arena(servers, zygote.result(), folder)

    def _backend(self, store: str, place: Path) -> str:
        if store == "sqlite":
            return f"sqlite:///{place / 'server.db'}"
        assert self.postgres is not None
        return self.postgres.uri

    def close(self) -> None:
        """Take everything down."""
        for close in reversed(self._closers):
            close()
        if self.postgres is not None:
            self.postgres.close()


class Crowd:
    """The schedules of some seeds, played in the background; ask for each result."""

    def __init__(self, world: World, seeds: Iterable[int]) -> None:
        assert world.arena is not None
        self.world = world
        self.arena = world.arena
        self.schedules = {seed: schedule_of(seed) for seed in seeds}
        self._futures: dict[int, Future[Result]] = {seed: Future() for seed in self.schedules}
        self.done: list[Result] = []
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="schedule")
        self._thread = threading.Thread(target=self._play_all, daemon=True)
        self._thread.start()

    def result(self, seed: int) -> Result:
        """Wait for one schedule."""
        return self._futures[seed].result()

    def close(self) -> None:
        """Stop; what has not begun does not begin."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _playable(self) -> list[Schedule]:
        return [s for s in self.schedules.values() if s.store in self.arena.servers]

    def _play_all(self) -> None:
        smooth = [s for s in self._playable() if not s.rough]
        rough = [s for s in self._playable() if s.rough]
        for future in [self._pool.submit(self._play, s) for s in smooth]:
            future.exception()
        # a real server is harmed only when nobody else relies on it
        stores = [[s for s in rough if s.store == store] for store in STORES]
        threads = [threading.Thread(target=self._rough_times, args=(some,)) for some in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _play(self, schedule: Schedule, rough: Rough | None = None) -> None:
        future = self._futures[schedule.seed]
        try:
            result = Play(self.arena, schedule, rough)()
        except BaseException as error:
            future.set_exception(error)
            raise
        self.done.append(result)
        future.set_result(result)

    def _rough_times(self, schedules: list[Schedule]) -> None:
        for kind in dict.fromkeys(s.rough for s in schedules):
            group = [s for s in schedules if s.rough == kind]
            rough = Rough(len(group))
            threads = [threading.Thread(target=self._play, args=(s, rough)) for s in group]
            for thread in threads:
                thread.start()
            rough.begin.wait(60)
            try:
                self._harm(kind, group[0].store)
            finally:
                rough.over.set()
                for thread in threads:
                    thread.join()

    def _harm(self, kind: str, store: str) -> None:
        draw = random.Random(f"{kind} {store}")
        server = self.arena.servers[store]
        time.sleep(draw.uniform(1, 3))
        pause = draw.uniform(3, 6)
        if kind == "kill":
            server.kill()
            time.sleep(pause)
            server.start()
        elif kind == "stop":
            for _ in range(2):
                server.signal(signal.SIGSTOP)
                time.sleep(pause)
                server.signal(signal.SIGCONT)
                time.sleep(1)
        elif kind == "lock":
            with closing(sqlite3.connect(server.backend.removeprefix("sqlite:///"))) as locked:
                locked.execute("PRAGMA busy_timeout = 20000")
                locked.execute("BEGIN EXCLUSIVE")
                time.sleep(pause + 3)
                locked.rollback()
        elif kind == "database" and self.world.postgres is not None:
            self.world.postgres.kill()
            time.sleep(pause)
            self.world.postgres.start()

    def summary(self) -> list[str]:
        """Return what has been done, in lines."""
        good = [r for r in self.done if not r.verdict.problems]
        points = sum(r.verdict.points for r in self.done)
        runs = sum(r.verdict.runs for r in self.done)
        lines = [
            f"{len(self.done)} schedules ({len(good)} right), {runs} runs, {points:,} points "
            "acknowledged and compared"
        ]
        for store in STORES:
            some = [r for r in self.done if r.schedule.store == store]
            lines.append(
                f"  on {store}: {len(some)} schedules, "
                f"{sum(r.verdict.points for r in some):,} points"
            )
        kinds = Counter(kind for r in self.done for kind in r.schedule.kinds)
        for head in dict.fromkeys(kind.split(":")[0] for kind in sorted(kinds)):
            some_kinds = {k: n for k, n in sorted(kinds.items()) if k.split(":")[0] == head}
            said = ", ".join(f"{k.split(': ')[-1]} {n}" for k, n in some_kinds.items())
            lines.append(f"  schedules by {head}: {said}")
        hits: Counter[str] = sum((r.hits for r in self.done), Counter())
        lines.append("  requests harmed: " + ", ".join(f"{k} {n}" for k, n in hits.most_common()))
        slowest = max((r.verdict.slowest for r in self.done), default=0)
        lines.append(f"  the slowest call of log() took {slowest} ms")
        return lines
