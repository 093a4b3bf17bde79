"""What two calls a step cost a training loop, ours beside the other trackers."""

from __future__ import annotations

import functools
import statistics
import tempfile
from pathlib import Path

from benchmarks import log_peers
from benchmarks.log_bench import Bench, Entry
from benchmarks.log_server import Stores
from benchmarks.log_subjects import SUBJECTS
from benchmarks.log_work import rounds_for
from benchmarks.rows import Row

OURS = Entry("ours", "sqlite")
ENTRIES = (
    OURS,
    Entry("ours-thread", "sqlite"),
    Entry("trackio"),
    Entry("wandb"),
    Entry("mlflow-async", "sqlite"),
    Entry("mlflow", "sqlite"),
)
LOOPS = {
    "a convolution step of 2 to 3 ms": ("conv", 1, 1.03),
    "2 ms of Python": ("python", 1, 1.05),
    "a convolution step, calls at every 20th": ("conv", 20, 1.01),
}
HEAD = """## What logging costs a training loop

Two calls of 4 scalars a step; the time of a step with them, divided by its time without, in \
blocks of 1.5 s that alternate within one process, after the run was open for 5 s. Fresh \
processes, the trackers in turn; the median of the rounds, and the least and greatest of them. \
One core for the loop; trackers that have helpers run them on the other.
"""

Results = dict[tuple[str, Entry], list[dict[str, float]]]


@functools.cache
def measured(rounds: int, blocks: int) -> Results:
    """Measure all trackers in turn, round by round."""
    log_peers.install()
    results: Results = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        stores = Stores(Path(name))
        bench = Bench(Path(name), stores, rounds_for(0.001))
        try:
            for _ in range(rounds):
                for loop, (kind, every, _bar) in LOOPS.items():
                    for entry in ENTRIES:
                        _measure(bench, loop, entry, (kind, every, blocks), results)
        finally:
            stores.stop()
    return results


def _measure(
    bench: Bench, loop: str, entry: Entry, how: tuple[str, int, int], results: Results
) -> None:
    module = SUBJECTS[entry.name].module
    if module and log_peers.python_with(module) is None:
        return
    found = bench.train(entry, *how)
    if "error" in found:
        print(f"  {entry.label}, {loop}: {found['error']}", flush=True)
        return
    results.setdefault((loop, entry), []).append(found)


def _sizes(quick: bool) -> tuple[int, int]:
    return (1, 1) if quick else (3, 4)


def rows(quick: bool = False) -> list[Row]:
    """Compare a step with our calls and without, in each loop."""
    results = measured(*_sizes(quick))
    found = []
    for loop, (_, _, most) in LOOPS.items():
        mine = results.get((loop, OURS), [])
        if not mine:
            continue
        others = [
            _ratio(seen)
            for (name, entry), seen in results.items()
            if name == loop and not entry.name.startswith("ours")
        ]
        met = _ratio(mine) <= min([most, *others])
        with_it, without = (
            statistics.median(one[field] for one in mine) for field in ("with_s", "without_s")
        )
        bar = f"at most {most} times, and ahead of every peer"
        found.append(Row(f"{loop}, 2 calls", with_it, "without the calls", without, bar, met))
    return found


def _ratio(seen: list[dict[str, float]]) -> float:
    return statistics.median(one["ratio"] for one in seen)


def section(quick: bool = False) -> str:
    """Return the table of all trackers as Markdown."""
    results = measured(*_sizes(quick))
    lines = [HEAD, f"| tracker | {' | '.join(LOOPS)} |", "|---|" + "--:|" * len(LOOPS)]
    for entry in ENTRIES:
        cells = [_cell(results.get((loop, entry), [])) for loop in LOOPS]
        lines.append(f"| {entry.label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(seen: list[dict[str, float]]) -> str:
    if not seen:
        return "–"
    ratios = [one["ratio"] for one in seen]
    return f"{_ratio(seen):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
