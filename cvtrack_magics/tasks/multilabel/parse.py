"""Sets of labels and scores of classes that do not rule one another out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.base import LabelSets
from cvtrack_magics.tasks.class_names import as_indices, check_labels, class_names
from cvtrack_magics.vision.arrays import Array, shape_of, to_array

UNKNOWN = -1
_SUM_SLACK = 1e-3
_INSIDE = (
    "logits: every value lies within 0..1, as after a sigmoid, and was read as a logit; "
    "if they are probabilities, say probabilities=."
)
_ONE_OF_MANY = (
    "scores: every row sums to 1, as after a softmax, where one class rules out the others; "
    "of such a model the task is classification."
)

States = npt.NDArray[np.int8]


def read_label_sets(
    truth: Any,
    count: int,
    classes: Any,
    *,
    scores: Any,
    logits: Any,
    probabilities: Any,
    notes: list[str],
) -> tuple[LabelSets, tuple[str, ...]]:
    """Return which classes N samples have, the probability of each, and the classes' names."""
    given = {"scores": scores, "logits": logits, "probabilities": probabilities}
    said = [(how, value) for how, value in given.items() if value is not None]
    if len(said) != 1:
        raise UsageProblem(
            "multilabel: give the model's output once: scores, logits= or probabilities=."
        )
    how, value = said[0]
    table = _table(value, count)
    names = class_names(_columns_of(truth) if classes is None else classes, table.shape[1])
    if len(names) != table.shape[1]:
        raise UsageProblem(
            f"scores: {table.shape[1]} columns, but {len(names)} class names were given."
        )
    chances = _probabilities(table, how, notes)
    return LabelSets(_states(truth, count, names), chances), names


def samples_of(*values: Any) -> int | None:
    """Return how many samples the first says that is given."""
    for value in values:
        shape = getattr(value, "shape", None)  # a sparse matrix has no length
        if shape:
            return int(shape[0])
        if isinstance(value, (list, tuple)) and len(value):
            # a head of two axes is one of a class, with all samples in it
            first = tuple(getattr(value[0], "shape", ()))
            return int(first[0]) if len(first) == 2 else len(value)
    return None


def _table(value: Any, count: int) -> Array:
    """Return scores as a float table of N × K."""
    if isinstance(value, (list, tuple)) and _are_heads(value, count):
        # one output a class: scikit-learn's predict_proba of several outputs, heads of a network
        columns = [to_array(one, "scores") for one in value]
        value = np.stack([one.reshape(count, -1)[:, -1] for one in columns], axis=1)
    table = to_array(value, "scores")
    if table.ndim != 2 or len(table) != count:
        raise UsageProblem(f"scores: expected {count} samples × classes, saw {shape_of(table)}.")
    if table.dtype.kind != "f":
        if table.dtype.kind == "b" or np.isin(table, (0, 1)).all():
            raise UsageProblem(
                "scores: saw only zeros and ones, which looks like predicted labels.",
                "Give the model's output (samples × classes): logits or probabilities.",
            )
        return table.astype(np.float32)
    return table.astype(np.float64) if table.dtype.itemsize > 8 else table


def _are_heads(value: Sequence[Any], count: int) -> bool:
    """Whether a list has an output for each class, and not one for each sample."""
    shapes = [tuple(getattr(one, "shape", ())) for one in value]
    return bool(shapes) and all(shape in {(count, 2), (count, 1)} for shape in shapes)


def _probabilities(table: Array, how: str, notes: list[str]) -> Array:
    finite = table[np.isfinite(table)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    inside = low >= 0 and high <= 1
    if how == "probabilities" and not (low >= -1e-6 and high <= 1 + 1e-3):
        raise UsageProblem(f"probabilities: saw {low:.4g} to {high:.4g}.", "Say logits= .")
    if how == "scores" and low >= 0 and high > 1 + 1e-3:
        raise UsageProblem(
            f"scores: no value below 0, the largest is {high:.4g}: logits, or percent?",
            "Say logits=, or give probabilities= of 0..1.",
        )
    if how == "logits" and inside and finite.size and not np.isin(finite, (0, 1)).all():
        notes.append(_INSIDE)
    rows = table[np.isfinite(table).all(axis=1)]
    if inside and how != "logits" and len(rows) > 1 and table.shape[1] > 2:
        sums = rows.sum(axis=1, dtype=np.float64)
        notes += [_ONE_OF_MANY] if (abs(sums - 1) < _SUM_SLACK).all() else []
    if how == "probabilities" or (how == "scores" and high <= 1 + 1e-3 and low >= 0):
        return table
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-table)), table.dtype)


def _columns_of(truth: Any) -> Any:
    """Return the names of a data frame's columns, or None."""
    columns = getattr(truth, "columns", None)
    return [str(one) for one in columns] if columns is not None else None


def _states(truth: Any, count: int, names: tuple[str, ...]) -> States:
    """Return 1, 0 or -1 (unknown) for each sample and class."""
    if truth is None:
        return np.full((count, len(names)), UNKNOWN, np.int8)
    columns = _columns_of(truth)
    if columns is not None:
        truth = _in_order(truth, columns, names)
    elif hasattr(truth, "toarray"):  # SciPy's sparse matrices
        truth = truth.toarray()
    if isinstance(truth, np.ndarray) and truth.dtype == object and truth.ndim == 1:
        truth = list(truth)
    if isinstance(truth, (list, tuple)) and not _is_matrix(truth, len(names)):
        return _of_sets(truth, count, names)
    return _of_matrix(to_array(truth, "truth"), count, names)


def _in_order(frame: Any, columns: list[str], names: tuple[str, ...]) -> Any:
    """Return a data frame's values with its columns in the order of the classes."""
    if sorted(columns) != sorted(names):
        lost = sorted(set(names) - set(columns)) or sorted(set(columns) - set(names))
        raise UsageProblem(
            f"truth: the columns are not the classes; {lost[0]!r} is only in one of them.",
            "Give the columns of the classes, or a plain matrix.",
        )
    return frame.iloc[:, [columns.index(name) for name in names]].to_numpy(np.float64)


def _is_matrix(rows: Sequence[Any], classes: int) -> bool:
    """Whether a list is a matrix of 0 and 1, and no list of sets of labels.

    Raises
    ------
    UsageProblem
        It can be both.
    """
    if any(row is None or isinstance(row, (Set, Mapping, str)) for row in rows):
        return False
    if any(getattr(row, "ndim", 1) != 1 or not hasattr(row, "__len__") for row in rows):
        return True  # said by the matrix's reader
    values = [np.asarray(getattr(row, "tolist", lambda row=row: row)()) for row in rows]
    if not all(len(row) == classes and row.dtype.kind in "biuf" for row in values):
        return False
    if not all(np.isin(row, (0, 1, UNKNOWN)).all() or np.isnan(row).any() for row in values):
        return False
    if classes <= 2 and all(len(set(row.tolist())) == len(row) for row in values):
        raise UsageProblem(
            "truth: the rows can be labels, or a 0 or 1 for each class.",
            "Give an array for the second, sets for the first.",
        )
    return True


def _of_matrix(table: Array, count: int, names: tuple[str, ...]) -> States:
    if table.ndim == 1 and len(table) == count and len(names) > 1:
        raise UsageProblem(
            "truth: saw one label a sample, not any number of them.",
            "The task is classification; or give a 0 or 1 for each class.",
        )
    if table.shape != (count, len(names)):
        raise UsageProblem(
            f"truth: expected {count} samples × {len(names)} classes, saw {shape_of(table)}."
        )
    values = np.where(np.isnan(table), UNKNOWN, table) if table.dtype.kind == "f" else table
    wrong = values[~np.isin(values, (0, 1, UNKNOWN))]
    if len(wrong):
        raise UsageProblem(
            f"truth: expected 1 (there), 0 (not there) and -1 (unknown), saw {wrong[0]:.4g}."
        )
    if set(np.unique(values).tolist()) == {-1, 1}:
        raise UsageProblem(
            "truth: the values are -1 and 1, of which -1 would be unknown.",
            "Give 0 and 1; NaN or -1 only where it is unknown.",
        )
    return values.astype(np.int8)


def _of_sets(rows: Sequence[Any], count: int, names: tuple[str, ...]) -> States:
    if len(rows) != count:
        raise UsageProblem(f"truth: expected the labels of {count} samples, saw {len(rows)}.")
    states = np.zeros((count, len(names)), np.int8)
    for at, row in enumerate(rows):
        if row is None:
            states[at] = UNKNOWN
            continue
        if isinstance(row, (str, Mapping)) or not hasattr(row, "__iter__"):
            raise UsageProblem(
                f"truth: sample {at} has {type(row).__name__}, expected a list of labels.",
                "An empty list where it has none; None where nobody knows.",
            )
        own = row.tolist() if hasattr(row, "tolist") else list(row)
        labels = np.asarray(as_indices(own, names, "truth") if own else [], np.float64)
        if labels.ndim != 1 or (labels != np.round(labels)).any():
            raise UsageProblem(f"truth: sample {at} has {own!r:.60}, expected whole numbers.")
        check_labels(labels.astype(np.int64), len(names), "truth")
        states[at, labels.astype(np.int64)] = 1
    return states
