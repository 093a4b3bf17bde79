"""Series that grow from several calls, some of which repeat what is known."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

from cvtrack_magics.metrics.series import Series


def extend(known: dict[str, Series], fresh: Mapping[str, Series]) -> dict[str, int]:
    """Add points; return how many each metric had before."""
    starts: dict[str, int] = {}
    for name, new in fresh.items():
        series = known.setdefault(name, Series())
        starts[name] = len(series)
        series.steps.extend(new.steps)
        series.values.extend(new.values)
        series.times.extend(new.times)
    return starts


def tail(series: Series, start: int) -> Series:
    """Copy the points from ``start`` on."""
    columns = (series.steps[start:], series.values[start:], series.times[start:])
    return Series(array("q", columns[0]), array("d", columns[1]), array("d", columns[2]))


def _same(a: Series, b: Series, at: int) -> bool:
    return (a.steps[at], a.times[at]) == (b.steps[at], b.times[at])


def overlap(known: Series | None, given: Series) -> int:
    """Return how many of the given points are known already: all from the start, or none."""
    if not known or not given or not _same(known, given, 0):
        return 0
    return min(len(known), len(given))


def restarts(known: Series | None, given: Series) -> bool:
    """Say whether a history has the same beginning as a known one, and then goes another way."""
    both = overlap(known, given)
    return known is not None and both > 0 and not _same(known, given, both - 1)
