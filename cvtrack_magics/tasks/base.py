"""What each task knows about a sample: the truth and the prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.maps import Maps

Task: TypeAlias = Literal[
    "classification",
    "detection",
    "semantic",
    "instance",
    "anomaly",
    "depth",
    "multilabel",
    "keypoints",
    "oriented",
]


@dataclass(frozen=True, slots=True)
class Classes:
    """Classification: ``truth`` int64 N (-1: unknown), ``probabilities`` float N × K.

    ``read_as`` says what one value a sample was taken for where nobody said it: another
    batch of the same network may look like the other.
    """

    truth: npt.NDArray[np.int64]
    probabilities: Array
    read_as: str = ""

    def take(self, rows: Any) -> Classes:
        """Return some samples."""
        return Classes(self.truth[rows], self.probabilities[rows], self.read_as)

    def __add__(self, other: Classes) -> Classes:
        if self.read_as and other.read_as and self.read_as != other.read_as:
            raise UsageProblem(
                f"scores: one value a sample was read as {self.read_as} in one part and as "
                f"{other.read_as} in another, whose values lie otherwise.",
                "Say logits= or probabilities= where each part is made.",
            )
        return Classes(
            np.concatenate((self.truth, other.truth)),
            np.concatenate((self.probabilities, other.probabilities)),
            self.read_as or other.read_as,
        )


@dataclass(frozen=True, slots=True)
class LabelSets:
    """Multi-label classification: ``truth`` int8 N × K (1 there, 0 not there, -1 unknown).

    ``probabilities`` float N × K, of each class by itself.
    """

    truth: npt.NDArray[np.int8]
    probabilities: Array

    def take(self, rows: Any) -> LabelSets:
        """Return some samples."""
        return LabelSets(self.truth[rows], self.probabilities[rows])

    def __add__(self, other: LabelSets) -> LabelSets:
        return LabelSets(
            np.concatenate((self.truth, other.truth)),
            np.concatenate((self.probabilities, other.probabilities)),
        )


@dataclass(frozen=True, slots=True)
class Detections:
    """Object detection, instance segmentation where boxes have masks, oriented with corners."""

    truth: Boxes
    prediction: Boxes

    def take(self, rows: Any) -> Detections:
        """Return some samples."""
        return Detections(self.truth.take(rows), self.prediction.take(rows))

    def __add__(self, other: Detections) -> Detections:
        return Detections(self.truth + other.truth, self.prediction + other.prediction)


@dataclass(frozen=True, slots=True)
class Poses(Detections):
    """Objects with key points: ``sigmas`` K, how far each one may be off (COCO's OKS)."""

    sigmas: tuple[float, ...] = ()

    def take(self, rows: Any) -> Poses:
        """Return some samples."""
        return Poses(self.truth.take(rows), self.prediction.take(rows), self.sigmas)

    def __add__(self, other: Detections) -> Poses:
        if not isinstance(other, Poses) or len({self.sigmas, other.sigmas} - {()}) > 1:
            raise UsageProblem(
                "Key points with other sigmas cannot be joined.", "Give both parts the same sigmas."
            )
        sigmas = self.sigmas or other.sigmas
        one, two = self.of_points(len(sigmas)), other.of_points(len(sigmas))
        return Poses(one.truth + two.truth, one.prediction + two.prediction, sigmas)

    def of_points(self, count: int) -> Poses:
        """Return the same; a side without objects has ``count`` points for each of them, too."""
        none = np.zeros((0, count, 3))
        truth, prediction = (
            one if len(one.labels) else replace(one, points=none)
            for one in (self.truth, self.prediction)
        )
        return Poses(truth, prediction, self.sigmas)


@dataclass(frozen=True, slots=True)
class Segments:
    """Semantic segmentation: label maps; pixels that are ``ignore`` in the truth don't count.

    Pixels that are ``lost`` in the prediction have no class (logits of NaN) and are wrong.
    """

    truth: Maps
    prediction: Maps
    ignore: int | None = None
    lost: int | None = None

    def take(self, rows: Any) -> Segments:
        """Return some samples."""
        return Segments(self.truth.take(rows), self.prediction.take(rows), self.ignore, self.lost)

    def __add__(self, other: Segments) -> Segments:
        return Segments(
            self.truth + other.truth,
            self.prediction + other.prediction,
            self.ignore if self.ignore is not None else other.ignore,
            self.lost if self.lost is not None else other.lost,
        )


@dataclass(frozen=True, slots=True)
class Anomalies:
    """Anomaly detection: ``truth`` int64 N (1 anomalous, 0 normal, -1 unknown).

    ``scores`` float N, higher is more anomalous; ``heat`` float maps and ``masks`` bool maps
    of where, or None.
    """

    truth: npt.NDArray[np.int64]
    scores: Array
    heat: Maps | None = None
    masks: Maps | None = None

    def take(self, rows: Any) -> Anomalies:
        """Return some samples."""
        return Anomalies(
            self.truth[rows],
            self.scores[rows],
            None if self.heat is None else self.heat.take(rows),
            None if self.masks is None else self.masks.take(rows),
        )

    def __add__(self, other: Anomalies) -> Anomalies:
        return Anomalies(
            np.concatenate((self.truth, other.truth)),
            np.concatenate((self.scores, other.scores)),
            None if self.heat is None or other.heat is None else self.heat + other.heat,
            None if self.masks is None or other.masks is None else self.masks + other.masks,
        )


@dataclass(frozen=True, slots=True)
class Depths:
    """Depth estimation: float maps; a truth of 0, below 0 or NaN is no measurement."""

    truth: Maps
    prediction: Maps

    def take(self, rows: Any) -> Depths:
        """Return some samples."""
        return Depths(self.truth.take(rows), self.prediction.take(rows))

    def __add__(self, other: Depths) -> Depths:
        return Depths(self.truth + other.truth, self.prediction + other.prediction)


TaskData: TypeAlias = Classes | LabelSets | Detections | Segments | Anomalies | Depths
