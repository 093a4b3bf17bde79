"""What an evaluation found: figures, intervals, curves and one row for each sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cvtrack_magics.vision.arrays import Array

CurveKind: TypeAlias = Literal["pr", "roc", "reliability"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of the headline metric: bootstrap over samples, percentiles."""

    metric: str
    value: float
    low: float
    high: float
    level: float
    resamples: int


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot; ``x``, ``y`` and ``thresholds`` (or empty) are float64."""

    kind: CurveKind
    name: str
    x: Array
    y: Array
    thresholds: Array = field(default_factory=lambda: np.zeros(0))
    area: float = float("nan")
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of measuring a ``Predictions``.

    Attributes
    ----------
    task : str
        The task measured.
    metrics : mapping of str to float
        Names of the documented scheme without prefix (``mAP50``, ``top1_acc`` …); NaN where
        a figure has no value, for example AUROC with one class.
    headline : str
        The metric that stands for the task.
    interval : Interval or None
        Of the headline.
    classes : tuple of str
        Names of the classes.
    per_class : mapping of str to float array, K
        One value for each class, NaN where a class does not occur.
    confusion : int64 K × K, or None
        Rows are the truth. Of a detection K + 1 × K + 1: last come those without a match.
    curves : tuple of Curve
        PR, ROC and reliability.
    samples : mapping of str to array, N
        Per-sample scores; ``id`` first.
    notes : tuple of str
        What a reader of the figures should know, one line each.
    pictures : mapping of str to array
        H × W float maps to be drawn, such as the mean error of a depth.
    """

    task: str
    metrics: Mapping[str, float]
    headline: str
    interval: Interval | None
    classes: tuple[str, ...] = ()
    per_class: Mapping[str, Array] = field(default_factory=dict)
    confusion: npt.NDArray[np.int64] | None = None
    curves: tuple[Curve, ...] = ()
    samples: Mapping[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pictures: Mapping[str, Array] = field(default_factory=dict)
