"""Classification as a kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtrack_magics.tasks.base import Classes
from cvtrack_magics.tasks.classification.metrics import measure_classification
from cvtrack_magics.tasks.classification.suspects import suspicion
from cvtrack_magics.tasks.kind import Kind, Placed, Rows, pick, scores_said
from cvtrack_magics.text import utf8
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.columns import Json, column, exact

if TYPE_CHECKING:
    from cvtrack_magics.tasks.about import About
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation

PROBABILITIES = 2_000_000
"""More numbers than these are not carried; the top three of each sample are."""
_TOP = 3


class Classification(Kind):
    """One of K classes a sample."""

    worst = ("loss", -1)
    has_mlflow_evaluation = True
    may_end_in_softmax = True

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return accuracies, averages, curves and calibration."""
        return measure_classification(predictions, options)

    def said(self, output: Any, *, softmax: bool) -> dict[str, Any]:
        """Return logits, or what a softmax made of them."""
        return scores_said(output, "classification", softmax=softmax)

    def columns(self, predictions: Predictions) -> About:
        """Return the true class of each sample."""
        truth = predictions.labels.truth.tolist()
        return {"class": tuple(predictions.classes[k] if k >= 0 else None for k in truth)}

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return the name of the true class; nothing where it is unknown."""
        label = int(predictions.labels.truth[row])
        return utf8(predictions.classes[label] if label >= 0 else "")

    def members(self, data: Classes) -> dict[str, Array]:
        """Return labels and probabilities."""
        return {"truth": data.truth, "probabilities": data.probabilities}

    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> Classes:
        """Return labels and probabilities."""
        del facts
        return Classes(members["truth"], members["probabilities"])

    def scores_without_truth(self, predictions: Predictions) -> dict[str, Array]:
        """Return how sure the model was."""
        return {"confidence": np.nan_to_num(predictions.labels.probabilities).max(axis=1)}

    def suspicion(self, predictions: Predictions) -> Array:
        """Return by how much a class that the model is sure of is likelier than the label's."""
        return suspicion(predictions.labels.truth, predictions.labels.probabilities)

    def caption(self, predictions: Predictions, row: int) -> tuple[str, bool]:
        """Return the predicted class, its probability, and the true one where it differs."""
        data, classes = predictions.labels, predictions.classes
        probs = data.probabilities[row]
        if not np.isfinite(probs).any():
            return "no score", False
        said, true = int(np.nanargmax(probs)), int(data.truth[row])
        text = f"{classes[said]} {probs[said]:.2f}"
        if true < 0 or said == true:
            return text, True
        return f"{text}, is {classes[true]}", False

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return labels, the top three, and all probabilities where they are not too many."""
        del placed
        data = predictions.labels
        probs = pick(data.probabilities, rows, np.nan)
        known = np.nan_to_num(probs, nan=-1.0)
        top = min(_TOP, probs.shape[1])
        best = np.argsort(-known, axis=1, kind="stable")[:, :top]
        return {
            "truth": column(pick(data.truth, rows, -1), "i4"),
            "pred": column(np.where(np.isfinite(probs).all(axis=1), best[:, 0], -1), "i4"),
            "top": {
                "k": top,
                "classes": column(best, "i4"),
                "probs": exact(np.take_along_axis(probs, best, axis=1)),
            },
            "probs": exact(probs) if probs.size <= PROBABILITIES else None,
        }


KIND = Classification()
