"""Multi-label classification as a kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtrack_magics.tasks.base import LabelSets
from cvtrack_magics.tasks.kind import Kind, Placed, Rows, pick, scores_said
from cvtrack_magics.tasks.multilabel.metrics import measure_multilabel, predicted_of
from cvtrack_magics.tasks.multilabel.parse import UNKNOWN
from cvtrack_magics.text import utf8
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.columns import Json, column, exact

if TYPE_CHECKING:
    from cvtrack_magics.tasks.about import About
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation

SCORES = 2_000_000
"""More scores than these are not carried; the highest are, and those of what is true."""


class MultiLabel(Kind):
    """Any of K classes a sample."""

    worst = ("loss", -1)
    may_end_in_softmax = True

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return average precisions, F1 and shares of what is right."""
        return measure_multilabel(predictions, options)

    def said(self, output: Any, *, softmax: bool) -> dict[str, Any]:
        """Return logits, or what a sigmoid made of them."""
        return scores_said(output, "multilabel", softmax=softmax)

    def columns(self, predictions: Predictions) -> About:
        """Return how many labels each sample has, as far as is known."""
        truth = predictions.label_sets.truth
        known = (truth != UNKNOWN).any(axis=1)
        counts = (truth == 1).sum(axis=1)
        pairs = zip(counts.tolist(), known.tolist(), strict=True)
        return {"labels": tuple(count if sure else None for count, sure in pairs)}

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return the names of the true classes and of the unknown ones."""
        states = predictions.label_sets.truth[row]
        lines = (
            f"{predictions.classes[one]}\t{int(states[one])}" for one in np.flatnonzero(states)
        )
        return utf8("\n".join(lines))

    def members(self, data: LabelSets) -> dict[str, Array]:
        """Return labels and probabilities."""
        return {"truth": data.truth, "probabilities": data.probabilities}

    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> LabelSets:
        """Return labels and probabilities."""
        del facts
        return LabelSets(members["truth"], members["probabilities"])

    def scores_without_truth(self, predictions: Predictions) -> dict[str, Array]:
        """Return how sure the model was of the likeliest class."""
        return {"confidence": np.nan_to_num(predictions.label_sets.probabilities).max(axis=1)}

    def counted(self, predictions: Predictions, threshold: float | None) -> Predictions:
        """Return predictions whose probabilities are 1 where a class is predicted, else 0."""
        data = predictions.label_sets
        said = predicted_of(data.probabilities, threshold)
        kept = np.where(np.isfinite(data.probabilities), said, np.nan)
        return replace(predictions, data=replace(data, probabilities=kept))

    def caption(self, predictions: Predictions, row: int) -> tuple[str, bool]:
        """Return the predicted classes, and the true ones where they differ."""
        data = predictions.label_sets
        probabilities, states = data.probabilities[row], data.truth[row]
        said = predicted_of(probabilities, None)
        text = self._named(predictions, said)
        known = states != UNKNOWN
        lost = ~np.isfinite(probabilities)
        if not ((said != (states == 1)) | lost)[known].any():
            return text, True
        return f"{text}, is {self._named(predictions, states == 1)}", False

    @staticmethod
    def _named(predictions: Predictions, which: Array) -> str:
        return ", ".join(predictions.classes[one] for one in np.flatnonzero(which)) or "nothing"

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return the labels of each sample, and the scores of each, all where not too many."""
        del placed
        data = predictions.label_sets
        truth = pick(data.truth, rows, UNKNOWN)
        scores = pick(data.probabilities, rows, np.nan)
        kept, floor = _kept(truth, scores)
        places, classes = np.nonzero(kept)
        return {
            "truth": _lists(truth == 1),
            "unknown": _lists(truth == UNKNOWN),
            "scores": {
                "offsets": column(_offsets(places, len(rows)), "u4"),
                "labels": column(classes, "u4"),
                "values": exact(scores[kept]),
            },
            "floor": floor,
        }


def _kept(truth: Array, scores: Array) -> tuple[Array, float]:
    """Return which scores are carried, and the one from which on all are."""
    if scores.size <= SCORES:
        return np.ones(scores.shape, bool), 0.0
    floor = float(np.nanquantile(scores, 1 - SCORES / scores.size))
    return (truth == 1) | ~(scores < floor), floor


def _lists(which: Array) -> Json:
    places, classes = np.nonzero(which)
    return {
        "offsets": column(_offsets(places, len(which)), "u4"),
        "labels": column(classes, "u4"),
    }


def _offsets(places: Array, count: int) -> Array:
    return np.concatenate(([0], np.cumsum(np.bincount(places, minlength=count))))


KIND = MultiLabel()
