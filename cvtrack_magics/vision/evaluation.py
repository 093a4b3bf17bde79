"""What an evaluation found: figures, intervals, curves and one row for each sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cvtrack_magics.vision.arrays import Array

CurveKind: TypeAlias = Literal["pr", "roc", "reliability"]
LOST = {
    "Cls": "another class",
    "Loc": "badly placed",
    "Both": "class and place",
    "Dupe": "found twice",
    "Bkg": "nothing there",
    "Miss": "missed",
}
"""TIDE's kinds of error in words."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of the headline metric.

    ``resamples`` is how many bootstrap resamples it is made of, 0 where it needs none.
    """

    metric: str
    value: float
    low: float
    high: float
    level: float
    resamples: int


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """The headline's value in each resample of the samples, and how those were drawn.

    Two evaluations of the same samples with the same ``seed`` and ``first`` drew the same
    samples in each resample, the shorter one in its whole length, so that the difference of
    their values is a paired bootstrap.

    Attributes
    ----------
    values : float64, R
        NaN where a resample has no value.
    seed : int
        Of the generator.
    first : str
        Digest of the first resample, since generators may change from one NumPy to the next.
    terms : float64, R × K, or None
        The terms that the values are means of, where the headline is a mean of some.
    others : mapping of str to float64 array
        Other metrics in the same draws, or in the first of them.
    """

    values: npt.NDArray[np.float64]
    seed: int
    first: str
    terms: npt.NDArray[np.float64] | None = None
    others: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)


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
    replicates : Replicates or None
        Of the headline. None of a classification, whose headline is the mean of a column of
        ``samples``.
    settings : mapping of str to number or None
        What the figures depend on beside the predictions: ``threshold`` (None where it was
        chosen), ``iou``, and of a segmentation ``ignore``.
    lost : mapping of str to float
        Of objects: by how much the mean AP50 would rise without each of TIDE's kinds of error.
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
    replicates: Replicates | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    lost: Mapping[str, float] = field(default_factory=dict)
