"""What a function of the package did, in words."""

from __future__ import annotations

from collections.abc import Iterable

from cvtrack_magics.records import Record
from cvtrack_magics.text import visible


class Said:
    """What a function did, as text; the records it made are in ``records``."""

    def __init__(self, text: str, records: Iterable[Record] = ()) -> None:
        self.text = text
        self.records = tuple(records)

    def __repr__(self) -> str:
        return visible(self.text)
