"""The samples of all sets that are checked, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cvtrack_magics.capture.pictures.items import Picture, Split
from cvtrack_magics.capture.pictures.reading import Seen


@dataclass(frozen=True, slots=True)
class Samples:
    """Pictures by their place over all sets.

    Attributes
    ----------
    names : sequence of str
        Of the sets.
    splits : sequence of Split
        The sets.
    pictures : sequence of Picture
        Those of the first set, then those of the second.
    of : sequence of int
        The set of each picture.
    seen : sequence of Seen
        What each contains.
    """

    names: Sequence[str]
    splits: Sequence[Split]
    pictures: Sequence[Picture]
    of: Sequence[int]
    seen: Sequence[Seen]

    def where(self, at: int) -> tuple[str, str]:
        """Return the set and the name of a sample."""
        return self.names[self.of[at]], self.pictures[at].name

    def label(self, at: int) -> str:
        """Return its label, ``""`` for none."""
        return self.pictures[at].label or ""

    def differ(self, one: int, other: int) -> bool:
        """Say whether two samples have labels, and different ones."""
        first, second = self.pictures[one].label, self.pictures[other].label
        return first is not None and second is not None and first != second
