"""What a reader of latencies should know about them, one line each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cvtrack_magics.release.latency.facts import Row
from cvtrack_magics.release.latency.percentiles import SHARES, fewest

_BUSY = 0.5  # of the cores
_APART = 0.2  # medians of the rounds
_COMPILING = 1.0  # seconds of first calls, where a call takes a twentieth of them


def remarks(
    rows: Sequence[Row],
    headline: str,
    *,
    absent: Mapping[str, str],
    differences: Mapping[str, str],
    ran: Mapping[str, Mapping[str, Any]],
    load: float | None,
    cores: float,
) -> tuple[str, ...]:
    """Return the notes of a measurement.

    Parameters
    ----------
    rows : sequence of Row
        All cells.
    headline : str
        The cell that stands for the model.
    absent, differences : mapping of str to str
        Runners that did not work, and those that say otherwise than the first, with why.
    ran : mapping
        Each runner's facts.
    load, cores : float
        Load average before the measurement, and how many cores there are.
    """
    return (
        *(f"{name} is left out: {why}" for name, why in absent.items()),
        *(f"{name} says otherwise {how}." for name, how in differences.items()),
        *_of_failures(rows, headline),
        *_of_sizes(rows),
        *_of_time(rows),
        *_of_machine(ran, load, cores),
    )


def _of_failures(rows: Sequence[Row], headline: str) -> Iterator[str]:
    for row in rows:
        if not row.n:
            yield f"{row.runner} fails at batch {row.batch}: {row.note}"
    if not any(row.cell == headline and row.n for row in rows):
        yield f"The headline {headline} was not measured: the model has no figures of its own."


def _of_sizes(rows: Sequence[Row]) -> Iterator[str]:
    for name, share in reversed(SHARES.items()):
        few = [row for row in rows if row.n and getattr(row, f"{name}_ms") is None]
        if few:
            needed = max(fewest(share) * (row.mean_ms or 0.0) / 1000 for row in few) * 1.2
            yield (
                f"{name} needs at least {fewest(share)} calls: "
                f"{_cells((row, f'n = {row.n}') for row in few)}. "
                f"About {math.ceil(needed)} seconds each would do."
            )


def _of_time(rows: Sequence[Row]) -> Iterator[str]:
    restless = [row for row in rows if row.n and not row.steady]
    if restless:
        yield (
            "Not steady when the warm-up had to end: "
            f"{_cells((row, f'{row.warm_up} calls') for row in restless)}."
        )
    apart = [row for row in rows if row.spread > _APART]
    if apart:
        yield (
            "The speed changed while measuring, the rounds' medians lie apart: "
            f"{_cells((row, f'{row.spread:.0%}') for row in apart)}."
        )
    for name in dict.fromkeys(row.runner for row in rows):
        own = [row for row in rows if row.runner == name and row.n]
        first = sum(row.first_s for row in own)
        later = sum((row.mean_ms or 0.0) / 1000 for row in own)
        if first >= _COMPILING and first > 20 * later:
            yield f"{name} took {first:.1f} s for its first calls (compiling), not counted."


def _of_machine(
    ran: Mapping[str, Mapping[str, Any]], load: float | None, cores: float
) -> Iterator[str]:
    if load is not None and load > _BUSY * cores:
        yield (
            f"The machine was busy before: load {load:.1f} on {cores:g} cores. "
            "Other work makes latencies longer."
        )
    devices = {name: facts["device"] for name, facts in ran.items() if "device" in facts}
    if len(set(devices.values())) > 1:
        said = ", ".join(f"{name} on {device}" for name, device in devices.items())
        yield f"Not all ran on one device: {said}."


def _cells(cells: Iterator[tuple[Row, str]]) -> str:
    return ", ".join(f"{row.runner} at batch {row.batch} ({said})" for row, said in cells)
