"""The points of one run that are not sent yet, in calls of a size that the store takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cvtrack_magics.journal.acknowledged import Place
from cvtrack_magics.journal.points import Cursor
from cvtrack_magics.journal.rows import Rows
from cvtrack_magics.store.writer import METRICS_PER_CALL, Point


@dataclass(slots=True)
class Part:
    """Rows that were read and not yet sent, and where they come from."""

    stream: str
    segment: int
    rows: Rows


Taken: TypeAlias = list[tuple[Part, int]]
"""How many rows of which parts are in one call."""


class PointsToSend:
    """Reads ahead in each stream, by about a call's worth.

    Parameters
    ----------
    cursors : mapping of str to Cursor
        Reads the points of each stream.
    """

    def __init__(self, cursors: Mapping[str, Cursor]) -> None:
        self._cursors = dict(cursors)
        self._parts: deque[Part] = deque()

    @property
    def streams(self) -> list[str]:
        """The names of the streams that are read."""
        return list(self._cursors)

    def read_also(self, cursors: Mapping[str, Cursor]) -> None:
        """Send the points of more streams."""
        self._cursors.update(cursors)

    def next(self) -> tuple[list[Point], Taken]:
        """Return at most one call's worth of points, and how many rows of which parts."""
        self._read(METRICS_PER_CALL)
        points: list[Point] = []
        taken: Taken = []
        for part in self._parts:
            rows = part.rows
            count = min(len(rows), (METRICS_PER_CALL - len(points)) // len(rows.names))
            if not points:
                count = max(count, 1)  # a row of more than a call's worth is cut by the store
            if count == 0:
                break
            some = (rows.steps[:count], rows.times[:count] // 1_000_000, rows.values[:count])
            columns = [column.tolist() for column in some]
            for step, time_ms, values in zip(*columns, strict=True):
                for name, value in zip(rows.names, values, strict=True):
                    points.append((name, value, time_ms, step))
            taken.append((part, count))
            if count < len(rows):
                break
        return points, taken

    def take_off(self, taken: Taken) -> tuple[int, dict[str, Place]]:
        """Forget what was sent.

        Returns
        -------
        count : int
            How many points that were.
        places : dict of str to Place
            Up to where each of their streams is sent now.
        """
        sent, places = 0, {}
        for part, count in taken:
            rows = part.rows
            sent += count * len(rows.names)
            offset = rows.end - (len(rows) - count) * rows.size
            places[part.stream] = (part.segment, offset)
            if count == len(rows):
                self._parts.popleft()
            else:
                part.rows = rows.after(offset)
        return sent, places

    def _read(self, least: int) -> None:
        have = sum(part.rows.points for part in self._parts)
        for stream, cursor in self._cursors.items():
            if have >= least:
                return
            for rows in cursor.read():
                self._parts.append(Part(stream, cursor.passed, rows))
                have += rows.points
