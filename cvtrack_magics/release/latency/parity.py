"""Whether two runners say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from cvtrack_magics.release.latency.inputs import as_numpy, is_tensor
from cvtrack_magics.vision.arrays import Array, shape_of

_CLOSE = 1e-3  # of the largest value: float32 sums in another order differ by far less
_CLOSE_HALF = 3e-2  # float16 and bfloat16 carry 3 digits


def arrays(output: Any) -> list[Array]:
    """Return every tensor in a model's output, in order, as arrays off their device."""
    return [_array(value) for value in _tensors(output)]


def difference(reference: list[Array], other: list[Array], precision: str = "") -> str:
    """Say how two outputs differ, or ``""`` where they agree.

    Parameters
    ----------
    reference, other : list of array
        From :func:`arrays`. Those of floats agree within 0.1 % of the largest value of the
        reference (half precision: 3 %), all others exactly.
    precision : str
        The dtypes at work, such as ``float16``.
    """
    if len(reference) != len(other):
        return f"{len(other)} outputs instead of {len(reference)}"
    close = _CLOSE_HALF if "16" in precision else _CLOSE
    for place, (one, two) in enumerate(zip(reference, other, strict=True)):
        name = f"output {place + 1}"
        if one.shape != two.shape:
            return f"{name} is {shape_of(two)} instead of {shape_of(one)}"
        if not one.size:
            continue
        if one.dtype.kind != "f":
            if not np.array_equal(one, two):
                return f"{name}: {float(np.mean(one != two)):.1%} of the values differ"
            continue
        if not np.array_equal(np.isfinite(one), np.isfinite(two)):
            return f"{name} is not finite in other places"
        sure = np.isfinite(one)
        apart = float(np.abs(one[sure] - two[sure]).max(initial=0))
        scale = float(np.abs(one[sure]).max(initial=0))
        if apart > close * max(scale, 1e-6):
            return f"{name} is up to {apart:.2g} off, at values up to {scale:.2g}"
    return ""


def _tensors(output: Any) -> Iterator[Any]:
    if is_tensor(output):
        yield output
    elif isinstance(output, Mapping):
        for part in output.values():
            yield from _tensors(part)
    elif isinstance(output, (list, tuple)):
        for part in output:
            yield from _tensors(part)


def _array(value: Any) -> Array:
    if "bfloat16" in str(value.dtype):
        value = value.float()
    found: Array = as_numpy(value)
    return found.astype(np.float64) if found.dtype.kind == "f" else found
