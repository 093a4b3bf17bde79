"""The summary that a training gets at its end: best value, best epoch, total time."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np

from cvtrack_magics.delivery.series import Series
from cvtrack_magics.display.best import best_of
from cvtrack_magics.display.groups import direction_of
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Metric

_SUMMARY = re.compile(r"^(best_val_.+|best_epoch|total_train_time_hrs)$")
_VALIDATION = re.compile(r"^(?:val(?:id(?:ation)?)?|eval)[/_](?P<name>[^/]+)$", re.IGNORECASE)


def is_summary(name: str) -> bool:
    """Whether a metric is one of these; what is shown of a run has them in other words."""
    return _SUMMARY.match(name) is not None


def best_records(
    curves: Mapping[str, Series], wall_s: float, ended: int, now: Collection[str] | None = None
) -> list[Metric]:
    """Return ``best_val_*``, ``best_epoch`` and ``total_train_time_hrs``.

    Only a run with a validation metric (``val/mAP50``, ``val_acc`` …) of several points has
    them. The first such metric of which more is better, or else the first, gives
    ``best_epoch``: the step it was logged at where steps count up by one, else its place among
    the metric's points, from 0.

    Parameters
    ----------
    curves : mapping of str to Series
        The run's metrics.
    wall_s : float
        How long the run took, in seconds.
    ended : int
        Unix milliseconds.
    now : collection of str, optional
        The metrics that the code logged itself in this stretch, where not all of them: what it
        says of its best values stands.
    """
    found: dict[str, float] = {}
    epochs: list[tuple[str, float]] = []
    # 'val/…' first: it is the one where there is 'eval_…' too
    for name, series in sorted(curves.items(), key=lambda item: item[0][:1] in ("e", "E")):
        match = _VALIDATION.match(name)
        best = best_of(name, series) if match else None
        if match is None or best is None:
            continue
        if name[0] in "eE" and safe_key(f"best_val_{match['name']}") in found:
            continue
        found[safe_key(f"best_val_{match['name']}")] = best.value
        values = np.frombuffer(series.values, dtype=np.float64)
        row = int(np.flatnonzero(values == best.value)[0])
        at = series.steps[row] if _count_up(series) else series.place(row)
        epochs.append((direction_of(name), float(at)))
    if not found:
        return []
    found["best_epoch"] = next((at for way, at in epochs if way == "max"), epochs[0][1])
    found["total_train_time_hrs"] = wall_s / 3600
    own = {safe_key(name) for name in (curves if now is None else now)}
    return [Metric(key, value, 0, ended) for key, value in found.items() if key not in own]


def _count_up(series: Series) -> bool:
    """Whether steps count up by one; a resumed run may have done some of them again.

    Where not all points are here, they do if there are as many points as steps between the
    lowest and the highest.
    """
    if not series.is_whole:
        return 0 < series.highest - series.lowest < series.count
    distinct = np.unique(np.frombuffer(series.steps, dtype=np.int64))
    return len(distinct) > 1 and bool((np.diff(distinct) == 1).all())
