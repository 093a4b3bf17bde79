"""Outputs of a model beside those of its export, in numbers and in decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.release.export.detections import DETECTION, compared_detections
from cvtrack_magics.release.export.facts import Check, Tolerance

Array = npt.NDArray[Any]
_BY_PRECISION = {  # of the coarsest type that takes part
    "float64": Tolerance(1e-5, 1e-7),
    "float32": Tolerance(1e-3, 1e-4),
    "float16": Tolerance(2e-2, 1e-2),
    "bfloat16": Tolerance(5e-2, 5e-2),
}


def tolerance_of(tensors: Sequence[Any], rtol: float | None, atol: float | None) -> Tolerance:
    """Return the tolerance for the coarsest floating type of these tensors."""
    kinds = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors}
    known = [tolerance for kind, tolerance in _BY_PRECISION.items() if kind in kinds]
    usual = known[-1] if known else _BY_PRECISION["float32"]
    return Tolerance(
        usual.rtol if rtol is None else float(rtol), usual.atol if atol is None else float(atol)
    )


def as_array(value: Any) -> Array:
    """Return a tensor or array as a numpy array; floats narrower than 32 bits are widened."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float32) if value.dtype.name == "bfloat16" else value
    if value.is_quantized:
        value = value.dequantize()
    narrow = value.is_floating_point() and value.element_size() < 4
    array: Array = (value.float() if narrow else value).detach().cpu().numpy()
    return array


def compared(
    case: str,
    names: Sequence[str],
    wanted: Sequence[Array],
    found: Sequence[Array],
    tolerance: Tolerance,
) -> list[Check]:
    """Compare all outputs of one case.

    Parameters
    ----------
    case : str
        What the inputs were.
    names : sequence of str
        Of the outputs.
    wanted, found : sequence of array
        Of the model and of its export.
    tolerance : Tolerance
        How far apart floats may be; integers and booleans must be equal.

    Returns
    -------
    list of Check
        One for each output; the boxes, labels, scores … of one image are one.
    """
    if len(wanted) != len(found):
        what = f"{len(found)} outputs instead of {len(wanted)}"
        return [Check(case, "all outputs", (), float("nan"), float("nan"), None, False, what)]
    checks: list[Check] = []
    rest = dict.fromkeys(range(len(names)))
    for group in detection_groups(names):
        if not all(_of_one_image(group, side) for side in (wanted, found)):
            continue
        image, other = ({key: side[at] for key, at in group.items()} for side in (wanted, found))
        checks.append(compared_detections(case, ", ".join(group), image, other, tolerance))
        for at in group.values():
            del rest[at]
    checks += [compared_output(case, names[at], wanted[at], found[at], tolerance) for at in rest]
    return checks


def _of_one_image(group: Mapping[str, int], side: Sequence[Array]) -> bool:
    """Say whether boxes are M×4 with a label and a score each: a batch is B×M×4."""
    boxes = side[group["boxes"]]
    lists = [side[group[key]].shape for key in ("labels", "scores")]
    return boxes.ndim == 2 and boxes.shape[1] == 4 and lists == [boxes.shape[:1]] * 2


def detection_groups(names: Sequence[str]) -> list[dict[str, int]]:
    """Return, for each image of a detector's outputs, where its boxes, labels … are."""
    groups: dict[str, dict[str, int]] = {}
    for at, name in enumerate(names):
        before, _, key = name.rpartition("_")
        groups.setdefault(before, {})[key] = at
    return [group for group in groups.values() if set(group) >= DETECTION]


def compared_output(
    case: str, name: str, wanted: Array, found: Array, tolerance: Tolerance
) -> Check:
    """Compare one output."""
    shape = tuple(wanted.shape)
    nothing = float("nan")
    if shape != tuple(found.shape):
        note = f"the shape is {tuple(found.shape)} instead of {shape}"
        return Check(case, name, shape, nothing, nothing, None, False, note)
    if wanted.dtype.kind != found.dtype.kind:
        note = f"the type is {found.dtype} instead of {wanted.dtype}"
        return Check(case, name, shape, nothing, nothing, None, False, note)
    if wanted.size == 0:
        return Check(case, name, shape, 0.0, 0.0, None, True, "empty")
    if wanted.dtype.kind not in "fc":
        same = wanted == found
        off = np.abs(wanted.astype(np.float64) - found.astype(np.float64))
        share = float(same.mean())
        return Check(
            case, name, shape, float(off.max()), _relative(wanted, off), share, bool(same.all())
        )
    return _compared_floats(case, name, wanted, found, tolerance)


def _compared_floats(
    case: str, name: str, wanted: Array, found: Array, tolerance: Tolerance
) -> Check:
    shape = tuple(wanted.shape)
    if np.isnan(wanted).any() or np.isnan(found).any():
        who = "both give" if np.isnan(wanted).any() else "the export gives"
        none = float("nan")
        return Check(case, name, shape, none, none, None, False, f"{who} NaN")
    exact = wanted.astype(np.complex128 if wanted.dtype.kind == "c" else np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.where(wanted == found, 0.0, np.abs(exact - found))  # inf equals inf
    size = np.abs(exact)
    finite = size[np.isfinite(size)]
    scale = max(1.0, float(finite.max(initial=0.0)))
    slack = tolerance.atol * scale
    near = off <= slack + tolerance.rtol * np.where(np.isfinite(size), size, 0.0)
    agreement = _same_class(exact, found, slack)
    return Check(
        case,
        name,
        shape,
        float(off.max()),
        _relative(exact, off),
        agreement,
        bool(near.all()) and agreement in (None, 1.0),
    )


def _relative(wanted: Array, off: Array) -> float:
    """Return the largest difference by magnitude, the mean magnitude being the least."""
    size = (
        np.abs(wanted.astype(np.complex128))
        if wanted.dtype.kind == "c"
        else np.abs(wanted.astype(np.float64))
    )
    finite = size[np.isfinite(size)]
    least = float(finite.mean()) if finite.size else 0.0
    share = off / np.maximum(size, least if least > 0 else 1.0)
    return float(np.nan_to_num(share, nan=0.0).max())


def _same_class(wanted: Array, found: Array, slack: float) -> float | None:
    """Return the share of places with the same class of highest score; axis 1 are the classes.

    Where the model's scores of both classes are a tie within the tolerance, either is right.
    """
    if wanted.ndim not in (2, 4, 5) or wanted.shape[1] < 2 or wanted.dtype.kind == "c":
        return None
    chosen = np.expand_dims(found.argmax(axis=1), 1)
    best = wanted.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        lost = best - np.take_along_axis(wanted, chosen, axis=1)
    return float((np.nan_to_num(lost, nan=0.0) <= 2 * slack).mean())
