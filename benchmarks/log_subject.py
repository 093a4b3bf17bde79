"""One measurement of one tracker, in a process of its own.

``python -m benchmarks.log_subject NAME MEASURE OUT.json``; ``bench_log`` runs it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.log_points import KEYS, Board, wrong
from benchmarks.log_subjects import SUBJECTS, Nothing
from benchmarks.log_work import conv_steps, python_steps, work

Found = dict[str, Any]
BLOCK_S = 1.5
SETTLING_S = 5.0  # a long run's points are then sent as they are for the rest of it


def resident(field: str = "VmRSS") -> float:
    """Memory of this process and its descendants now, or its peak (``VmHWM``), in MB."""
    import psutil

    own = psutil.Process()
    total = 0.0
    for process in [own, *own.children(recursive=True)]:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            total += int(status.partition(f"{field}:")[2].split()[0]) * 1024
        except (OSError, IndexError):
            total += process.memory_info().rss if process.is_running() else 0
    return total / 1e6


def cost(subject: Nothing, given: argparse.Namespace) -> Found:
    """Time each of many steps, in a tight loop or with work between them.

    Import, opening and closing are outside; building the four values and reading the
    clock are inside.
    """
    bare = resident()
    log = subject.open(Path.cwd())
    opened = resident()
    clock = time.perf_counter_ns
    times = array("q", bytes(8 * given.steps))
    rounds = given.work
    begin = clock()
    for step in range(given.steps):
        work(rounds)
        start = clock()
        log(step)
        times[step] = clock() - start
    loop_s = (clock() - begin) / 1e9
    peak = resident("VmHWM")
    subject.close()
    peak = max(peak, resident("VmHWM"))
    return {
        "median_us": statistics.median(times) / 1000,
        "mean_us": statistics.fmean(times) / 1000,
        "p99_us": statistics.quantiles(times, n=100)[98] / 1000,
        "steps_per_s": given.steps / loop_s,
        "memory_mb": peak - bare,
        "loop_memory_mb": peak - opened,
    }


def fill(subject: Nothing, given: argparse.Namespace) -> Found:
    """Log all steps and end the run; another process watches what arrives."""
    log = subject.open(Path.cwd())
    board = Board(given.board)
    board.begin()
    for step in range(given.steps):
        log(step)
    loop_ns = time.monotonic_ns() - board.began_ns
    subject.close()
    return {"loop_s": loop_ns / 1e9, "closed_s": (time.monotonic_ns() - board.began_ns) / 1e9}


def watch(subject: Nothing, given: argparse.Namespace) -> Found:
    """Look until all points can be read, then compare each with what was logged."""
    subject.read(Path.cwd(), given.since)  # its imports are not what is measured
    print("ready", flush=True)
    due = given.steps * len(KEYS)
    deadline = time.monotonic() + given.patience
    while (seen := subject.count(Path.cwd(), given.since)) < due:
        if time.monotonic() > deadline:
            return {"error": f"{seen} of {due} points after {given.patience} s"}
        time.sleep(0.02)
    at = time.monotonic_ns()
    points = subject.read(Path.cwd(), given.since)
    bad = wrong(points, given.steps) + abs(len(points) - due)
    if bad:
        return {"error": f"{bad} of {due} points are not those logged"}
    return {"queryable_s": (at - Board(given.board).began_ns) / 1e9}


def burst(subject: Nothing, given: argparse.Namespace) -> Found:
    """Log until killed, noting each step after its call returned.

    Whoever kills may come late on a busy machine; ``steps`` bounds what must be read back.
    """
    log = subject.open(Path.cwd())
    board = Board(given.board)
    board.begin()
    for step in range(given.steps):
        work(given.work)
        log(step)
        board.note(step + 1)
    while True:
        time.sleep(1)


def survived(subject: Nothing, given: argparse.Namespace) -> Found:
    """Count the points that a killed process logged and that cannot be read any more."""
    return {"lost": wrong(subject.read(Path.cwd(), given.since), given.steps)}


def train(subject: Nothing, given: argparse.Namespace) -> Found:
    """Time blocks of a training loop, with logging and without in turn; return the ratio.

    Both are timed in one process, because its allocator is not another's. What waits to be
    sent is let go before a block without logging begins.
    """
    log = subject.open(Path.cwd())
    step = (conv_steps if given.kind == "conv" else python_steps)(given.work)
    done = 0

    def block(seconds: float, calls: int) -> float:
        nonlocal done
        begin, first = time.perf_counter(), done
        while time.perf_counter() - begin < seconds:
            step()
            if calls and done % given.every == 0:
                for number in range(calls):
                    log(done * calls + number)
            done += 1
        return (time.perf_counter() - begin) / (done - first)

    block(SETTLING_S, 2)
    with_it, without = [], []
    for _ in range(given.steps):
        with_it.append(block(BLOCK_S, 2))
        time.sleep(SETTLING_S / 2)
        without.append(block(BLOCK_S, 0))
    subject.close()
    return {
        "with_s": statistics.median(with_it),
        "without_s": statistics.median(without),
        "ratio": statistics.median(a / b for a, b in zip(with_it, without, strict=True)),
    }


MEASURES: dict[str, Callable[[Nothing, argparse.Namespace], Found]] = {
    "cost": cost,
    "fill": fill,
    "watch": watch,
    "burst": burst,
    "survived": survived,
    "train": train,
}


def main() -> None:
    """Measure and write what was found as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=SUBJECTS)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("out", type=Path)
    parser.add_argument("--home", type=Path, required=True, help="where the tracker writes")
    parser.add_argument("--board", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--work", type=int, default=0, help="rounds of work before each step")
    parser.add_argument("--since", type=int, default=0, help="runs that began before do not count")
    parser.add_argument("--kind", choices=("conv", "python"), default="conv")
    parser.add_argument("--every", type=int, default=1, help="steps from one call to the next")
    parser.add_argument("--patience", type=float, default=120, help="seconds")
    given = parser.parse_args()
    os.chdir(given.home)
    found = MEASURES[given.measure](SUBJECTS[given.name](), given)
    given.out.write_text(json.dumps(found))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
