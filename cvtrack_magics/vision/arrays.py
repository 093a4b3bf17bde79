"""What people hold (tensors, PIL images, lists, data frames) as NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem

Array = npt.NDArray[Any]


def to_array(value: Any, what: str) -> Array:
    """Return a value as a NumPy array, off its device and out of its graph.

    Parameters
    ----------
    value : array-like
        A torch tensor (any device), a NumPy array, a PIL image or nested lists of numbers.
    what : str
        What it is to the user, for the error.

    Raises
    ------
    UsageProblem
        It is no rectangular array of numbers, or has masked whole numbers; masked fractions
        are NaN.
    """
    if hasattr(value, "detach"):
        value = value.detach()
        if str(getattr(value, "dtype", "")) in {"torch.bfloat16"}:
            value = value.float()
        value = value.cpu().numpy()
    try:
        array = _unmasked(value, what)
    except UsageProblem:
        raise
    except ValueError:
        raise UsageProblem(
            f"{what}: the rows are of unequal length.", "Give an array, or a list of arrays."
        ) from None
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype == object and array.size and all(_is_number_or_none(v) for v in array.flat):
        missing = sum(v is None for v in array.flat)
        raise UsageProblem(
            f"{what}: {missing:,} of {array.size:,} values are missing (None).",
            "Say -1 where a label is unknown, and NaN where a number is.",
        )
    if array.dtype.kind not in "biuf":
        raise UsageProblem(
            f"{what}: expected numbers, saw {_kind(value)}.", "Give a tensor, an array or a list."
        )
    return array


def _is_number_or_none(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, np.number))


def _unmasked(value: Any, what: str) -> Array:
    """Return an array without a mask: what lies under one is no value."""
    if isinstance(value, (list, tuple)) and any(isinstance(v, np.ma.MaskedArray) for v in value):
        if len({np.shape(v) for v in value}) > 1:
            raise ValueError("unequal")
        value = np.ma.stack([np.ma.asarray(v) for v in value])
    if not isinstance(value, np.ma.MaskedArray) or not np.ma.is_masked(value):
        return np.asarray(value)
    if value.dtype.kind == "f":
        return np.asarray(value.filled(np.nan))
    hidden = int(np.ma.getmaskarray(value).sum())
    raise UsageProblem(
        f"{what}: {hidden:,} of {value.size:,} whole numbers are masked.",
        "Fill them with a label that does not count, for example .filled(255) with ignore=255.",
    )


def _kind(value: Any) -> str:
    array = np.asarray(value)
    return f"{type(value).__name__} of {array.dtype}" if array.dtype != object else str(type(value))


def shape_of(array: Array) -> str:
    """Return a shape as people write it, ``8×3×224×224``."""
    return "×".join(str(size) for size in array.shape) or "a single number"


def integers(value: Any, count: int, what: str) -> npt.NDArray[np.int64]:
    """Return one whole number for each sample.

    Raises
    ------
    UsageProblem
        The length is wrong, or a value is not whole.
    """
    array = to_array(value, what)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or len(array) != count:
        raise UsageProblem(
            f"{what}: expected {count} labels, one a sample; saw an array of {shape_of(array)}."
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise UsageProblem(
            f"{what}: {int(np.isnan(array).sum()):,} labels are missing (NaN).",
            "Say -1 where a label is unknown, for example .fillna(-1).",
        )
    if array.dtype.kind == "f" and not np.array_equal(array, np.round(array)):
        raise UsageProblem(f"{what}: labels are whole numbers; saw {array.dtype} fractions.")
    return array.astype(np.int64)


def floats(value: Any, count: int, what: str) -> Array:
    """Return one number for each sample; float64 stays float64, all else is float32."""
    array = to_array(value, what)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or len(array) != count:
        raise UsageProblem(
            f"{what}: expected {count} numbers, one a sample; saw an array of {shape_of(array)}."
        )
    return array if array.dtype == np.float64 else array.astype(np.float32)
