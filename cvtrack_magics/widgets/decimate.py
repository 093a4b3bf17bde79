"""Fewer points that draw the same curve: no spike and no gap gets lost."""

from __future__ import annotations

from array import array

from cvtrack_magics.metrics.series import Series


def decimate(series: Series, limit: int) -> Series:
    """Return at most ``limit`` points that show the same curve.

    Parameters
    ----------
    series : Series
        The points as they were logged.
    limit : int
        The most points to keep; at least 8.

    Returns
    -------
    Series
        ``series`` itself when it is short enough. Otherwise the first and the last point
        and, of each of equally long stretches, the lowest, the highest and (where there
        is one) a point that is not a finite number.
    """
    import numpy as np

    count = len(series)
    limit = max(8, limit)
    if count <= limit:
        return series
    values = np.frombuffer(series.values, dtype=np.float64)
    finite = np.isfinite(values)
    clean = bool(finite.all())
    stretches = (limit - 2) // (2 if clean else 3)
    keep = {0, count - 1}
    edges = np.linspace(0, count, stretches + 1).astype(np.int64)
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if clean:
            keep.add(start + int(values[start:end].argmin()))
            keep.add(start + int(values[start:end].argmax()))
            continue
        inside = finite[start:end]
        if inside.any():
            keep.add(start + int(np.where(inside, values[start:end], np.inf).argmin()))
            keep.add(start + int(np.where(inside, values[start:end], -np.inf).argmax()))
        if not inside.all():
            keep.add(start + int(inside.argmin()))
    chosen = sorted(keep)
    return Series(
        array("q", [series.steps[i] for i in chosen]),
        array("d", [series.values[i] for i in chosen]),
        array("d", [series.times[i] for i in chosen]),
    )
