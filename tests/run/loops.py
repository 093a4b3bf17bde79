"""What a table of loops logs, beside what it should."""

from __future__ import annotations

from collections.abc import Callable

from cvtrack_magics import mlrun
from tests.store_views import points, runs_of

Wanted = dict[str, list[int]]


def steps_of(loops: Callable[[], Wanted], store: str) -> tuple[Wanted, Wanted]:
    """Run loops in a run; return the steps that each of their curves has, and should have."""
    with mlrun("r", output=False, code=False):
        wanted = loops()
    run = runs_of(store)["r"]
    return {key: [s for s, _ in points(store, run, key)] for key in wanted}, wanted
