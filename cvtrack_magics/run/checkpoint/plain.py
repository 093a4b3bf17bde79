"""Turns the state of a training into what ``torch.load(weights_only=True)`` reads, and back."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.text import kind_of

KIND, VALUE = "__kind__", "value"
"""A value that torch's reader does not know is a dict of its kind and a plain value."""

_SCALARS: tuple[Any, ...] = (bool, int, float, str, bytes, complex, type(None))
_BACK: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": lambda value: deque(value[0], value[1]),
    "Counter": lambda value: Counter(dict(value)),
    "pairs": dict,
    "int": int,
    "bytes": lambda value: value.numpy().tobytes(),
    "ndarray": lambda value: np.frombuffer(value[0], np.dtype(value[1])).reshape(value[2]).copy(),
    "scalar": lambda value: np.frombuffer(value[0], np.dtype(value[1]))[0],
}


def to_plain(value: Any, where: str, copy: Callable[[Any], Any]) -> Any:
    """Return a state as dicts, lists, numbers, text and tensors of its own.

    Parameters
    ----------
    value : object
        What ``state_dict()`` gave, or a part of it.
    where : str
        What it is called where it cannot be kept.
    copy : callable
        Copies a tensor, so that the training may go on.

    Raises
    ------
    UsageProblem
        A part of it is an object that could be kept by pickle only, which runs code when it is
        read.
    """
    if type(value) in _SCALARS:
        return _number(value)
    if _is_tensor(value):
        return copy(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return _array(value, where)
    if isinstance(value, (Mapping, list, tuple, set, frozenset, deque)):
        inner: Callable[..., Any] = _mapping if isinstance(value, Mapping) else _sequence
        return inner(value, where, copy)
    if isinstance(value, (int, float, str)):  # an enum of them
        kind = next(kind for kind in _SCALARS if isinstance(value, kind))
        return _number(kind.__new__(kind, value) if kind is not str else str.__str__(value))
    raise UsageProblem(
        f"{where} is {kind_of(value)}, which a checkpoint cannot keep without pickle.",
        "Leave it out, or let its state_dict() return numbers, text, lists, dicts and tensors.",
    )


def from_plain(value: Any) -> Any:
    """Return what :func:`to_plain` was given."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {KIND, VALUE}:
        return _BACK[value[KIND]](from_plain(value[VALUE]))
    found = type(value)() if type(value) is OrderedDict else {}
    found.update((key, from_plain(item)) for key, item in value.items())
    return found


def _kind(name: str, value: Any) -> dict[str, Any]:
    return {KIND: name, VALUE: value}


def _number(value: Any) -> Any:
    if isinstance(value, bytes):
        return _bytes(value)
    big = type(value) is int and value.bit_length() > 63
    return _kind("int", str(value)) if big else value


def _bytes(value: bytes) -> Any:
    import torch

    some = torch.frombuffer(bytearray(value or b"0"), dtype=torch.uint8)
    return _kind("bytes", some if value else some[:0].clone())


def _array(value: Any, where: str) -> Any:
    if value.dtype.hasobject:
        raise UsageProblem(
            f"{where} is an array of objects, which a checkpoint cannot keep.",
            "Give it a numeric dtype.",
        )
    if isinstance(value, np.generic):
        return _kind("scalar", [_bytes(value.tobytes()), value.dtype.str])
    return _kind("ndarray", [_bytes(value.tobytes()), value.dtype.str, list(value.shape)])


def _mapping(value: Mapping[Any, Any], where: str, copy: Callable[[Any], Any]) -> Any:
    items = [(key, to_plain(item, f"{where}[{key!r}]", copy)) for key, item in value.items()]
    if isinstance(value, Counter):
        return _kind("Counter", [list(item) for item in items])
    simple = all(type(key) in (str, int, float, bool) for key, _ in items)
    if not simple or set(value) == {KIND, VALUE}:
        keys = [to_plain(key, f"a key of {where}", copy) for key in value]
        return _kind("pairs", [list(pair) for pair in zip(keys, dict(items).values(), strict=True)])
    return OrderedDict(items) if isinstance(value, OrderedDict) else dict(items)


def _sequence(value: Any, where: str, copy: Callable[[Any], Any]) -> Any:
    items = [to_plain(item, f"{where}[{at}]", copy) for at, item in enumerate(value)]
    if isinstance(value, deque):
        return _kind("deque", [items, value.maxlen])
    if isinstance(value, list):
        return items
    kinds = {"tuple": tuple, "set": set, "frozenset": frozenset}
    return _kind(next(name for name, kind in kinds.items() if isinstance(value, kind)), items)


def _is_tensor(value: Any) -> bool:
    return any(
        one.__module__ == "torch" and one.__name__ == "Tensor" for one in type(value).__mro__
    )
