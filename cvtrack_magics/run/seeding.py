"""Sets the generators, and keeps which seed they follow: what a run records is what it has.

A run's own seed leaves the generators of the process where it brought them. A run after it
that has the session's seed, or its parent's, would record a number that its draws do not
follow; so the generators are set to that seed again, once, and the run says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cvtrack_magics.capture.params.algorithms import Hold, Holds, algorithms_now
from cvtrack_magics.capture.params.seeds import SeedReport, apply_seed
from cvtrack_magics.records import Param, Record

SEED_PARAM = "global_seed"
SEED_PARAMS = {SEED_PARAM, "deterministic"}
"""Params that a seed is recorded as."""


@dataclass
class Seeding:
    """Which seeds count in this session.

    Attributes
    ----------
    every_run : list of Record
        The seed that ``%mlseed`` set, for the runs that say none.
    followed : int or None
        The seed that the generators were set to last; None before the first.
    algorithms : Holds
        What the open runs' own seeds chose, and is as before at their ends.
    """

    every_run: list[Record] = field(default_factory=list)
    followed: int | None = None
    algorithms: Holds = field(default_factory=Holds)

    def apply(self, seed: int, *, deterministic: bool = False) -> SeedReport:
        """Set every generator, importing torch where it is installed."""
        report = apply_seed(seed, deterministic=deterministic, import_torch=True)
        self.followed = report.seed
        return report

    def apply_to_runs(self, seed: int, *, deterministic: bool = False) -> SeedReport:
        """Set every generator; the choice of algorithms stays after the runs that are open."""
        report = self.apply(seed, deterministic=deterministic)
        self.algorithms.outlive(deterministic=deterministic)
        return report

    @contextmanager
    def for_run(
        self, seed: int, *, deterministic: bool = False
    ) -> Iterator[tuple[SeedReport, Hold]]:
        """Set every generator for a run that is opened in this; as before where it is not."""
        hold = self.algorithms.begin()
        try:
            try:
                report = self.apply(seed, deterministic=deterministic)
            finally:
                hold.ours = algorithms_now()
            yield report, hold
        except BaseException:
            self.algorithms.end(hold)
            raise

    def in_force(self, parent: Sequence[Record] = ()) -> tuple[Record, ...]:
        """Return the seed of a run that says none: that of its parent, or of the session."""
        return tuple(parent or self.every_run)

    def follow(self, records: Iterable[Record]) -> list[str]:
        """Set the generators to a recorded seed unless they follow it; say so in a line."""
        seed, before = seed_of(records), self.followed
        if seed is None or before is None or seed == before:
            return []
        self.apply(seed)
        return [
            f"The generators followed seed {before}, of another run; they were set again to "
            f"{seed}, which is this run's."
        ]


def seed_of(records: Iterable[Record]) -> int | None:
    """Return the seed among some records."""
    for item in records:
        if isinstance(item, Param) and item.key == SEED_PARAM:
            return int(item.value)
    return None
