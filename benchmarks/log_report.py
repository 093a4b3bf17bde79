"""The measurements of all trackers as a Markdown table and as a plot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks import log_peers
from benchmarks.log_bench import Entry
from benchmarks.log_subjects import SUBJECTS
from benchmarks.plot import Bar, log_bars

Results = dict[tuple[Entry, str], list[dict[str, Any]]]

HEAD = """## What a logged step costs

A loop logs 4 scalars a step; each figure comes from a fresh process, the trackers in turn, \
medians of the rounds. *µs a step*: tight loop, after the run is open, the values' dict and the \
clock included (the first row is these alone). *Loop*: steps per second when each step does 1 ms \
of Python. *Queryable*: from the first call until another process sees all {steps:,} × 4 points \
and finds each equal to what was logged; for trackers without MLflow, in their own files. \
≈: measured on fewer steps and scaled. *Memory*: peak of the process and its helpers less \
Python's own; in brackets what the loop added to the opened run. *Lost by `kill -9`*: points \
whose call had returned and that cannot be read after the tool's own recovery, of all logged, \
all rounds together.
"""
COLUMNS = (
    "tracker",
    "µs a step, median",
    "mean",
    "loop, steps/s",
    "queryable, s",
    "memory, MB",
    "disk, bytes a point",
    "lost by kill -9, tight loop",
    "lost, 1 ms a step",
)


def median(results: Results, entry: Entry, measure: str, field: str) -> float | None:
    """Return the median over the rounds; None where none succeeded."""
    seen = [found[field] for found in results.get((entry, measure), []) if field in found]
    return statistics.median(seen) if seen else None


def lost(results: Results, entry: Entry, measure: str) -> str:
    """Say how many points were lost, of how many."""
    found = [one for one in results.get((entry, measure), []) if "lost" in one]
    if not found:
        return "–"
    gone, logged = sum(one["lost"] for one in found), sum(one["logged"] for one in found)
    share = f" ({100 * gone / logged:.0f} %)" if gone / logged >= 0.01 else ""
    return f"{gone:,}{share} of {logged:,}"


def table(results: Results, entries: Sequence[Entry], steps: int) -> str:
    """Return the table as Markdown, with the versions below."""
    lines = [
        HEAD.format(steps=steps),
        "| " + " | ".join(COLUMNS) + " |",
        "|---" + "|--:" * (len(COLUMNS) - 1) + "|",
    ]
    seen = [entry for entry in entries if any(of == entry for of, _ in results)]
    lines += ["| " + " | ".join(_cells(results, entry)) + " |" for entry in seen]
    notes = {
        f"- {entry.label}: {text}"
        for (entry, _), rounds in results.items()
        for one in rounds
        if (text := one.get("error") or one.get("recovery"))
    }
    if notes:
        lines += ["", "What went wrong:", "", *sorted(notes)]
    modules = sorted({SUBJECTS[entry.name].module for entry in entries} - {""})
    versions = ", ".join(f"{name} {log_peers.version(name) or 'absent'}" for name in modules)
    return "\n".join([*lines, "", f"With {versions}.", "", "![cost of a step](log_cost.svg)"])


def _cells(results: Results, entry: Entry) -> list[str]:
    def cell(measure: str, field: str, form: str = ".3g", sign: str = "") -> str:
        value = median(results, entry, measure, field)
        return "–" if value is None else sign + _number(value, form)

    if any(one.get("error") == "not installed" for one in results.get((entry, "cost"), [])):
        return [entry.label, "not installed", *[""] * (len(COLUMNS) - 2)]
    added = cell("cost", "loop_memory_mb", ".0f")
    memory = f"{cell('cost', 'memory_mb', '.0f')} ({added})"
    stores = entry.name != "nothing"
    return [
        f"**{entry.label}**" if entry.name == "ours" else entry.label,
        cell("cost", "median_us"),
        cell("cost", "mean_us"),
        cell("loop", "steps_per_s", ".0f"),
        cell("queryable", "queryable_s", sign="≈ " if entry.share < 1 else ""),
        memory,
        cell("cost", "bytes_per_point", ".0f") if stores else "–",
        lost(results, entry, "kill"),
        lost(results, entry, "kill-work"),
    ]


def _number(value: float, form: str) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:{form}}"


def plot(results: Results, entries: Sequence[Entry]) -> str:
    """Return the costs as bars on a logarithmic scale, an SVG."""
    bars = []
    for entry in entries:
        mean = median(results, entry, "cost", "mean_us")
        if mean is not None and entry.name != "nothing":
            gone = lost(results, entry, "kill")
            text = f"{_number(mean, '.3g')} µs · lost {gone}"
            bars.append(Bar(entry.label, mean, text, entry.name == "ours"))
    title = "One step of 4 scalars, mean µs · points lost by kill -9 in a tight loop"
    return log_bars(title, sorted(bars, key=lambda bar: bar.value), goal=(2.0, "bar: 2 µs"))
