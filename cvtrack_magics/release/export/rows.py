"""Does a row of a batch get what it gets alone? Kernels round by the batch, functions do not."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from cvtrack_magics.release.export.compare import Array, as_array, compared
from cvtrack_magics.release.export.facts import Check, Tolerance
from cvtrack_magics.release.export.op_trace import narrowed
from cvtrack_magics.release.export.subject import Subject, quantized
from cvtrack_magics.release.export.test_inputs import drawn

_ROWS = 3
_SHARED_RANGE = Tolerance(0.1, 0.1)  # of quantised rows, that share the range of their batch
_ROUNDING = Tolerance(1e-5, 1e-5)
_DOUBLE = Tolerance(1e-8, 1e-9)


def mixed_rows(
    subject: Subject, names: Sequence[str], tolerance: Tolerance, rng: np.random.Generator
) -> list[Check]:
    """Return the checks that show that rows of a batch depend on each other.

    Rows that are within rounding of what they get alone, and stay bit for bit as they are
    whatever stands beside them, are independent. What is left is decided in double precision,
    where rounding is a billion times smaller and a dependence is as large as before; and where
    the model does not compute in it, by the tolerance.

    Parameters
    ----------
    subject : Subject
        The model, which has a dynamic batch.
    names : sequence of str
        Of its outputs.
    tolerance : Tolerance
        For its precision.
    rng : numpy.random.Generator
        Draws the rows.

    Raises
    ------
    Exception
        What the model raises for these batches.
    """
    batch = drawn(subject.inputs, rng, batch=_ROWS)
    sides = _sides(subject, batch)
    if quantized(subject.model):
        return _apart(names, sides, _wider(tolerance, _SHARED_RANGE))
    if not _apart(names, sides, _ROUNDING) and _untouched(subject, batch, sides[0], rng):
        return []
    exact = _apart_in_double(subject, names, batch)
    return _apart(names, sides, tolerance) if exact is None else exact


def _wider(one: Tolerance, other: Tolerance) -> Tolerance:
    return Tolerance(max(one.rtol, other.rtol), max(one.atol, other.atol))


def _sides(subject: Subject, batch: Sequence[Any]) -> tuple[list[Array], list[Array]]:
    """Return the outputs of a batch, and those of its rows alone put together."""
    together = [as_array(item) for item in subject.outputs(batch)]
    alone = [
        [as_array(item) for item in subject.outputs(_row(subject, batch, row))]
        for row in range(_ROWS)
    ]
    return together, [
        parts[0] if parts[0].ndim == 0 else np.concatenate(parts)
        for parts in zip(*alone, strict=True)
        if all(part.shape[1:] == parts[0].shape[1:] for part in parts)
    ]


def _apart(
    names: Sequence[str], sides: tuple[Sequence[Array], Sequence[Array]], tolerance: Tolerance
) -> list[Check]:
    """Return the failed checks."""
    checks = compared("rows of a batch alone", names, *sides, tolerance)
    return [check for check in checks if not check.ok]


def _row(subject: Subject, batch: Sequence[Any], row: int) -> list[Any]:
    return [
        leaf[row : row + 1] if 0 in axes else leaf
        for leaf, axes in zip(batch, subject.inputs.axes, strict=True)
    ]


def _untouched(
    subject: Subject, batch: Sequence[Any], before: Sequence[Array], rng: np.random.Generator
) -> bool:
    """Tell if the first and the last row get the same bits when all others are drawn anew."""
    for row in (0, _ROWS - 1):
        others = drawn(subject.inputs, rng, batch=_ROWS)
        for leaf, other, axes in zip(batch, others, subject.inputs.axes, strict=True):
            at = row if 0 in axes else slice(None)
            other[at] = leaf[at]
        after = [as_array(item) for item in subject.outputs(others)]
        if len(before) != len(after):
            return False
        if not all(_same_row(one, two, row) for one, two in zip(before, after, strict=True)):
            return False
    return True


def _same_row(one: Array, two: Array, row: int) -> bool:
    if one.shape != two.shape or (one.ndim and one.shape[0] % _ROWS):
        return False
    each = one.shape[0] // _ROWS if one.ndim else 0
    at = slice(row * each, (row + 1) * each) if one.ndim else ()
    return np.array_equal(one[at], two[at], equal_nan=one.dtype.kind in "fc")


def _apart_in_double(
    subject: Subject, names: Sequence[str], batch: Sequence[Any]
) -> list[Check] | None:
    """Return the failed checks in double precision; None where they say nothing."""
    try:
        own = Subject(copy.deepcopy(subject.model).double(), subject.inputs, subject.names)
        wide = [leaf.double() if leaf.is_floating_point() else leaf for leaf in batch]
        with _double_by_default():
            apart = _apart(names, _sides(own, wide), _DOUBLE)
            return None if apart and narrowed(own, wide) else apart
    except Exception:  # a constant in single precision, a kernel that has no double
        return None


@contextmanager
def _double_by_default() -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
