"""Figures of an anomaly detection."""

from __future__ import annotations

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.bootstrap import area_under_roc, resampled
from cvtrack_magics.tasks.class_names import check_labels
from cvtrack_magics.tasks.counting import NAN, Options, counted, known, need, ratio
from cvtrack_magics.tasks.counting import pr_curve as _pr
from cvtrack_magics.tasks.counting import roc_curve as _roc
from cvtrack_magics.tasks.intervals import interval, of_pairs
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.units import sampling_of
from cvtrack_magics.vision.arrays import Array, shape_of
from cvtrack_magics.vision.evaluation import Curve, Evaluation
from cvtrack_magics.vision.maps import Maps

MAX_PIXELS = 5_000_000


def measure_anomaly(predictions: Predictions, options: Options) -> Evaluation:
    """Measure an anomaly detection.

    A sample counts as anomalous from a score of ``threshold`` on; without one, from the score
    where F1 is best. A score of NaN is wrong whatever the threshold: below all others for an
    anomalous sample, above all others for a normal one.

    Raises
    ------
    UsageProblem
        No sample has a truth, a truth is neither 0 nor 1, or a heat map is not of its mask's
        size.
    """
    notes: list[str] = []
    data = predictions.anomalies
    rows = known(data.truth, notes)
    ids = [predictions.ids[row] for row in rows]
    truth, scores = data.truth[rows], np.asarray(data.scores)[rows]
    check_labels(truth, 2, "truth")
    names = predictions.classes if len(predictions.classes) == 2 else ("normal", "anomalous")
    lost = np.isnan(scores)
    if lost.any():
        notes.append(f"{counted(int(lost.sum()), 'sample')} with score NaN counted as wrong.")
    ranks, values = _ranked(truth, scores)
    both = len(np.unique(truth)) == 2
    if not both:
        notes.append("Only one class occurs: AUROC and AUPRC have no value.")

    curves: tuple[Curve, ...] = ()
    metrics = {"AUROC": NAN, "AUPRC": NAN}
    if both:
        pr, roc = curves = _curves(names[1], truth, ranks, values)
        metrics = {"AUROC": roc.area, "AUPRC": pr.area}
    best, f1 = _best(truth, ranks, values)
    metrics |= {"F1_at_best_threshold": f1, "best_threshold": best}
    threshold = best if options.threshold is None else options.threshold
    # Nothing reaches a threshold that is NaN.
    alarm = np.where(lost, truth == 0, scores >= threshold)
    table = need("sklearn.metrics", "scikit-learn").confusion_matrix(truth, alarm, labels=[0, 1])
    tp, fp, fn = int(table[1, 1]), int(table[0, 1]), int(table[1, 0])
    metrics |= {
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "F1": ratio(2 * tp, 2 * tp + fp + fn),
    }
    if data.heat is not None and data.masks is not None:
        metrics |= _by_pixel(data.heat.take(rows), data.masks.take(rows), ids, options, notes)
    sampling = sampling_of(predictions, options, notes, rows)
    around = replicates = None
    if both and sampling.wanted:
        replicates = resampled(sampling, area_under_roc(truth, ranks))
        spread = of_pairs(truth, ranks, sampling.units.of)
        if not sampling.too_few(spread.units, (names[1], names[0]), "that are"):
            around = interval("AUROC", metrics["AUROC"], [spread], options.level)
    return Evaluation(
        "anomaly",
        metrics,
        "AUROC",
        around,
        names,
        {"support": table.sum(axis=1)},
        table.astype(np.int64),
        curves,
        {
            "id": np.array(predictions.ids)[rows],
            "truth": truth,
            "score": scores.astype(np.float64),
            "correct": alarm == (truth == 1),
            **sampling.units.column(),
        },
        tuple(notes),
        replicates=replicates,
    )


def _ranked(truth: Array, scores: Array) -> tuple[Array, Array]:
    """Return the scores as ranks, for infinities and NaN, and the score of each rank.

    The ranks of NaN (0 for an anomalous sample, the last for a normal one) have the score NaN.
    """
    lost = np.isnan(scores)
    values, places = np.unique(scores[~lost], return_inverse=True)
    ranks = np.where(truth == 1, 0.0, len(values) + 1.0)
    ranks[~lost] = places + 1
    return ranks, np.concatenate(([np.nan], values.astype(np.float64), [np.nan]))


def _curves(name: str, truth: Array, ranks: Array, values: Array) -> tuple[Curve, Curve]:
    def scored(curve: Curve) -> Curve:
        known = np.isfinite(curve.thresholds)
        at = np.full(len(curve.x), np.nan)
        # The curve of a ROC begins beyond the highest score: at infinity, or one above.
        at[known] = np.append(values, np.nan)[curve.thresholds[known].astype(np.int64)]
        return Curve(curve.kind, curve.name, curve.x, curve.y, at, curve.area)

    return scored(_pr(name, truth, ranks)), scored(_roc(name, truth, ranks))


def _best(truth: Array, ranks: Array, values: Array) -> tuple[float, float]:
    """Return the threshold of the best F1, of equal ones the highest, and that F1."""
    if not (truth == 1).any():
        return NAN, NAN
    metrics = need("sklearn.metrics", "scikit-learn")
    precision, recall, thresholds = metrics.precision_recall_curve(truth, ranks)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)[:-1]
    f1[np.isnan(values[thresholds.astype(np.int64)])] = 0
    top = int(np.flatnonzero(f1 >= f1.max() - 1e-12)[-1])
    return float(values[int(thresholds[top])]) if f1[top] else NAN, float(f1[top])


def _by_pixel(
    heat: Maps, masks: Maps, ids: list[str], options: Options, notes: list[str]
) -> dict[str, float]:
    """Return AUROC and AUPRC over the pixels of all maps, of five million of them at most."""
    pixels = sum(int(np.prod(item.shape)) for item in heat.items)
    share = min(1.0, MAX_PIXELS / max(1, pixels))
    if share < 1:
        notes.append(f"pixel_AUROC and pixel_AUPRC are of {share:.1%} of the pixels, by chance.")
    rng = np.random.default_rng(options.seed)
    truths, scores = [], []
    for name, hot, mask in zip(ids, heat, masks, strict=True):
        if hot.shape != mask.shape:
            raise UsageProblem(
                f"{name}: the heat map is of {shape_of(hot)} pixels, the mask of {shape_of(mask)}."
            )
        drawn = rng.random(hot.shape) < share if share < 1 else np.ones(hot.shape, bool)
        truths.append(mask[drawn].astype(bool))
        scores.append(hot[drawn])
    truth, score = np.concatenate(truths), np.concatenate(scores)
    if truth.all() or not truth.any():
        notes.append("The masks are all empty or all full: the pixel figures have no value.")
        return {"pixel_AUROC": NAN, "pixel_AUPRC": NAN}
    if not np.isfinite(score).all():
        lost = counted(int(np.isnan(score).sum()), "pixel")
        notes.append(f"{lost} of the heat maps with NaN counted as wrong.")
        score, _ = _ranked(truth, score)
    metrics = need("sklearn.metrics", "scikit-learn")
    return {
        "pixel_AUROC": float(metrics.roc_auc_score(truth, score)),
        "pixel_AUPRC": float(metrics.average_precision_score(truth, score)),
    }
