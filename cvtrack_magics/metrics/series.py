"""The points of one run's metrics, in the order they were logged, for plots to read."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from cvtrack_magics.journal.rows import Rows


@dataclass(slots=True)
class Series:
    """One metric: steps (int64), values (float64) and times (float64, Unix seconds)."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    times: array[float] = field(default_factory=lambda: array("d"))

    def append(self, step: int, value: float, time: float) -> None:
        """Add one point."""
        self.steps.append(step)
        self.values.append(value)
        self.times.append(time)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def last(self) -> float:
        """The newest value, or NaN when there is none."""
        return self.values[-1] if self.values else float("nan")


class History:
    """All series of one run, by metric name."""

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}

    def extend(self, rows: Rows, fresh: dict[str, Series]) -> None:
        """Add rows, here and to the new points by metric name."""
        steps = rows.steps.tobytes()
        times = (rows.times / 1e9).tobytes()
        for at, name in enumerate(rows.names):
            values = rows.values[:, at].tobytes()
            for all_of_it in (self.series, fresh):
                series = all_of_it.setdefault(name, Series())
                series.steps.frombytes(steps)
                series.values.frombytes(values)
                series.times.frombytes(times)

    def last_values(self) -> dict[str, float]:
        """Return the newest value of every metric, in order of first appearance."""
        return {key: series.last for key, series in self.series.items()}
