"""What counts as a number and as a step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.integers import MAX_STEP, read_whole
from cvtrack_magics.secrets.escape import printable


def as_number(key: str, value: Any) -> Any:
    """Return a float, or a detached copy of a tensor that lives on a device.

    A device tensor is copied on its own stream instead of being read, because reading
    it would make the training loop wait for the device. It is read later, by another
    thread. One masked value (``numpy.ma``) and pandas' NA and NaT are NaN, never what lies
    under the mask.
    """
    kind = type(value)
    if kind is float:
        return value
    raised: Exception | None = None
    if _is_missing(value):
        return math.nan
    if getattr(value, "is_cuda", False) or getattr(value, "is_mps", False):
        if value.numel() == 1:
            return value.detach().clone()
    elif not isinstance(value, (str, bytes)):
        item = getattr(value, "item", None)  # float() of a tensor that needs a gradient warns
        try:
            return float(value if item is None else item())
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raised = error
    shape = getattr(value, "shape", None)
    seen = f"{kind.__name__} of shape {tuple(shape)}" if shape is not None else kind.__name__
    raise UsageProblem(
        f"Metric {key!r} is a {seen}, not one number.",
        "Log a number, a NumPy scalar or a 0-d tensor, for example loss.mean().",
    ) from raised


def _is_missing(value: Any) -> bool:
    """Whether this is one masked value, pandas' NA or NaT, or an array of one of them."""
    if isinstance(value, np.ma.MaskedArray):
        return value.size == 1 and bool(np.ma.getmaskarray(value).all())
    if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        return _is_missing(value.item())
    return type(value).__name__ in ("NAType", "NaTType")


def as_name(key: Any) -> str:
    """Return a metric's name; :class:`UsageProblem` when it is no text."""
    if isinstance(key, str) and key:
        return printable(key)
    raise UsageProblem(
        f"{key!r} is not a metric's name.", "Give text, for example log({'val/acc': 0.97})."
    )


def as_step(step: Any) -> int:
    """Return a step as a Python integer; :class:`UsageProblem` when it is none.

    Whole numbers of any type are steps: Python's, NumPy's and PyTorch's integers and floats,
    ``Decimal``, ``Fraction`` and 0-d arrays.
    """
    number: int | None = None
    raised: Exception | None = None
    if type(step) is int:
        number = step
    else:
        try:
            number = read_whole(step)
        except Exception as error:
            raised = error
    if number is None or not -MAX_STEP < number < MAX_STEP:
        raise UsageProblem(
            f"step={step!r} is not a step.", "Give a whole number, for example step=epoch."
        ) from raised
    return number
