"""Figures of a multi-label classification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cvtrack_magics.tasks.bootstrap import Statistic
from cvtrack_magics.tasks.counting import (
    MAX_CURVES,
    NAN,
    Options,
    class_names,
    counted,
    divided,
    known,
    mean,
    need,
    pr_curve,
    ratio,
)
from cvtrack_magics.tasks.precision_interval import precision_interval
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import Sampling, sampling_of
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.evaluation import Curve, Evaluation, Replicates
from cvtrack_magics.vision.metric_catalog import HEADLINES, metric_parts

HALF = 0.5
"""The probability from which on a class is predicted, where none is said."""
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """N samples × K classes: what is true, what is known, and in which order scores put them.

    ``ranks`` are the scores; one that is NaN lies below all others of its class where the class
    is there, and above them where it is not, so that it is wrong at any threshold.
    """

    true: Bools
    known: Bools
    lost: Bools
    ranks: Floats

    @property
    def positives(self) -> npt.NDArray[np.int64]:
        """In how many samples each class is there."""
        return np.asarray(self.true.sum(axis=0))

    def of_class(self, one: int) -> tuple[Bools, Floats]:
        """Return truth and ranks of a class, of the samples where it is known."""
        rows = self.known[:, one]
        return self.true[rows, one], self.ranks[rows, one]


def measure_multilabel(predictions: Predictions, options: Options) -> Evaluation:
    """Measure a multi-label classification.

    Each class is predicted from ``threshold`` on, 0.5 without one. A probability that is not
    finite is wrong whatever the threshold. What is unknown of a sample counts nowhere.

    Raises
    ------
    UsageProblem
        Nothing is known of any sample.
    """
    notes: list[str] = []
    data = predictions.label_sets
    names = class_names(predictions, data.probabilities.shape[1])
    rows = _rows(data.truth, notes)
    labels = _read(data.truth[rows], data.probabilities[rows], notes)
    said = predicted_of(data.probabilities[rows], options.threshold)
    said = np.where(labels.lost, ~labels.true, said)
    hit, extra, missed = (
        found & labels.known
        for found in (said & labels.true, said & ~labels.true, ~said & labels.true)
    )
    metrics, per_class = _by_class(labels, (hit, extra, missed), metric_parts(names))
    metrics |= _by_sample(labels, (hit, extra, missed))
    curves = _curves(labels, names, notes)
    sampling = sampling_of(predictions, options, notes, rows)
    headline = HEADLINES["multilabel"]
    occurring = np.flatnonzero(labels.positives)
    around, replicates = precision_interval(
        headline,
        metrics[headline],
        class_precisions(labels),
        sampling,
        counts=_units_with(labels, sampling)[occurring],
        names=[names[one] for one in occurring],
        cost=int(labels.known.sum()),
    )
    return Evaluation(
        "multilabel",
        metrics,
        headline,
        around,
        names,
        per_class,
        None,
        curves,
        {
            "id": np.array([predictions.ids[row] for row in rows]),
            "correct": np.asarray(~(extra | missed).any(axis=1)),
            **{
                key: found.sum(axis=1)
                for key, found in (("tp", hit), ("fp", extra), ("fn", missed))
            },
            "f1": _f1(*(found.sum(axis=1) for found in (hit, extra, missed)), nothing=1.0),
            "loss": _loss(data.probabilities[rows], labels),
            **sampling.units.column(),
        },
        tuple(notes),
        replicates=_with_classes(replicates, occurring, metric_parts(names)),
    )


def predicted_of(probabilities: Array, threshold: float | None) -> Bools:
    """Return which classes are predicted: from a threshold on, 0.5 without one.

    It is taken as exactly as the probabilities are: 0.7 of 32 bits lies on 0.7.
    """
    least = probabilities.dtype.type(HALF if threshold is None else threshold)
    return np.asarray(probabilities >= least)


def _rows(truth: npt.NDArray[np.int8], notes: list[str]) -> npt.NDArray[np.int64]:
    """Return the samples of which something is known."""
    said = truth != -1
    rows = known(np.where(said.any(axis=1), 0, -1), notes)
    unknown = int((~said[rows]).sum())
    if unknown:
        notes.append(f"{counted(unknown, 'label')} of unknown truth (-1) count nowhere.")
    return rows


def _read(truth: npt.NDArray[np.int8], probabilities: Array, notes: list[str]) -> Labels:
    true, there = truth == 1, truth != -1
    lost = ~np.isfinite(probabilities)
    if (lost & there).any():
        bad = counted(int((lost & there).sum()), "probability").replace("ys", "ies")
        notes.append(f"{bad} of NaN or infinity counted as wrong.")
    ranks = np.asarray(probabilities, np.float64)
    return Labels(true, there, lost, np.where(lost, np.where(true, -1.0, 2.0), ranks))


def _f1(hits: Array, extra: Array, missed: Array, *, nothing: float) -> Floats:
    whole = 2 * hits + extra + missed
    return np.where(whole > 0, divided(2 * hits, whole), nothing)


def _by_class(
    labels: Labels, outcomes: tuple[Bools, Bools, Bools], parts: list[str]
) -> tuple[dict[str, float], dict[str, Array]]:
    hits, extra, missed = (found.sum(axis=0) for found in outcomes)
    occurs = hits + extra + missed > 0

    def shares(part: Array, whole: Array) -> Floats:
        return np.where(occurs, np.nan_to_num(divided(part, whole)), NAN)

    per_class: dict[str, Array] = {
        "AP": np.full(len(parts), NAN),
        "f1": _f1(hits, extra, missed, nothing=NAN),
        "precision": shares(hits, hits + extra),
        "recall": shares(hits, hits + missed),
        "support": labels.positives,
    }
    areas = np.full(len(parts), NAN)
    metrics = need("sklearn.metrics", "scikit-learn")
    for one in np.flatnonzero(labels.positives).tolist():
        truth, ranks = labels.of_class(one)
        per_class["AP"][one] = metrics.average_precision_score(truth, ranks)
        if not truth.all():
            areas[one] = metrics.roc_auc_score(truth, ranks)
    found = {
        "mAP": mean(per_class["AP"]),
        "AUROC": mean(areas),
        "macro_f1": mean(per_class["f1"]),
        "precision": mean(per_class["precision"]),
        "recall": mean(per_class["recall"]),
    }
    found |= {f"AP/{part}": float(per_class["AP"][k]) for k, part in enumerate(parts)}
    found |= {f"per_class_f1/{part}": float(per_class["f1"][k]) for k, part in enumerate(parts)}
    return found, per_class


def _by_sample(labels: Labels, outcomes: tuple[Bools, Bools, Bools]) -> dict[str, float]:
    hit, extra, missed = outcomes
    hits, wrong = int(hit.sum()), int(extra.sum() + missed.sum())
    return {
        "micro_f1": ratio(2 * hits, 2 * hits + wrong),
        "subset_acc": float((~(extra | missed).any(axis=1)).mean()),
        "hamming_loss": ratio(wrong, int(labels.known.sum())),
    }


def _loss(probabilities: Array, labels: Labels) -> Floats:
    """Return the mean binary cross-entropy of each sample's known labels, -ln p in nats."""
    least = np.finfo(probabilities.dtype).eps
    own = np.where(labels.true, probabilities, 1 - probabilities)
    each = -np.log(np.clip(own, least, 1).astype(np.float64))
    each[~labels.known] = 0
    each[labels.lost & labels.known] = np.nan
    return divided(each.sum(axis=1), labels.known.sum(axis=1))


def _curves(labels: Labels, names: tuple[str, ...], notes: list[str]) -> tuple[Curve, ...]:
    occurring = np.flatnonzero(labels.positives)
    if len(occurring) > MAX_CURVES:
        notes.append(f"No curves: there are more than {MAX_CURVES} classes.")
        return ()
    return tuple(pr_curve(names[one], *labels.of_class(one)) for one in occurring.tolist())


def class_precisions(labels: Labels) -> Statistic:
    """Return the average precision of each class that is there: Σ precision · gain in recall."""
    orders = []
    for one in np.flatnonzero(labels.positives):
        rows = np.flatnonzero(labels.known[:, one])
        falling = rows[np.argsort(-labels.ranks[rows, one], kind="stable")]
        ranked = labels.ranks[falling, one]
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        orders.append((falling, labels.true[falling, one], last))

    def statistic(weights: Floats) -> Floats:
        terms = np.empty((len(weights), len(orders)))
        for at, (falling, true, last) in enumerate(orders):
            drawn = weights[:, falling]
            found = np.cumsum(drawn * true, axis=1)[:, last]
            precision = np.nan_to_num(divided(found, np.cumsum(drawn, axis=1)[:, last]))
            gained = np.diff(found, axis=1, prepend=0)
            terms[:, at] = divided((gained * precision).sum(axis=1), found[:, -1])
        return terms

    return statistic


def _units_with(labels: Labels, sampling: Sampling) -> Floats:
    """Return in how many units each class is there."""
    found: Floats = (sampling.units.sums(labels.true) > 0).sum(axis=0).astype(np.float64)
    return found


def _with_classes(
    made: Replicates | None, occurring: npt.NDArray[np.int64], parts: list[str]
) -> Replicates | None:
    """Return replicates with the average precision of each class."""
    if made is None or made.terms is None or len(occurring) > MAX_CURVES:
        return made
    own = zip(occurring, made.terms.T, strict=True)
    return Replicates(
        made.values,
        made.seed,
        made.first,
        made.terms,
        {f"AP/{parts[one]}": values for one, values in own},
    )
