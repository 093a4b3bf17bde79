"""How the model did on each sample: what a grid is sorted and filtered by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.arrays import Array

SUSPICION, SUSPECT = "suspicion", "suspect"
_KEPT = (
    "loss",
    "confidence",
    "iou",
    "oks",
    "f1",
    "pixel_acc",
    "score",
    "AbsRel",
    "RMSE",
    "delta_1",
)


@dataclass(frozen=True, slots=True)
class Ratings:
    """How the model did on N samples.

    Attributes
    ----------
    scores : mapping of str to float64 array, N
        By name; NaN where a sample has none.
    outcomes : mapping of str to bool array, N
        ``wrong``, ``right``, ``tp``, ``fp``, ``fn``, ``tn``, as far as the task has them;
        ``suspect`` where the label may be wrong.
    worst_first : int64 N
        Places of the samples.
    threshold : float or None
        The score from which on objects count so that F1 is best.
    """

    scores: Mapping[str, Array]
    outcomes: Mapping[str, npt.NDArray[np.bool_]]
    worst_first: npt.NDArray[np.int64]
    threshold: float | None = None

    def is_right(self, row: int) -> bool | None:
        """Whether all is as it should be of a sample; None where nothing says so."""
        if "right" in self.outcomes:
            right, wrong = (bool(self.outcomes[name][row]) for name in ("right", "wrong"))
            return right if right or wrong else None
        if "fp" in self.outcomes and "fn" in self.outcomes:
            return not (self.outcomes["fp"][row] or self.outcomes["fn"][row])
        return None


def rate(predictions: Predictions, threshold: float | None = None, iou: float = 0.5) -> Ratings:
    """Return the ratings of each sample; those without a truth have NaN and no outcome.

    Parameters
    ----------
    predictions : Predictions
        Of any task.
    threshold : float, optional
        As for ``measure``.
    iou : float
        As for ``measure``.
    """
    from cvtrack_magics.tasks.evaluate import measure

    kind = kind_of(predictions.task)
    try:
        evaluation = measure(predictions, threshold=threshold, iou=iou, resamples=0)
    except UsageProblem:  # no truth at all: there is still something to look at
        return Ratings(kind.scores_without_truth(predictions), {}, np.arange(len(predictions)))
    found = dict(evaluation.samples)
    place = {name: at for at, name in enumerate(predictions.ids)}
    rows = np.array([place[str(name)] for name in found.pop("id")], np.int64)

    def spread(values: Array) -> Array:
        spread = np.full(len(predictions), np.nan)
        spread[rows] = values
        return spread

    scores = {name: spread(found[name]) for name in _KEPT if name in found}
    outcomes = _outcomes(found, spread)
    doubted = kind.suspicion(predictions)
    if doubted is not None and (suspect := ~np.isnan(doubted)).any():
        scores[SUSPICION], outcomes[SUSPECT] = doubted, suspect
    best = evaluation.metrics.get("best_threshold", math.nan)
    return Ratings(
        scores,
        outcomes,
        kind.worst_first(predictions, scores),
        best if math.isfinite(best) else None,
    )


def _outcomes(
    found: Mapping[str, Array], spread: Callable[[Array], Array]
) -> dict[str, npt.NDArray[np.bool_]]:
    outcomes = {}
    if "correct" in found:
        right = spread(found["correct"])
        outcomes = {"right": right == 1, "wrong": right == 0}
    for name in ("tp", "fp", "fn"):
        if name in found:
            outcomes[name] = spread(found[name]) > 0
    if "score" in found and "correct" in found:
        truth = spread(found["truth"])
        for name, is_true, is_right in (
            ("tp", 1, "right"),
            ("tn", 0, "right"),
            ("fp", 0, "wrong"),
            ("fn", 1, "wrong"),
        ):
            outcomes[name] = (truth == is_true) & outcomes[is_right]
    return outcomes
