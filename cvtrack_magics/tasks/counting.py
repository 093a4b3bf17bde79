"""What the tasks share: options, libraries, class names and curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Curve, CurveKind

MAX_POINTS = 200
MAX_CURVES = 100
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of ``measure``, and of the measurement of a part of the samples.

    ``area`` is from and to which area in pixels objects count, None for all; ``others`` whether
    figures beside the headline are drawn again too, for comparisons.
    """

    threshold: float | None = None
    iou: float = 0.5
    resamples: int = 1000
    level: float = 0.95
    seed: int = 0
    cluster: Any = None
    area: tuple[float, float] | None = None
    others: bool = True


def need(module: str, package: str) -> Any:
    """Return a module of a library that is installed only with the vision extra.

    Raises
    ------
    CvtrackError
        It cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise CvtrackError(
            f"{package} cannot be imported ({error}).", 'pip install "cvtrack_magics[vision]"'
        ) from None


def counted(count: int, what: str) -> str:
    """Return ``1 sample`` or ``1,200 samples``."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def class_names(predictions: Predictions, count: int) -> tuple[str, ...]:
    """Return a name for each of ``count`` classes; the numbers where none were given."""
    names = predictions.classes
    if not names:
        return tuple(map(str, range(count)))
    if len(names) != count:
        raise UsageProblem(
            f"There are {counted(len(names), 'class name')} but {count} classes were predicted."
        )
    return names


def known(truth: npt.NDArray[np.int64], notes: list[str]) -> npt.NDArray[np.int64]:
    """Return the rows whose truth is known (not -1), and note how many are not.

    Raises
    ------
    UsageProblem
        None is known.
    """
    rows = np.flatnonzero(truth != -1)
    if not len(rows):
        raise UsageProblem("No sample has a known truth.", "Give labels other than -1.")
    if len(rows) < len(truth):
        left = counted(len(truth) - len(rows), "sample")
        notes.append(f"{left} of unknown truth (-1) left out.")
    return rows


def thin(x: Array, y: Array, limit: int = MAX_POINTS) -> npt.NDArray[np.int64]:
    """Return at most ``limit`` positions of a line's points, its ends among them.

    They are spaced evenly along the line, not along its points: the steep part of a ROC
    curve with few positives has few points but is most of what one looks at.
    """
    if len(x) <= limit:
        return np.arange(len(x))
    length = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))))
    wanted = np.linspace(0, length[-1], limit - 1)
    rows = np.unique(np.append(np.searchsorted(length, wanted), len(x) - 1))
    return np.asarray(rows, np.int64)


def _curve(kind: CurveKind, name: str, points: tuple[Array, Array, Array], area: float) -> Curve:
    rows = thin(points[0], points[1])
    x, y, at = (np.asarray(values, np.float64)[rows] for values in points)
    return Curve(kind, name, x, y, at, area)


def pr_curve(name: str, truth: Array, scores: Array) -> Curve:
    """Return the precision (y) over the recall (x) of a binary decision."""
    metrics = need("sklearn.metrics", "scikit-learn")
    precision, recall, thresholds = metrics.precision_recall_curve(truth, scores)
    area = float(metrics.average_precision_score(truth, scores))
    # The last point, recall 0, has no threshold.
    return _curve("pr", name, (recall, precision, np.append(thresholds, np.nan)), area)


def roc_curve(name: str, truth: Array, scores: Array) -> Curve:
    """Return the true positive rate (y) over the false positive rate (x)."""
    metrics = need("sklearn.metrics", "scikit-learn")
    fpr, tpr, thresholds = metrics.roc_curve(truth, scores)
    return _curve("roc", name, (fpr, tpr, thresholds), float(metrics.auc(fpr, tpr)))


def ratio(part: float, whole: float) -> float:
    """Return ``part / whole``, NaN for nothing of nothing."""
    return float(part) / float(whole) if whole else NAN


def divided(parts: Array, wholes: Array) -> npt.NDArray[np.float64]:
    """Return ``parts / wholes``, NaN where the whole is 0."""
    made = np.full(np.shape(parts), np.nan)
    np.divide(parts, wholes, out=made, where=wholes > 0)
    return made


def mean(values: Sequence[float] | Array) -> float:
    """Return the mean of what is not NaN, NaN of nothing."""
    array = np.asarray(values, np.float64)
    array = array[~np.isnan(array)]
    return float(array.mean()) if array.size else NAN
