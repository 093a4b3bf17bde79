"""Plays classes of schedules, and says by class what was tried, held, met and compared."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.classes.common import Bench, Kind, Seen, Stage

HEAD = ("class", "tried", "held", "met", "points compared", "seconds")


@dataclass
class Row:
    """The figures of a class; ``why`` says why it was not tried."""

    name: str
    tried: int = 0
    held: int = 0
    met: int = 0
    points: int = 0
    seconds: float = 0.0
    why: str = ""

    def add(self, seen: Seen) -> None:
        """Count a schedule."""
        self.tried += 1
        self.held += not seen.problems
        self.met += seen.met
        self.points += seen.points

    def fell(self, plan: object, problems: Iterable[str]) -> None:
        """Say what is wrong with a schedule."""
        lines = [f"WRONG {plan}", *(f"  - {problem}" for problem in problems)]
        print("\n".join(lines), flush=True)

    @property
    def right(self) -> bool:
        """Whether all held, and the fault struck in at least half of them."""
        return self.held == self.tried and 2 * self.met >= self.tried

    def __str__(self) -> str:
        cells = (self.name, self.tried, self.held, self.met, f"{self.points:,}")
        figures = f"| {' | '.join(map(str, cells))} | {self.seconds:.0f} |"
        return f"| {self.name} | not tried: {self.why} ||||" + "|" if self.why else figures


def table(rows: Iterable[Row]) -> str:
    """Return the table, with the sum of all."""
    rows = list(rows)
    total = Row("all")
    for row in rows:
        total.tried += row.tried
        total.held += row.held
        total.met += row.met
        total.points += row.points
        total.seconds += row.seconds
    lines = [f"| {' | '.join(HEAD)} |", "|---|" + "---:|" * (len(HEAD) - 1)]
    return "\n".join([*lines, *map(str, rows), str(total)])


class Heard:
    """The exceptions that ended threads of this process: none may be hidden."""

    def __init__(self) -> None:
        self._heard: list[str] = []

    def take(self) -> list[str]:
        """Return what was heard since the last time."""
        heard, self._heard = self._heard, []
        return heard

    @contextmanager
    def listening(self) -> Iterator[Heard]:
        """Listen, and print it as before."""
        before = threading.excepthook

        def hear(what: threading.ExceptHookArgs) -> None:
            name = what.thread.name if what.thread else "?"
            self._heard.append(f"thread {name}: {what.exc_type.__name__}: {what.exc_value}")
            before(what)

        threading.excepthook = hear
        try:
            yield self
        finally:
            threading.excepthook = before


def play_one(kind: Kind, seed: int, bench: Bench, heard: Heard) -> Seen:
    """Play the schedule of a seed; a failure of the harness is one of the schedule."""
    seen = Seen()
    plan = kind.draw(seed)
    try:
        stage = Stage(bench, f"{kind.name}-{seed}-{time.time_ns() % 10**9}")
        try:
            seen = kind.play(plan, stage)
        finally:
            stage.close(seen)
    except Exception as error:
        seen.problems.append(f"harness: {type(error).__name__}: {error}")
    seen.problems += heard.take()
    return seen


def play_class(kind: Kind, seeds: Iterable[int], folder: Path) -> Row:
    """Play a class; a line for each schedule that fell or that its fault did not meet."""
    row = Row(kind.name, why=kind.why_not())
    if row.why:
        return row
    began = time.monotonic()
    bench = Bench(folder / kind.name)
    try:
        with Heard().listening() as heard, ThreadPoolExecutor(kind.at_once) as pool:
            playing = [(seed, pool.submit(play_one, kind, seed, bench, heard)) for seed in seeds]
            for seed, future in playing:
                seen = future.result()
                row.add(seen)
                if seen.problems:
                    row.fell(kind.draw(seed), seen.problems)
                elif not seen.met:
                    print(f"not met: {kind.draw(seed)}", flush=True)
    finally:
        bench.close()
    row.seconds = time.monotonic() - began
    return row
