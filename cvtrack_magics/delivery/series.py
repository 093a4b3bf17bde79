"""The points of one run's metrics, in the order they were logged, for plots to read.

A run may log for weeks, and its points are all in its journal and the store: what is kept
here is enough to draw each curve and to find its best point, and no more.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

from cvtrack_magics.delivery.decimate import rows_to_keep

if TYPE_CHECKING:
    from cvtrack_magics.journal.rows import Rows

MOST = 16_384
"""Points that are kept of one metric; a plot has some 2,000 pixels."""


@dataclass(slots=True)
class _Whole:
    """What is known of all points of a metric of which some were left out.

    ``places`` (int64) are those of the points that are kept among all of them; ``check`` is
    that of all values, None where it is not known.
    """

    places: array[int]
    count: int
    lowest: int
    highest: int
    check: int | None


@dataclass(slots=True)
class Series:
    """One metric: steps (int64), values (float64) and times (float64, Unix seconds).

    Of more than ``most`` points those are kept that draw the same curve, as `rows_to_keep`
    chooses them: the first and the last, lows, highs and gaps. So the first of the lowest and
    the first of the highest finite values are always there.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] = field(default_factory=lambda: array("d"))
    most: int = MOST
    _whole: _Whole | None = None

    def append(self, step: int, value: float, time: float) -> None:
        """Add one point."""
        if self._whole is not None or len(self.steps) >= self.most:
            self.add(array("q", (step,)), array("d", (value,)), array("d", (time,)))
            return
        self.steps.append(step)
        self.values.append(value)
        self.times.append(time)

    def add(self, steps: Any, values: Any, times: Any) -> None:
        """Add points that follow, as buffers of int64, float64 and float64."""
        first = len(self.steps)
        self._take(steps, values, times)
        if self._whole is not None:
            self._know(self._whole, first)
        self._thin()

    def extend(self, other: Series) -> None:
        """Add the points of another series, which follow; it may have left some out."""
        if other._whole is None:
            self.add(other.steps, other.values, other.times)
            return
        theirs, mine = other._whole, self._whole or self._all_of_it()
        self._take(other.steps, other.values, other.times)
        places = (_numbers(theirs.places) + mine.count).tobytes()
        mine.places.frombytes(places)
        if mine.count:
            mine.lowest = min(mine.lowest, theirs.lowest)
            mine.highest = max(mine.highest, theirs.highest)
            mine.check = None
        else:
            mine.lowest, mine.highest, mine.check = theirs.lowest, theirs.highest, theirs.check
        mine.count += theirs.count
        self._whole = mine
        self._thin()

    def without(self, steps: Collection[int]) -> Series:
        """Return a series of the points that are here, but for those of some steps."""
        found = Series(most=self.most)
        for step, value, time in zip(self.steps, self.values, self.times, strict=True):
            if step not in steps:
                found.append(step, value, time)
        return found

    def __len__(self) -> int:
        """How many points are here."""
        return len(self.steps)

    @property
    def count(self) -> int:
        """How many points were logged."""
        return len(self.steps) if self._whole is None else self._whole.count

    @property
    def is_whole(self) -> bool:
        """Whether all points are here."""
        return self._whole is None

    @property
    def last(self) -> float:
        """The newest value, or NaN when there is none."""
        return self.values[-1] if self.values else float("nan")

    @property
    def lowest(self) -> int:
        """The lowest step of all points; the series has one."""
        return min(self.steps) if self._whole is None else self._whole.lowest

    @property
    def highest(self) -> int:
        """The highest step of all points; the series has one."""
        return max(self.steps) if self._whole is None else self._whole.highest

    @property
    def stands_still(self) -> bool:
        """Whether all points have one step: whoever logs without steps leaves only an order."""
        return bool(self.steps) and self.lowest == self.highest

    def place(self, row: int) -> int:
        """Return which of all points the one at a row is, from 0."""
        return row if self._whole is None else self._whole.places[row]

    def places(self) -> array[int]:
        """Return which of all points each one is (int64)."""
        return array("q", range(len(self))) if self._whole is None else self._whole.places

    def at(self, place: int) -> tuple[int, float] | None:
        """Return step and time of a point by its place; None where it was left out."""
        row = place if self._whole is None else bisect_left(self._whole.places, place)
        if row >= len(self) or self.place(row) != place:
            return None
        return self.steps[row], self.times[row]

    def tail(self, start: int) -> Series:
        """Copy the points from a place on."""
        row = start if self._whole is None else bisect_left(self._whole.places, start)
        columns = (self.steps[row:], self.values[row:], self.times[row:])
        if self._whole is None or not columns[0]:
            return Series(*columns)
        places = array("q", (_numbers(self._whole.places)[row:] - start).tobytes())
        count = self._whole.count - start
        # the steps of what was left out are not known apart: those of all of it hold for them
        whole = _Whole(places, count, self._whole.lowest, self._whole.highest, None)
        return Series(*columns, _whole=whole)

    def head(self, count: int) -> Series:
        """Copy those of the first so many points that are here, without a limit."""
        row = count if self._whole is None else bisect_left(self._whole.places, count)
        columns = (self.steps[:row], self.values[:row], self.times[:row])
        return Series(*columns, most=sys.maxsize)

    def numbered(self) -> Series:
        """Give points that all have one step a number each; others stay as they are."""
        if not self.stands_still or len(self) < 2:
            return self
        whole = self._whole
        if whole is not None:
            whole = _Whole(whole.places[:], whole.count, 0, whole.count - 1, whole.check)
        return Series(self.places()[:], self.values, self.times, _whole=whole)

    def decimated(self, limit: int) -> Series:
        """Return at most ``limit`` points (8 or more) that show the same curve.

        The series itself when it is short enough.
        """
        if len(self) <= max(8, limit):
            return self
        found = Series(self.steps, self.values, self.times, _whole=self._all_of_it())
        found._keep(rows_to_keep(_values(self.values), limit))
        return found

    def _take(self, steps: Any, values: Any, times: Any) -> None:
        self.steps.frombytes(memoryview(steps).tobytes())
        self.values.frombytes(memoryview(values).tobytes())
        self.times.frombytes(memoryview(times).tobytes())

    def _know(self, whole: _Whole, first: int) -> None:
        """Take the points from a row on, which are all that were logged, into account."""
        added = len(self.steps) - first
        if not added:
            return
        whole.places.extend(range(whole.count, whole.count + added))
        whole.count += added
        steps = _numbers(self.steps)[first:]
        whole.lowest = min(whole.lowest, int(steps.min()))
        whole.highest = max(whole.highest, int(steps.max()))
        if whole.check is not None:
            whole.check = _check(self.values, first, whole.check)

    def _all_of_it(self) -> _Whole:
        """Return a copy of what is known of all points."""
        whole = self._whole
        if whole is not None:
            places = whole.places[:]
            return _Whole(places, whole.count, whole.lowest, whole.highest, whole.check)
        count = len(self.steps)
        lowest, highest = (self.lowest, self.highest) if count else (0, 0)
        return _Whole(array("q", range(count)), count, lowest, highest, _check(self.values))

    def _thin(self) -> None:
        if len(self.steps) > self.most:
            if self._whole is None:
                self._whole = self._all_of_it()
            self._keep(rows_to_keep(_values(self.values), self.most // 2))

    def _keep(self, rows: Any) -> None:
        assert self._whole is not None
        whole = self._whole
        places = array("q", _numbers(whole.places)[rows].tobytes())
        self._sort(rows, _Whole(places, whole.count, whole.lowest, whole.highest, whole.check))

    def _sort(self, rows: Any, whole: _Whole | None = None) -> None:
        steps = array("q", _numbers(self.steps)[rows].tobytes())
        values = array("d", _values(self.values)[rows].tobytes())
        times = array("d", _values(self.times)[rows].tobytes())
        # no call from here on: an interrupt leaves all as it was, or all as it will be
        self.steps, self.values, self.times, self._whole = steps, values, times, whole


def joined(before: Series, after: Series) -> Series:
    """Return one series of two."""
    found = Series()
    found.extend(before)
    found.extend(after)
    return found


def largest_gap(first: Series, second: Series) -> float | None:
    """Compare the values of two series of as many points.

    Returns
    -------
    float or None
        The largest distance of two values of one place, as far as both are here: infinite or
        NaN where just one of them is a number. None where all are equal; two NaN are.
    """
    if first.is_whole and second.is_whole:
        return _gap(_values(first.values), _values(second.values))
    checks = [_check_of(series) for series in (first, second)]
    if None not in checks and checks[0] == checks[1]:
        return None
    import numpy as np

    places = (_numbers(first.places()), _numbers(second.places()))
    _, mine, theirs = np.intersect1d(*places, assume_unique=True, return_indices=True)
    gap = _gap(_values(first.values)[mine], _values(second.values)[theirs])
    return 0.0 if gap is None and None not in checks else gap


def _gap(mine: Any, theirs: Any) -> float | None:
    import numpy as np

    differ = ~((mine == theirs) | (np.isnan(mine) & np.isnan(theirs)))
    if not differ.any():
        return None
    with np.errstate(invalid="ignore"):
        return float(np.abs(mine - theirs)[differ].max())


def _check_of(series: Series) -> int | None:
    return _check(series.values) if series._whole is None else series._whole.check


def _check(values: array[float], first: int = 0, before: int = 0) -> int:
    """Return the check of values, in which equal ones and any two NaN are the same."""
    import numpy as np

    equal = _values(values)[first:] + 0.0  # of 0.0 and -0.0 one
    equal[np.isnan(equal)] = np.nan
    return crc32(equal.tobytes(), before)


def _numbers(column: array[int]) -> Any:
    import numpy as np

    return np.frombuffer(column, dtype=np.int64) if column else np.empty(0, np.int64)


def _values(column: array[float]) -> Any:
    import numpy as np

    return np.frombuffer(column, dtype=np.float64) if column else np.empty(0)


def _columns(rows: Rows) -> Iterator[tuple[str, bytes, bytes, bytes]]:
    steps = rows.steps.tobytes()
    times = (rows.times / 1e9).tobytes()
    for at, name in enumerate(rows.names):
        yield name, steps, rows.values[:, at].tobytes(), times


def every_point(name: str, all_rows: Iterable[Rows]) -> Series:
    """Return the points of a metric among some rows, in order of time; none is left out."""
    import numpy as np

    found = Series(most=sys.maxsize)
    for rows in all_rows:
        for metric, *columns in _columns(rows):
            if metric == name:
                found.add(*columns)
    found._sort(np.argsort(_values(found.times), kind="stable"))
    return found


class History:
    """All series of one run, by metric name."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}

    def extend(self, rows: Rows, fresh: dict[str, Series]) -> None:
        """Add rows, here and to the new points by metric name."""
        for name, *columns in _columns(rows):
            for all_of_it in (self.series, fresh):
                all_of_it.setdefault(name, Series()).add(*columns)

    def last_values(self) -> dict[str, float]:
        """Return the newest value of every metric, in order of first appearance."""
        return {key: series.last for key, series in list(self.series.items())}
