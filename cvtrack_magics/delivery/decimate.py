"""Fewer points that draw the same curve: no spike and no gap gets lost."""

from __future__ import annotations

from typing import Any


def rows_to_keep(values: Any, limit: int) -> Any:
    """Choose the rows that show the same curve.

    Parameters
    ----------
    values : numpy.ndarray
        The values (float64) of a series.
    limit : int
        The most rows to choose; at least 8.

    Returns
    -------
    numpy.ndarray
        Ascending rows (int64): the first and the last and, of each of equally long
        stretches, the lowest, the highest and (where there is one) a value that is not a
        finite number. All rows when they are few enough.
    """
    import numpy as np

    count = len(values)
    limit = max(8, limit)
    if count <= limit:
        return np.arange(count)
    finite = np.isfinite(values)
    clean = bool(finite.all())
    size = -(-count // ((limit - 2) // (2 if clean else 3)))
    kept = [np.array([0, count - 1])]
    # The last stretch may be shorter than the others, which make up a matrix.
    whole = count - count % size
    for start, end, width in ((0, whole, size), (whole, count, count - whole)):
        if start == end:
            continue
        part = values[start:end].reshape(-1, width)
        edges = start + np.arange(len(part)) * width
        if clean:
            kept += [edges + part.argmin(1), edges + part.argmax(1)]
            continue
        inside = finite[start:end].reshape(-1, width)
        some, gaps = inside.any(1), ~inside.all(1)
        kept.append((edges + np.where(inside, part, np.inf).argmin(1))[some])
        kept.append((edges + np.where(inside, part, -np.inf).argmax(1))[some])
        kept.append((edges + inside.argmin(1))[gaps])
    return np.unique(np.concatenate(kept))
