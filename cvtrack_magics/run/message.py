"""What a function of the package did, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cvtrack_magics.records import Param, Record
from cvtrack_magics.run.current import get_session
from cvtrack_magics.text import visible


class Said:
    """What a function did, as text; the records it made are in ``records``."""

    def __init__(self, text: str, records: Iterable[Record] = ()) -> None:
        self.text = text
        self.records = tuple(records)

    def __repr__(self) -> str:
        return visible(self.text)


def recorded(records: Sequence[Record], what: str) -> Said:
    """Give facts to the open run, or to the next, and say in one line what went where."""
    name, lines = get_session().record(records, implied=True)
    params = sum(isinstance(item, Param) for item in records)
    counted = f"{params} param{'' if params == 1 else 's'}"
    where = f"run {name!r}" if name else "the next run"
    return Said("\n".join([*lines, f"{what}{counted} → {where}"]), records)
