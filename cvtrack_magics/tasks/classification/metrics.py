"""Figures of a classification."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.class_names import check_labels
from cvtrack_magics.tasks.classification.calibration import calibration
from cvtrack_magics.tasks.counting import (
    MAX_CURVES,
    NAN,
    Options,
    class_names,
    counted,
    known,
    mean,
    need,
    pr_curve,
    roc_curve,
)
from cvtrack_magics.tasks.intervals import share_interval
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import sampling_of
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Curve, Evaluation
from cvtrack_magics.vision.metric_catalog import metric_parts


def measure_classification(predictions: Predictions, options: Options) -> Evaluation:
    """Measure a classification.

    A sample with a probability that is not finite counts as wrong, as predicted to be of no
    class; it takes no part in ECE, NLL, AUROC, AUPRC, the curves and the confusion matrix.
    ``threshold`` decides between two classes; ECE and the reliability diagram are about the
    likeliest class and do not depend on it.

    Raises
    ------
    UsageProblem
        No sample has a truth, or a truth is out of range.
    """
    notes: list[str] = []
    rows = known(predictions.labels.truth, notes)
    truth, probabilities = predictions.labels.truth[rows], predictions.labels.probabilities[rows]
    count = probabilities.shape[1]
    names = class_names(predictions, count)
    check_labels(truth, count, "truth")
    said: npt.NDArray[np.bool_] = np.asarray(np.isfinite(probabilities).all(axis=1))
    if not said.all():
        bad = counted(int((~said).sum()), "sample")
        notes.append(f"{bad} with a probability of NaN or infinity counted as wrong.")
    if said.any() and abs(probabilities[said].sum(axis=1) - 1).max() > 1e-2:
        notes.append("The probabilities do not add up to 1: ECE and NLL say little.")
    likeliest = np.argmax(np.where(said[:, None], probabilities, 0), axis=1)
    predicted = np.where(said, _decided(probabilities, likeliest, options, notes), -1)
    correct = predicted == truth
    own = np.take_along_axis(probabilities, truth[:, None], 1)[:, 0]
    loss = -np.log(np.clip(own, np.finfo(probabilities.dtype).eps, 1).astype(np.float64))
    loss[~said] = np.nan
    confidence = np.take_along_axis(probabilities, np.maximum(predicted, 0)[:, None], 1)[:, 0]

    metrics = {"top1_acc": float(correct.mean())}
    if count > 5:
        metrics["top5_acc"] = float((said & (_rank(probabilities, truth, own) < 5)).mean())
    scores, per_class = _by_class(truth, predicted, names)
    ece, reliability = calibration(
        probabilities[said, likeliest[said]], likeliest[said] == truth[said]
    )
    metrics |= scores | {"ECE": ece, "NLL": mean(loss)}
    curves: list[Curve] = [reliability] if said.any() else []
    if count == 2:
        found, figures = _binary(truth[said], probabilities[said, 1], names[1], notes)
        metrics |= figures
    else:
        found = _one_against_rest(truth[said], probabilities[said], names, notes)
    confusion = need("sklearn.metrics", "scikit-learn").confusion_matrix(
        truth, predicted, labels=np.arange(count)
    )
    ids = [predictions.ids[row] for row in rows]
    sampling = sampling_of(predictions, options, notes, rows)
    return Evaluation(
        "classification",
        metrics,
        "top1_acc",
        share_interval("top1_acc", correct, sampling),
        names,
        per_class,
        confusion.astype(np.int64),
        (*found, *curves),
        {
            "id": np.array(ids),
            "truth": truth,
            "pred": predicted,
            "confidence": np.where(said, confidence, np.nan).astype(np.float64),
            "correct": correct,
            "loss": loss,
            **sampling.units.column(),
        },
        tuple(notes),
    )


def _decided(
    probabilities: Array, likeliest: npt.NDArray[np.int64], options: Options, notes: list[str]
) -> npt.NDArray[np.int64]:
    if options.threshold is None:
        return likeliest
    if probabilities.shape[1] != 2:
        notes.append("The threshold has no effect: it decides between two classes only.")
        return likeliest
    return (probabilities[:, 1] >= options.threshold).astype(np.int64)


def _rank(probabilities: Array, truth: Array, own: Array) -> npt.NDArray[np.int64]:
    """Return how many classes come before the true one; of equal ones the first goes first."""
    before = np.arange(probabilities.shape[1]) < truth[:, None]
    ahead = (probabilities > own[:, None]) | (before & (probabilities == own[:, None]))
    return np.asarray(ahead.sum(axis=1))


def _by_class(
    truth: Array, predicted: Array, names: tuple[str, ...]
) -> tuple[dict[str, float], dict[str, Array]]:
    occurring = np.union1d(truth, predicted[predicted >= 0])
    precision, recall, f1, support = need(
        "sklearn.metrics", "scikit-learn"
    ).precision_recall_fscore_support(
        truth, predicted, labels=occurring, average=None, zero_division=0
    )
    metrics = {
        "macro_f1": mean(f1),
        "weighted_f1": float(np.average(f1, weights=support)),
        "precision": mean(precision),
        "recall": mean(recall),
    }
    per_class: dict[str, Array] = {}
    for key, values in (("f1", f1), ("precision", precision), ("recall", recall)):
        per_class[key] = np.full(len(names), np.nan)
        per_class[key][occurring] = values
    per_class["support"] = np.bincount(truth, minlength=len(names))
    parts = metric_parts(names)
    metrics |= {f"per_class_f1/{part}": float(per_class["f1"][k]) for k, part in enumerate(parts)}
    return metrics, per_class


def _binary(
    truth: Array, scores: Array, name: str, notes: list[str]
) -> tuple[list[Curve], dict[str, float]]:
    if len(np.unique(truth)) < 2:
        notes.append("Only one class occurs: AUROC and AUPRC have no value.")
        return [], {"AUROC": NAN, "AUPRC": NAN}
    metrics = need("sklearn.metrics", "scikit-learn")
    curves = [pr_curve(name, truth, scores), roc_curve(name, truth, scores)]
    auroc = float(metrics.roc_auc_score(truth, scores))
    return curves, {"AUROC": auroc, "AUPRC": curves[0].area}


def _one_against_rest(
    truth: Array, probabilities: Array, names: tuple[str, ...], notes: list[str]
) -> list[Curve]:
    occurring = np.unique(truth)
    if len(occurring) > MAX_CURVES:
        notes.append(f"No curves: there are more than {MAX_CURVES} classes.")
        return []
    return [pr_curve(names[k], truth == k, probabilities[:, k]) for k in occurring]
