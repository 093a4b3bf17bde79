"""Figures that follow from the table of samples: in pairs they can be compared as headlines can.

Both models' tables are of the same samples. Those (or their clusters) are drawn again, alike for
both, and the figure is computed of each draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Statistic = Callable[[Floats], Floats]

RESAMPLES = 1000
_AVERAGES = ("macro_f1", "weighted_f1", "precision", "recall")
_FOUND = ("precision", "recall", "F1")


def statistic_of(
    name: str, table: Mapping[str, Sequence[Any]], classes: Sequence[str]
) -> Statistic | None:
    """Return what computes a figure of weighted samples, or None where the table does not say it.

    Parameters
    ----------
    name : str
        The figure, without prefix.
    table : mapping of str to sequence
        The columns of the samples, in an order that both models share.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    callable or None
        Takes weights, float64 R × N, and returns the figure of each row.
    """
    if {"truth", "pred"} <= table.keys():
        return _of_classes(name, table, classes)
    if {"tp", "fp", "fn", "loss"} <= table.keys():  # of several labels, whose means are others
        name = "F1" if name == "micro_f1" else ""
    if name in _FOUND and {"tp", "fp", "fn"} <= table.keys():
        return _of_counts(name, *(_column(table, key) for key in ("tp", "fp", "fn")))
    if name in _FOUND and {"truth", "score", "correct"} <= table.keys():
        return _of_alarms(name, table)
    if {"RMSE", "delta_1", "valid"} <= table.keys():
        return _of_depth(name, table)
    return None


def drawn_alike(
    statistics: Sequence[Statistic], ids: Sequence[str], clusters: Mapping[str, Any]
) -> list[Floats]:
    """Return each figure in the same resamples of the samples or their clusters, float64 R.

    Parameters
    ----------
    statistics : sequence of callable
        As :func:`statistic_of` gives them.
    ids : sequence of str, N
        Of the samples, in the order of the tables.
    clusters : mapping of str to hashable
        The cluster of each sample by its id; empty where each stands for itself.
    """
    import numpy as np

    from cvtrack_magics.tasks.bootstrap import draws
    from cvtrack_magics.tasks.units import numbered

    units = numbered(ids, [clusters.get(name, name) for name in ids])
    blocks: list[list[Floats]] = [[] for _ in statistics]
    for block in draws(units.count, RESAMPLES, np.random.default_rng(0)):
        weights = block[:, units.of]
        for found, statistic in zip(blocks, statistics, strict=True):
            found.append(statistic(weights))
    return [np.concatenate(found) for found in blocks]


def _column(table: Mapping[str, Sequence[Any]], key: str) -> Floats:
    import numpy as np

    return np.array([np.nan if value is None else value for value in table[key]], np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    from cvtrack_magics.tasks.counting import divided

    return divided(part, whole)


def _of_classes(
    name: str, table: Mapping[str, Sequence[Any]], classes: Sequence[str]
) -> Statistic | None:
    """Return the statistic of a figure of the confusion of classes."""
    import numpy as np

    from cvtrack_magics.vision.metric_catalog import metric_parts

    own = [f"per_class_f1/{part}" for part in metric_parts(classes)]
    if name not in (*_AVERAGES, *own):
        return None
    truth, said = (_column(table, key).astype(np.int64) for key in ("truth", "pred"))
    right, there, count = truth == said, said >= 0, len(classes)

    def statistic(weights: Floats) -> Floats:
        made = np.full(len(weights), np.nan)
        for row, drawn in enumerate(weights):
            hits = _counted(truth[right], drawn[right], count)
            true = _counted(truth, drawn, count)
            given = _counted(said[there], drawn[there], count)
            made[row] = _averaged(name, own, hits, true, given)
        return made

    return statistic


def _counted(labels: npt.NDArray[np.int64], weights: Floats, count: int) -> Floats:
    import numpy as np

    return np.asarray(np.bincount(labels, weights, count), np.float64)


def _averaged(name: str, own: list[str], hits: Floats, true: Floats, given: Floats) -> float:
    import numpy as np

    occurs = true + given > 0
    f1 = _ratio(2 * hits, true + given)
    if name in own:
        return float(f1[own.index(name)])
    if name == "weighted_f1":
        return float(np.nansum(f1 * true) / true.sum())
    if name == "macro_f1":
        return float(f1[occurs].mean())
    share = _ratio(hits, given if name == "precision" else true)
    return float(np.nan_to_num(share[occurs]).mean())


def _of_counts(name: str, tp: Floats, fp: Floats, fn: Floats) -> Statistic:
    """Return the statistic of precision, recall or F1 of what was found."""
    parts = {"precision": (tp, tp + fp), "recall": (tp, tp + fn), "F1": (2 * tp, 2 * tp + fp + fn)}
    part, whole = parts[name]
    return lambda weights: _ratio(weights @ part, weights @ whole)


def _of_alarms(name: str, table: Mapping[str, Sequence[Any]]) -> Statistic:
    truth, correct = _column(table, "truth") == 1, _column(table, "correct") == 1
    counts = (truth & correct, ~truth & ~correct, truth & ~correct)
    return _of_counts(name, *(one.astype(float) for one in counts))


def _of_depth(name: str, table: Mapping[str, Sequence[Any]]) -> Statistic | None:
    import numpy as np

    valid = _column(table, "valid")
    if name == "delta_1":
        close = np.nan_to_num(_column(table, "delta_1") * valid)
        return lambda weights: _ratio(weights @ close, weights @ valid)
    if name == "RMSE":
        squared = np.nan_to_num(_column(table, "RMSE") ** 2 * valid)
        return lambda weights: np.sqrt(_ratio(weights @ squared, weights @ valid))
    return None
