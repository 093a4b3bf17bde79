"""The data sets that this session checked against others, for what is measured of them later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvtrack_magics.artifacts.data_check import means

if TYPE_CHECKING:
    from cvtrack_magics.capture.pictures.leaked import CheckedAgainst

MOST = 4  # of different names


class LeakChecks:
    """The last checks of the session, one a data set."""

    def __init__(self) -> None:
        self._kept: list[CheckedAgainst] = []

    def keep(self, checked: CheckedAgainst) -> None:
        """Remember a check in place of an earlier one of the same set."""
        others = [one for one in self._kept if one.name != checked.name]
        self._kept = [*others, checked][-MOST:]

    def of(self, name: str) -> CheckedAgainst | None:
        """Return the newest check of a data set, by its name or by what it was used for."""
        found = [one for one in self._kept if one.name == name]
        found = found or [one for one in self._kept if means(name, one.context)]
        return found[-1] if found else None
