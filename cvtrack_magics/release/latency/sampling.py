"""Times calls: warm-up until they are steady, then rounds of short blocks in changing order."""

from __future__ import annotations

import gc
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

import numpy as np

from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.latency.percentiles import Floats, fewest, is_steady
from cvtrack_magics.release.latency.runner import Runner

ROUNDS = 5
FEWEST = fewest(0.5)  # calls, whatever time they take: below, not even the median is known
_WARM_UP_CALLS = 10_000
_BLOCK_NS = 10_000_000  # a warm-up block is about 10 ms, of 3 to 50 calls
# After its last call a runtime's threads spin for some time in the hope of more work:
# onnxruntime's slow PyTorch down by half for about 75 ms, PyTorch's onnxruntime for 15 ms.
SETTLE_NS = 100_000_000
_NS = 1e9


@dataclass
class Cell:
    """One runner at one batch size while it is measured; durations are in nanoseconds."""

    runner: str
    batch: int
    call: Callable[[], Any]
    wait: Callable[[], None]
    first: int = 0
    warm_up: list[int] = field(default_factory=list)
    steady: bool = False
    rounds: list[array[int]] = field(default_factory=list)
    spent: int = 0
    problem: str = ""

    @property
    def count(self) -> int:
        """Timed calls so far."""
        return sum(map(len, self.rounds))

    @property
    def times(self) -> Floats:
        """All timed calls in nanoseconds, float64 N."""
        return np.concatenate([np.asarray(part, np.float64) for part in self.rounds])

    def timed(self) -> tuple[int, Any]:
        """Call once; return the nanoseconds until the device was done, and the output."""
        self.wait()
        started = perf_counter_ns()
        output = self.call()
        self.wait()
        return perf_counter_ns() - started, output


def first_call(name: str, runner: Runner, batch: int) -> tuple[Cell, Any]:
    """Make a runner ready for a batch size and call it once; a failure is kept as a problem."""
    cell = Cell(name, batch, lambda: None, runner.wait)
    try:
        cell.call = runner.ready(batch)
        cell.first, output = cell.timed()
    except Exception as error:  # whatever the model's own code or a compiler raises
        cell.problem = reason(error)
        return cell, None
    return cell, output


def reason(error: Exception) -> str:
    """Return why a call failed, in one line; a compiler's wrapper gives what it wraps."""
    inner = getattr(error, "inner_exception", None)
    return kind_and_line(inner if isinstance(inner, Exception) else error)


def warm_up(cell: Cell, seconds: float) -> None:
    """Call until the times are steady, or ``seconds`` or 10 000 calls are over."""
    started = perf_counter_ns()
    limit = started + int(seconds * _NS)
    settled = min(limit, started + SETTLE_NS)
    block = 3
    try:
        while True:
            cell.warm_up.append(cell.timed()[0])
            done = len(cell.warm_up)
            if done == block == 3:
                block = max(3, min(50, int(_BLOCK_NS / max(1.0, float(np.median(cell.warm_up))))))
            now = perf_counter_ns()
            over = now >= limit or done >= _WARM_UP_CALLS
            if over or (now >= settled and done % block == 0):
                cell.steady = is_steady(cell.warm_up, block)
            if over or cell.steady:
                return
    except Exception as error:
        cell.problem = reason(error)


def sample(
    cells: Sequence[Cell],
    seconds: float,
    *,
    seed: int,
    progress: Callable[[Cell, float], None],
) -> None:
    """Time each cell for ``seconds`` in rounds; what fails is left with its problem.

    Every round goes through the runners in another order, so that a slower minute of the
    machine and the traces that one runner leaves to the next hit all alike.
    """
    order = random.Random(seed)  # noqa: S311 - an order, not a secret
    budget = int(seconds * _NS)
    # half a block short of the budget is nearer to it than half a block beyond
    enough = int(budget * (1 - 0.5 / ROUNDS))
    queue, last = list(cells), ""
    while True:
        order.shuffle(queue)  # all of them, so that the order does not depend on the times
        turns = list(dict.fromkeys(cell.runner for cell in queue))
        queue.sort(key=lambda cell: turns.index(cell.runner))
        left = [
            cell
            for cell in queue
            if not cell.problem and (cell.spent < enough or cell.count < FEWEST)
        ]
        if not left:
            return
        for cell in left:
            progress(cell, sum(min(c.spent / budget, 1.0) for c in cells) / len(cells))
            try:
                _block(cell, budget // ROUNDS, settle=SETTLE_NS if cell.runner != last else 0)
            except Exception as error:
                cell.problem = reason(error)
            last = cell.runner


def _block(cell: Cell, length: int, settle: int) -> None:
    """Time calls for ``length`` ns, at least three; the first call does not count.

    Nor do all that begin in the first ``settle`` ns.
    """
    settled = perf_counter_ns() + settle
    cell.timed()
    while perf_counter_ns() < settled:
        cell.timed()
    times = array("q")
    with gc_paused():
        started = perf_counter_ns()
        while len(times) < 3 or perf_counter_ns() < started + length:
            times.append(cell.timed()[0])
        cell.spent += perf_counter_ns() - started
    cell.rounds.append(times)


@contextmanager
def gc_paused() -> Iterator[None]:
    """Keep Python's cyclic garbage collector from running, if it was on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
