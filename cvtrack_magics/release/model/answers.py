"""What a model answers with, described for its signature."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem


def outputs(
    predicted: Any, *, free_size: bool
) -> tuple[tuple[Mapping[str, Any], ...], tuple[str, ...]]:
    """Return what serving gives, described from a real answer."""
    if isinstance(predicted, np.ndarray):
        return (_tensor("", predicted, free_size),), ()
    if isinstance(predicted, Mapping) and all(
        isinstance(value, np.ndarray) for value in predicted.values()
    ):
        return tuple(_tensor(name, value, free_size) for name, value in predicted.items()), ()
    if isinstance(predicted, list) and predicted and isinstance(predicted[0], Mapping):
        return tuple(
            {"kind": "column", "name": str(name), "type": _type_of(_fullest(predicted, name))}
            for name in predicted[0]
        ), ()
    try:
        json.dumps(predicted, default=_as_json)
    except TypeError as error:
        raise UsageProblem(
            f"post returns a {type(predicted).__name__}, which serving cannot answer with.",
            "Return tensors, arrays, or lists and dicts of numbers and text.",
        ) from error
    return (), ("The signature says nothing of the output, which is a nested list.",)


def _as_json(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(type(value).__name__)


def _tensor(name: str, value: Any, free_size: bool) -> Mapping[str, Any]:
    shape = [-1, *map(int, value.shape[1:])] if value.ndim else [-1]
    if free_size and len(shape) > 2:
        shape[-2:] = [-1, -1]
    return {"kind": "tensor", "name": name, "dtype": str(value.dtype), "shape": shape}


def _fullest(predicted: list[Any], name: str) -> Any:
    """Return a value of one column, not an empty list where another sample has a full one."""
    values = [one[name] for one in predicted if name in one]
    return next((v for v in values if not isinstance(v, (list, np.ndarray)) or len(v)), values[0])


def _type_of(value: Any) -> str:
    """Return the type of a column's values: a word, with ``[]`` for each list around it."""
    inside, depth = value, 0
    while isinstance(inside, (list, tuple, np.ndarray)):
        depth += 1
        inside = inside[0] if len(inside) else 0.0
    word = "string" if isinstance(inside, str) else "double"
    if isinstance(inside, (bool, int, np.integer)):
        word = "long"
    return word + "[]" * depth


def doubts(description: Mapping[str, Any], predicted: Any) -> tuple[str, ...]:
    """Return what looks like a mistake."""
    steps = [step.get("step") for step in description["post"]]
    if isinstance(predicted, list) and predicted and ("labels" in steps or "top" in steps):
        first = predicted[0][0] if isinstance(predicted[0], list) else predicted[0]
        if not 0 <= first.get("score", 0.0) <= 1:
            return ("The scores are no probabilities: put softmax before the labels.",)
    return ()
