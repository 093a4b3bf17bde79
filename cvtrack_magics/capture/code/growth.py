"""Whether an object has changed in place: a mark of it that is taken in microseconds."""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import FunctionType, ModuleType
from typing import Any

from cvtrack_magics.capture.code.code_names import names_in
from cvtrack_magics.text import is_a, is_class

_WORD = re.compile(r"[^\W\d]\w*")
_CONTAINERS = (list, dict, set, deque)
_SAMPLED = 8
"""Parameters of a network that are looked at."""
_HELD = 200
"""Attributes of an object that are looked at."""


def mark_of(value: Any) -> object:
    """Return what is another one when an object has changed, or None where that cannot be told.

    Notes
    -----
    Of a list, dict or set it is the length; of a network a few of the weights that it learns; of
    an instance of the notebook's own class its numbers. What is written and is the same again has
    not changed.
    """
    kind = type(value)
    if kind in _CONTAINERS:
        return len(value)
    if _is_a(value, "torch.nn", "Module"):
        return tuple(_weights(value))
    if _is_a(value, "torch.optim.lr_scheduler", "LRScheduler"):
        return getattr(value, "last_epoch", None)
    if _is_a(value, "keras", "Model"):
        steps = getattr(getattr(value, "optimizer", None), "iterations", None)
        return None if steps is None else int(steps)
    if kind.__module__ == "__main__":
        return tuple(_numbers(vars(value))) if hasattr(value, "__dict__") else None
    return None


def is_trained(value: Any) -> bool:
    """Say whether a change of an object is that of weights."""
    return _is_a(value, "torch.nn", "Module") or _is_a(value, "keras", "Model")


def _weights(network: Any) -> Iterator[str]:
    """Yield the middle number of some parameters; what is spread over devices is left alone."""
    plain = sys.modules["torch.nn"].Parameter
    learnt = [one for one in network.parameters() if one.requires_grad]
    for one in learnt[:: max(1, len(learnt) // (_SAMPLED - 1))] + learnt[-1:]:
        if type(one) is plain and one.device.type != "meta" and one.numel():
            yield repr(one.detach()[tuple(size // 2 for size in one.shape)].item())


def _numbers(held: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in list(held.items())[:_HELD]:
        if type(value) in (int, float):
            yield name, value
        elif type(value) in _CONTAINERS:
            yield name, len(value)


def _is_a(value: Any, module: str, name: str) -> bool:
    """Say whether a value is of a library's class, without importing the library."""
    kind = getattr(sys.modules.get(module), name, None)
    return is_class(kind) and issubclass(type(value), kind)


def mentioned(source: str, names: Mapping[str, Any]) -> set[str]:
    """Return the names that a cell mentions, and those that the functions among them do."""
    found: set[str] = set()
    ahead = {word for word in _WORD.findall(source) if word in names}
    while ahead:
        name = ahead.pop()
        found.add(name)
        value = names[name]
        if type(value) is FunctionType and value.__module__ == "__main__":
            ahead |= {one for one in names_in(value.__code__) if one in names} - found
    return found


def marks_of(which: Iterable[str], names: Mapping[str, Any]) -> dict[str, tuple[int, object]]:
    """Return the identity and the mark of each name that has one."""
    found: dict[str, tuple[int, object]] = {}
    for name in which:
        value = names.get(name)
        if value is None or is_a(value, ModuleType, type, FunctionType):
            continue
        mark = None
        with suppress(Exception):  # an object may be half made
            mark = mark_of(value)
        if mark is not None:
            found[name] = id(value), mark
    return found


def grown(before: Mapping[str, tuple[int, object]], names: Mapping[str, Any]) -> frozenset[str]:
    """Return the names that are the same object as before, and it has changed."""
    now = marks_of(before, names)
    return frozenset(
        name
        for name, (which, mark) in before.items()
        if name in now and now[name][0] == which and now[name][1] != mark
    )
