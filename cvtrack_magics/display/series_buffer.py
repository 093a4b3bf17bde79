"""Series that grow from several calls, some of which repeat what is known."""

from __future__ import annotations

from collections.abc import Mapping

from cvtrack_magics.delivery.series import Series


def extend(known: dict[str, Series], fresh: Mapping[str, Series]) -> dict[str, int]:
    """Add points; return how many each metric had before."""
    starts: dict[str, int] = {}
    for name, new in fresh.items():
        series = known.setdefault(name, Series())
        starts[name] = series.count
        series.extend(new)
    return starts


def overlap(known: Series | None, given: Series) -> int:
    """Return how many of the given points are known already: all from the start, or none."""
    if not known or not given or known.at(0) != given.at(0):
        return 0
    return min(known.count, given.count)


def restarts(known: Series | None, given: Series) -> bool:
    """Say whether a history has the same beginning as a known one, and then goes another way."""
    both = overlap(known, given)
    if known is None or not both:
        return False
    there, here = known.at(both - 1), given.at(both - 1)
    return None not in (there, here) and there != here
