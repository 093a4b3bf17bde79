"""One logged step and all that follows from it, ours beside the other trackers."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import log_peers, log_report
from benchmarks.log_bench import Bench, Entry
from benchmarks.log_server import Stores
from benchmarks.log_subjects import SUBJECTS
from benchmarks.log_work import rounds_for
from benchmarks.rows import Row

OURS = Entry("ours", "sqlite")
ENTRIES = (
    Entry("nothing"),
    OURS,
    Entry("mlflow-batch", "sqlite"),
    Entry("ours", "server"),
    Entry("mlflow-batch", "server"),
    Entry("trackio"),
    Entry("wandb"),
    Entry("tensorboard"),
    Entry("mlflow-async", "sqlite", 0.1),
    Entry("mlflow-async", "server", 0.1),
    Entry("mlflow", "sqlite", 0.1),
    Entry("mlflow", "server", 0.05),
)
PLOT = Path(__file__).parent / "log_cost.svg"


class Plan(NamedTuple):
    """How much is measured.

    Parameters
    ----------
    steps : int
        Of the tight loops and of what is read back; a slow tracker gets a part of them.
    loop_steps : int
        Of the loop with a millisecond of work.
    rounds : int
        For ours and its rivals; what is slow, or no rival in a measure, is measured once.
    measures : tuple of str
        Of `MEASURES`.
    server : bool
        Whether a ``mlflow server`` is measured too.
    """

    steps: int
    loop_steps: int
    rounds: int
    measures: tuple[str, ...]
    server: bool


MEASURES = ("cost", "loop", "queryable", "kill", "kill-work")
FULL = Plan(10_000, 1000, 3, MEASURES, server=True)
QUICK = Plan(400, 50, 1, ("cost", "queryable", "kill"), server=False)

Results = dict[tuple[Entry, str], list[dict[str, Any]]]


@functools.cache
def measured(plan: Plan) -> Results:
    """Measure all trackers in turn, round by round."""
    log_peers.install()
    results: Results = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        stores = Stores(Path(name))
        try:
            if plan.server:
                stores.start_server()
            bench = Bench(Path(name), stores, rounds_for(0.001))
            for number in range(plan.rounds):
                for entry in ENTRIES:
                    if plan.server or entry.store != "server":
                        _measure(bench, entry, plan, number, results)
        finally:
            stores.stop()
    return results


def _measure(bench: Bench, entry: Entry, plan: Plan, number: int, results: Results) -> None:
    module = SUBJECTS[entry.name].module
    if module and log_peers.python_with(module) is None:
        results[entry, "cost"] = [{"error": "not installed"}]
        return
    todo = {
        "cost": lambda: bench.cost(entry, plan.steps),
        "loop": lambda: bench.loop(entry, plan.loop_steps),
        "queryable": lambda: bench.queryable(entry, plan.steps),
        "kill": lambda: bench.kill(entry, plan.steps, work=False),
        "kill-work": lambda: bench.kill(entry, plan.steps, work=True),
    }
    for measure in plan.measures:
        if number < _rounds(entry, measure, plan.rounds):
            found = todo[measure]()
            results.setdefault((entry, measure), []).append(found)
            if "error" in found:
                print(f"  {entry.label}, {measure}: {found['error']}", flush=True)


def _rounds(entry: Entry, measure: str, rounds: int) -> int:
    if entry.name == "nothing":
        return rounds if measure in ("cost", "loop") else 0
    if measure == "queryable":
        return rounds if entry.name in ("ours", "mlflow-batch") else 1
    if entry == OURS:
        return rounds
    if measure == "cost":
        return 1 if entry.store else rounds
    return min(rounds, 2) if measure.startswith("kill") and entry.name == "ours" else 1


def rows(quick: bool = False) -> list[Row]:
    """Compare ours with the best of the others, and with 1,000 points a call."""
    plan = QUICK if quick else FULL
    middle = functools.partial(log_report.median, measured(plan))
    found = []
    # A step of log_batch mostly sends nothing and keeps nothing; it is no rival here.
    others = {
        entry: cost
        for entry in ENTRIES
        if entry.name not in ("nothing", "ours", "mlflow-batch")
        if (cost := middle(entry, "cost", "median_us"))
    }
    mine = middle(OURS, "cost", "median_us")
    if mine and others:
        best = min(others, key=lambda entry: others[entry])
        bar = "at most 2 µs"
        found.append(
            Row("one step of 4 scalars", mine / 1e6, best.label, others[best] / 1e6, bar, mine <= 2)
        )
    for store in ("sqlite", "server"):
        mine = middle(Entry("ours", store), "queryable", "queryable_s")
        theirs = middle(Entry("mlflow-batch", store), "queryable", "queryable_s")
        if mine and theirs:
            name = f"{plan.steps:,} steps × 4 until queryable, {store}"
            bar = "at most 1.1 times"
            found.append(Row(name, mine, "log_batch(1000)", theirs, bar, mine <= 1.1 * theirs))
    return found


def section(quick: bool = False) -> str:
    """Return the table of all trackers as Markdown, and draw the plot."""
    plan = QUICK if quick else FULL
    results = measured(plan)
    if not quick:
        PLOT.write_text(log_report.plot(results, ENTRIES), encoding="utf-8")
    return log_report.table(results, ENTRIES, plan.steps)
