"""The best point of a curve, for metrics whose name tells what is better."""

from __future__ import annotations

from typing import NamedTuple

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.groups import direction_of


class Best(NamedTuple):
    """A point; ``step`` is its place in the series where all steps are the same."""

    step: int
    value: float


def best_of(name: str, series: Series) -> Best | None:
    """Return the best point of a metric, the first of equals.

    Parameters
    ----------
    name : str
        The metric's name, from which follows whether less or more is better.
    series : Series
        Its points. What is not a finite number is never the best.

    Returns
    -------
    Best or None
        None when the name does not tell, or there are fewer than two points.
    """
    direction = direction_of(name)
    if not direction or len(series) < 2:
        return None
    import numpy as np

    values = np.frombuffer(series.values, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return None
    if direction == "min":
        row = int(np.where(finite, values, np.inf).argmin())
    else:
        row = int(np.where(finite, values, -np.inf).argmax())
    step = series.place(row) if series.stands_still else series.steps[row]
    return Best(step, series.values[row])
