"""The params that a run has so far: said by the user, or read off what there is."""

from __future__ import annotations

from collections.abc import Iterable, Set
from typing import TYPE_CHECKING

from cvtrack_magics.records import Param, Record

if TYPE_CHECKING:
    from cvtrack_magics.run.stretch import Stretch


class SaidParams:
    """Values by name; what is said first stays."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._implied: set[str] = set()
        self._changed: list[str] = []

    def fresh(
        self, records: Iterable[Record], run: str, stretch: Stretch, *, quietly: bool = False
    ) -> list[Record]:
        """Replace a param that was recorded with another value before by one clear line.

        Parameters
        ----------
        records : iterable of Record
            Of which the params are looked at, and noted.
        run : str
            The run's name.
        stretch : Stretch
            Knows what a resumed run had, and how a change is kept beside it.
        quietly : bool
            Whether nobody said them, so that a difference is no news.
        """
        kept: list[Record] = []
        for record in records:
            if isinstance(record, Param):
                before = self.values.setdefault(record.key, record.value)
                if before != record.value:
                    kept += stretch.instead(record, before, run, quietly=quietly)
                    if stretch.resumed and not quietly:
                        self._changed.append(f"{record.key} was {before}, is {record.value}")
                    continue
            kept.append(record)
        return kept

    def imply(self, records: Iterable[Record]) -> None:
        """Note which ones a library reports, and nobody said."""
        self._implied |= {record.key for record in records if isinstance(record, Param)}

    def are_given(self, elsewhere: Set[str], *, but: Set[str]) -> bool:
        """Whether the user has given some: here or ``elsewhere``, those of ``but`` apart."""
        return bool({*self.values, *elsewhere} - self._implied - but)

    def take_changes(self) -> list[str]:
        """Return what is not as an earlier stretch had it, and was not asked for yet."""
        changed, self._changed = self._changed, []
        return changed
