"""The numbers behind a progress bar of tqdm become metrics, where the code logs none.

A step is a call of ``set_postfix``, and they go on from bar to bar, as those of a loop do that is
passed once an epoch. A bar gives at most some 200 points, and its last one.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from cvtrack_magics.run.adapters.following import Call, Followed, numbers_in
from cvtrack_magics.run.printed_metrics import BARS

POINTS = 200
"""Those of one bar, about."""


class _Bar:
    """What a bar has shown: its last numbers, and where they were written."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.at = -1
        self.written = -1


_bars: WeakKeyDictionary[Any, _Bar] = WeakKeyDictionary()
_begins: WeakKeyDictionary[Any, dict[tuple[str, ...], int]] = WeakKeyDictionary()
"""The steps of the bars that are over, by run and by the names of their numbers."""


def _shown(call: Call) -> None:
    bar = call.owner
    if bar.disable:
        return
    said = {**(call.given.get("ordered_dict") or {}), **call.given.get("kwargs", {})}
    values = numbers_in(said)
    if not values:
        return
    mine = _bars.setdefault(bar, _Bar())
    mine.values, mine.at = values, mine.at + 1  # bar.n lags behind
    every = max(1, (int(bar.total or 0)) // POINTS)
    if mine.at % every == 0:
        _write(call, mine)


def _closed(call: Call) -> None:
    mine = _bars.pop(call.owner, None)
    if mine is None:
        return
    _write(call, mine)
    begins = _begins.setdefault(call.place, {})
    names = tuple(mine.values)
    begins[names] = begins.get(names, 0) + mine.at + 1


def _write(call: Call, mine: _Bar) -> None:
    if mine.written == mine.at:
        return
    mine.written = mine.at
    begin = _begins.get(call.place, {}).get(tuple(mine.values), 0)
    call.place.shown({BARS + name: value for name, value in mine.values.items()}, begin + mine.at)


METHODS = (
    Followed("tqdm.std", "tqdm", "set_postfix", _shown),
    Followed("tqdm.std", "tqdm", "close", _closed),
)
