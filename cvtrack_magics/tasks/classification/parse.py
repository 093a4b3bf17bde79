"""Labels, logits, probabilities and scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import Anomalies, Classes
from cvtrack_magics.tasks.class_names import as_indices, check_labels, class_names, one_ignored
from cvtrack_magics.tasks.segmentation.parse import read_planes
from cvtrack_magics.tasks.segmentation.soft_masks import cut_of
from cvtrack_magics.vision.arrays import Array, floats, integers, shape_of, to_array
from cvtrack_magics.vision.maps import Maps

_SUM_SLACK = 2e-2  # half precision and rounded files
AFTER_SOFTMAX = (
    "logits: every row lies within 0..1 and sums to 1, so they were read as the "
    "probabilities they are; probabilities= says so."
)
_ONE_VALUE = (
    "scores: one value a sample, each within 0..1, was read as the probability of the second "
    "class; if they are logits, say logits= (probabilities= says that they are none)."
)
_TORCH_IGNORE = -100
_SOFTMAX_SLACK, _HALF_SLACK, _ROWS = 1e-5, 5e-3, 4


def read_classes(
    truth: Any,
    count: int,
    classes: Any,
    *,
    scores: Any,
    logits: Any,
    probabilities: Any,
    ignore: int | None,
    notes: list[str],
) -> tuple[Classes, tuple[str, ...]]:
    """Return labels and probabilities of N samples, and the names of the classes."""
    given = [value is not None for value in (scores, logits, probabilities)]
    if sum(given) != 1:
        raise UsageProblem(
            "classification: give the model's output once: scores, logits= or probabilities=."
        )
    value = next(item for item in (scores, logits, probabilities) if item is not None)
    table = to_array(value, "scores")
    if table.ndim == 2 and table.shape[1] == 1:
        table = table[:, 0]
    if table.ndim not in (1, 2) or len(table) != count:
        raise UsageProblem(f"scores: expected {count} samples × classes, saw {shape_of(table)}.")
    if table.dtype.kind != "f":
        if table.ndim == 1:
            raise UsageProblem(
                "scores: saw one whole number a sample, which looks like predicted labels.",
                "Give the model's output (samples × classes): logits or probabilities.",
            )
        table = table.astype(np.float32)
    if table.dtype.itemsize > 8:
        table = table.astype(np.float64)
    how = "logits" if logits is not None else "probabilities" if probabilities is not None else ""
    if how != "probabilities":
        _refuse_shares(table, how)
    if how == "logits":
        how = _logits_or_probabilities(table, notes)
    guessed = "" if how or table.ndim > 1 else _recognise(table)
    notes += [_ONE_VALUE] if guessed == "probabilities" else []
    probs = _probabilities(table, how or guessed or _recognise(table))
    names = class_names(classes, probs.shape[1])
    if len(names) != probs.shape[1]:
        raise UsageProblem(
            f"scores: {probs.shape[1]} columns, but {len(names)} class names were given."
        )
    labels = _true_labels(as_indices(truth, classes, "truth"), count, one_ignored(ignore), notes)
    if len(names) == 2 and ignore is None:
        refuse_signed(labels, "truth")
    check_labels(labels, len(names), "truth", least=-1)
    return Classes(labels, probs, guessed), names


def _logits_or_probabilities(table: Array, notes: list[str]) -> str:
    """Return what N × K (or N) values said to be logits are, and note what looks otherwise.

    Rows of zeros and ones alone may be either. A row of NaN says nothing.
    """
    rows = table[np.isfinite(table.reshape(len(table), -1)).all(axis=1)]
    if not rows.size or rows.min() < 0 or rows.max() > 1 or np.isin(rows, (0, 1)).all():
        return "logits"
    if rows.ndim == 2:
        # Half precision is off by more; a few rows of logits may sum to about 1 by chance.
        slack = _HALF_SLACK if len(rows) >= _ROWS else _SOFTMAX_SLACK
        if np.abs(rows.sum(axis=1, dtype=np.float64) - 1).max() <= slack:
            notes.append(AFTER_SOFTMAX)
            return "probabilities"
    notes.append(
        "logits: every value lies within 0..1, as after a sigmoid, and was read as a logit; "
        "if they are probabilities, say probabilities=."
    )
    return "logits"


def _refuse_shares(table: Array, how: str) -> None:
    """Refuse rows of one sum far above 1 with no value below 0: percent, bytes or votes."""
    rows = table[np.isfinite(table.reshape(len(table), -1)).all(axis=1)]
    if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] < 2:
        return
    if rows.min() < 0 or rows.max() <= 1 + 1e-3:  # within 0..1 is told apart below
        return
    sums = rows.sum(axis=1, dtype=np.float64)
    whole = bool((rows == np.round(rows)).all())
    slack = rows.shape[1] if whole else 1e-3 * sums.max()  # each of K bytes is rounded or cut
    if sums.max() > 1 + _SUM_SLACK and np.ptp(sums) <= slack < sums.min() / 4:
        raise UsageProblem(
            f"{how or 'scores'}: no value below 0, and every row sums to about {sums.mean():.4g}: "
            "shares (percent, bytes, votes), not logits.",
            "Give probabilities= with each row divided by its sum.",
        )


def refuse_signed(labels: npt.NDArray[np.int64], what: str) -> None:
    """Refuse labels of -1 and 1 alone, which are signs, or unknown and the second class.

    Raises
    ------
    UsageProblem
        Both occur, and no other.
    """
    if set(np.unique(labels).tolist()) == {-1, 1}:
        raise UsageProblem(
            f"{what}: the labels are -1 and 1, of which -1 would be unknown.",
            "Give 0 and 1; leave the samples out that are unknown.",
        )


def _true_labels(
    truth: Any, count: int, ignore: int | None, notes: list[str]
) -> npt.NDArray[np.int64]:
    """Return labels, -1 where the truth is unknown."""
    if truth is None:
        return np.full(count, -1)
    labels = integers(truth, count, "truth")
    if ignore is not None:
        return np.where(labels == ignore, -1, labels)
    unknown = labels == _TORCH_IGNORE
    if unknown.any():
        notes.append(f"Labels of {_TORCH_IGNORE} were read as an unknown truth.")
    return np.where(unknown, -1, labels)


def _recognise(table: Array) -> str:
    known = table[np.isfinite(table)] if table.size else table
    if known.size == 0:
        return "probabilities"
    low, high = float(known.min()), float(known.max())
    if low < 0 or high > 1 + 1e-3:
        return "logits"
    if table.ndim == 1:
        return "probabilities"
    sums = table.sum(axis=1)
    sums = sums[np.isfinite(sums)]
    if np.all(np.abs(sums - 1) < _SUM_SLACK):
        return "probabilities"
    worst = sums[np.argmax(np.abs(sums - 1))]
    raise UsageProblem(
        f"scores: within 0..1, yet a row sums to {worst:.3g}: probabilities or logits?",
        "Say probabilities= or logits=.",
    )


def _probabilities(table: Array, how: str) -> Array:
    if how == "probabilities":
        known = table[np.isfinite(table)]
        if known.size and (known.min() < -1e-6 or known.max() > 1 + 1e-3):
            raise UsageProblem(
                f"probabilities: saw {known.min():.4g} to {known.max():.4g}.", "Say logits= ."
            )
        return np.stack((1 - table, table), axis=1) if table.ndim == 1 else table
    if table.ndim == 1:
        table = np.stack((np.zeros_like(table), table), axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        shifted = np.exp(table - np.max(table, axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), table.dtype)


def read_anomalies(
    truth: Any, scores: Any, count: int, *, heat: Any, masks: Any, notes: list[str]
) -> Anomalies:
    """Return truth, score and, where given, the maps of where."""
    labels = np.full(count, -1) if truth is None else integers(truth, count, "truth")
    if len(labels) and (labels.min() < -1 or labels.max() > 1):
        wrong = labels[(labels < -1) | (labels > 1)][0]
        raise UsageProblem(f"truth: expected 0 (normal) and 1 (anomalous), saw {wrong}.")
    refuse_signed(labels, "truth")
    hot = None if heat is None else Maps.of(read_planes(heat, count, "heat", np.float32))
    areas = None
    if masks is not None:
        planes = list(read_planes(masks, count, "masks", None))
        areas = Maps.of(map(cut_of(planes, "truth", notes).apply, planes))
    return Anomalies(labels, floats(scores, count, "scores"), hot, areas)
