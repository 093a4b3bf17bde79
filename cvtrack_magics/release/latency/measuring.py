"""Measures runners side by side."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from cvtrack_magics.capture.machine.hardware import cpu_model, usable_cores
from cvtrack_magics.errors import CvtrackError, UsageProblem, did_you_mean
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.release.latency.caveats import remarks
from cvtrack_magics.release.latency.facts import Bench, Row
from cvtrack_magics.release.latency.parity import arrays, difference
from cvtrack_magics.release.latency.percentiles import SHARES, percentile, spread
from cvtrack_magics.release.latency.runner import Absent, Runner
from cvtrack_magics.release.latency.sampling import ROUNDS, Cell, first_call, sample, warm_up

_WARM_UP_SHARE = 0.2  # of the progress that is shown
Progress = Callable[[str, float], None]


def bench(
    runners: Mapping[str, Runner | Absent],
    *,
    batches: Sequence[int] = (1, 8, 32),
    seconds: float = 2.0,
    seed: int = 0,
    headline: str | None = None,
    progress: Progress | None = None,
) -> Bench:
    """Measure the latency and throughput of each runner at each batch size.

    A time is from the call to the end of all work on the device (host clock, device
    synchronised before and after). Inputs are in place before, outputs stay where they are.
    First calls and warm-up are not counted. The runners take turns in short blocks, whose
    first calls are not counted either: for 0.1 s the threads of the one before are still in
    the way. Python's garbage collector is off within a block.

    Parameters
    ----------
    runners : mapping of str to Runner or Absent
        By name; see :func:`~cvtrack_magics.release.latency.runners_of`.
    batches : sequence of int
        Images in a call.
    seconds : float
        Time for each runner at each batch size; at most half as much again goes to its
        warm-up, and six calls are timed whatever they take.
    seed : int
        Of the order in which the cells take turns.
    headline : str, optional
        The cell whose figures stand for the model, as in ``"onnx@8"``; otherwise the first
        runner that works, at its smallest batch size.
    progress : callable, optional
        Called with what is measured and the share that is done, 0 to 1.

    Returns
    -------
    Bench
        A runner that fails at some batch sizes has rows with the reason. One that fails at
        all of them for the same reason has a note and no row.

    Raises
    ------
    UsageProblem
        An argument cannot be used.
    CvtrackError
        Nothing could be measured.
    """
    sizes = _sizes(batches)
    if not (np.isfinite(seconds) and seconds > 0):
        raise UsageProblem(f"seconds={seconds} is no time to measure for.")
    present = {name: each for name, each in runners.items() if isinstance(each, Runner)}
    absent = {name: each.why for name, each in runners.items() if isinstance(each, Absent)}
    _check_headline(headline, [f"{name}@{size}" for name in present for size in sizes])
    load, cores = _load(), usable_cores()
    tell = progress or _to_nobody
    with ExitStack() as held:
        for runner in present.values():
            held.enter_context(runner.hold())
        cells, differences = _warmed(present, sizes, seconds / 2, tell)
        sample(
            [cell for cell in cells if not cell.problem],
            seconds,
            seed=seed,
            progress=lambda cell, share: tell(
                _named(cell.runner, cell.batch), _WARM_UP_SHARE + (1 - _WARM_UP_SHARE) * share
            ),
        )
    order = list(present)
    cells.sort(key=lambda cell: (order.index(cell.runner), cell.batch))
    for name in order:
        reasons = {cell.problem for cell in cells if cell.runner == name}
        if "" not in reasons and len(reasons) == 1:
            absent[name] = reasons.pop()
    rows = tuple(_row(cell) for cell in cells if cell.runner not in absent)
    chosen = headline or next((row.cell for row in rows if row.n), "")
    if not any(row.n for row in rows):
        why = "; ".join(f"{name}: {text}" for name, text in absent.items())
        why = why or "; ".join(f"{row.cell}: {row.note}" for row in rows)
        raise CvtrackError(f"Nothing could be measured. {why}".strip())
    tell("done", 1.0)
    ran = {name: dict(each.facts) for name, each in present.items() if name not in absent}
    return Bench(
        rows,
        chosen,
        {
            "cpu": cpu_model(),
            "cores": cores,
            "load": load,
            "system": platform.platform(),
            "python": platform.python_version(),
            "batches": list(sizes),
            "seconds": float(seconds),
            "rounds": ROUNDS,
            "seed": seed,
            "runners": ran,
        },
        remarks(
            rows,
            chosen,
            absent=absent,
            differences=differences,
            ran=ran,
            load=load,
            cores=cores,
        ),
    )


def _warmed(
    present: Mapping[str, Runner], sizes: Sequence[int], seconds: float, tell: Progress
) -> tuple[list[Cell], dict[str, str]]:
    """Return the cells after their warm-up, and which runners say otherwise than eager."""
    ordered = sorted(present, key=lambda name: name != "eager")
    cells: list[Cell] = []
    differences: dict[str, str] = {}
    for batch in sizes:
        reference: Any = None
        for name in ordered:
            share = _WARM_UP_SHARE * len(cells) / (len(ordered) * len(sizes))
            tell(f"{_named(name, batch)}, warm-up", share)
            cell, output = first_call(name, present[name], batch)
            cells.append(cell)
            if cell.problem:
                continue
            try:
                found = arrays(output)
                if reference is None:
                    reference = name, found
                else:
                    precision = str(present[name].facts.get("precision", ""))
                    said = difference(reference[1], found, precision)
                    if said:
                        differences.setdefault(
                            name, f"than {reference[0]} at batch {batch}: {said}"
                        )
            except Exception as error:  # sparse tensors, tensors without data …
                differences.setdefault(
                    name, f"perhaps; it could not be compared: {kind_and_line(error)}"
                )
            del output
            warm_up(cell, seconds)
    return cells, differences


def _row(cell: Cell) -> Row:
    """Return the figures of a cell in milliseconds."""
    if cell.problem:
        return Row(cell.runner, cell.batch, first_s=cell.first / 1e9, note=cell.problem)
    times = cell.times / 1e6
    known = {name: percentile(times, share) for name, share in SHARES.items()}
    values = {name: found[0] for name, found in known.items() if found}
    return Row(
        cell.runner,
        cell.batch,
        n=len(times),
        p50_ms=values.get("p50"),
        p95_ms=values.get("p95"),
        p99_ms=values.get("p99"),
        intervals={name: found[1] for name, found in known.items() if found},
        mean_ms=float(times.mean()),
        std_ms=float(times.std(ddof=1)),
        min_ms=float(times.min()),
        throughput=cell.batch * len(times) / float(times.sum()) * 1000,
        first_s=cell.first / 1e9,
        warm_up=1 + len(cell.warm_up),
        steady=cell.steady,
        spread=spread([float(np.median(part)) for part in cell.rounds]),
    )


def _to_nobody(text: str, share: float) -> None:
    del text, share


def _named(runner: str, batch: int) -> str:
    return f"{runner} at batch {batch}"


def _sizes(batches: Sequence[int]) -> list[int]:
    sizes = sorted({int(batch) for batch in batches})
    if not sizes or sizes[0] < 1:
        raise UsageProblem(f"Batch sizes {list(batches)} cannot be used.", "Give 1 or more.")
    return sizes


def _check_headline(headline: str | None, known: Sequence[str]) -> None:
    if headline is not None and known and headline not in known:
        raise UsageProblem(
            f"The headline {headline!r} is not measured.{did_you_mean(headline, known)}",
            f"Choose one of {', '.join(known)}.",
        )


def _load() -> float | None:
    """Return how many processes wanted to run in the last minute; None on Windows."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None
