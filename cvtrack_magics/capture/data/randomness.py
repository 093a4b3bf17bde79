"""Whether reading a sample asks for random numbers, and the samples below random transforms."""

from __future__ import annotations

import copy
import functools
import hashlib
import pickle
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.data.detached import empty_caches, remade
from cvtrack_magics.capture.data.generator_state import set_state, state_of
from cvtrack_magics.capture.params.transforms import is_transform

_DEPTH = 8
_MOST = 4000
_FEW = 50
_TRANSFORMS = (
    *("transform", "transforms", "augment", "augmentation", "augmentations", "aug"),
    *("preprocess", "target_transform", "image_transform", "img_transform", "joint_transform"),
)


def generators_in(*values: object) -> list[Any]:
    """Return the random generators that some objects hold, at any depth that is usual."""
    found: list[Any] = []
    seen: set[int] = set()
    stack = deque((value, 0) for value in values)
    while stack and len(seen) < _MOST:
        value, depth = stack.popleft()
        if id(value) in seen or depth > _DEPTH:
            continue
        seen.add(id(value))
        if is_generator(value):
            found.append(value)
        else:
            stack.extend((item, depth + 1) for item in _held(value))
    return found


def is_generator(value: object) -> bool:
    """Say whether a value is a random generator, which has state but no settings."""
    if isinstance(value, random.Random):
        return True
    kind = type(value)
    return (kind.__module__.partition(".")[0], kind.__name__) in {
        ("numpy", "Generator"),
        ("numpy", "RandomState"),
        ("torch", "Generator"),
    }


def _held(value: Any) -> list[Any]:
    if isinstance(value, (str, bytes, int, float, type, ModuleType)) or hasattr(value, "__array__"):
        return []
    if isinstance(value, (list, tuple)):
        return list(value[:200]) if len(value) <= _MOST else []
    if isinstance(value, dict):
        return list(value.values())[:200]
    if isinstance(value, (FunctionType, MethodType, BuiltinMethodType, functools.partial)):
        return _of_call(value)
    getitem = getattr(type(value), "__getitem__", None)
    call = vars(type(value)).get("__call__")
    own = [f for f in (getitem, call) if isinstance(f, FunctionType)]
    return [*getattr(value, "__dict__", {}).values(), *own]


def _of_call(value: Any) -> list[Any]:
    """Return what a function is made of: its closure and defaults, or whose method it is."""
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, BuiltinMethodType):  # random.Random(0).random
        return [value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    cells = [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
    names = value.__code__.co_names
    named = (value.__globals__[n] for n in names if n in value.__globals__)
    return [*cells, *(value.__defaults__ or ()), *named]


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _global_states() -> list[tuple[Callable[[Any], Any], Any]]:
    numpy, torch = loaded("numpy"), loaded("torch")
    found: list[tuple[Callable[[Any], Any], Any]] = [(random.setstate, random.getstate())]
    if numpy is not None:
        found.append((numpy.random.set_state, numpy.random.get_state()))
    if torch is not None:
        found.append((torch.set_rng_state, torch.get_rng_state()))
    return found


@contextmanager
def generators_kept(*values: object) -> Iterator[Callable[[], bool]]:
    """Put random generators back: the user's training must not notice that we read.

    Parameters
    ----------
    *values : object
        Objects whose own generators are kept too, beside the global ones.

    Yields
    ------
    callable
        Says whether any of them has been asked for a number since.
    """
    held = [(generator, copy.deepcopy(state_of(generator))) for generator in _own(values)]
    before = _global_states()
    mark = _mark(values)
    try:
        yield lambda: _mark(values) != mark
    finally:
        for generator, state in held:
            set_state(generator, state)
        for put, state in before:
            put(state)


def _own(values: tuple[object, ...]) -> list[Any]:
    return [g for g in generators_in(*values) if not isinstance(g, random.SystemRandom)]


def _mark(values: tuple[object, ...]) -> str:
    whole = hashlib.sha256()
    for state in [s for _, s in _global_states()] + [state_of(g) for g in _own(values)]:
        plain = state.numpy().tobytes() if hasattr(state, "numpy") else pickle.dumps(state)
        whole.update(plain)
    return whole.hexdigest()


def _as_it_is(*values: Any, **named: Any) -> Any:
    return named or (values[0] if len(values) == 1 else values)


def without_transforms(value: Any, depth: int = 4, *, emptied: bool = False) -> Any | None:
    """Return a copy of a data set that leaves its transforms out; ``None`` if it has none.

    Those of the data sets that it holds are left out too. With ``emptied``, samples that its
    caches keep from before are left out as well: they went through the transforms.
    """
    if getattr(value, "_format_type", "") == "custom" and hasattr(value, "with_format"):
        return value.with_format(None)  # of Hugging Face, whose transform is its format
    own = getattr(value, "__dict__", {})
    names = [
        name
        for name, item in own.items()
        if (name in _TRANSFORMS and callable(item)) or is_transform(item)
    ]
    changes: dict[str, Any] = dict.fromkeys(names, _as_it_is)
    for name, item in own.items() if depth else ():
        below = None if name in names else _below(item, depth - 1, emptied)
        if below is not None:
            changes[name] = below
    if not changes:
        return None
    return remade(value, {**empty_caches(value), **changes} if emptied else changes)


def _below(item: Any, depth: int, emptied: bool) -> Any | None:
    """Return a data set, or a list or dict of some, without transforms; ``None`` of others."""
    if isinstance(item, (list, tuple)) and 0 < len(item) <= _FEW:
        made = [_below(each, depth, emptied) for each in item]
        if all(each is None for each in made):
            return None
        return type(item)(
            [old if new is None else new for old, new in zip(item, made, strict=True)]
        )
    if isinstance(item, dict) and 0 < len(item) <= _FEW:
        named = {key: _below(each, depth, emptied) for key, each in item.items()}
        if all(each is None for each in named.values()):
            return None
        return {key: item[key] if new is None else new for key, new in named.items()}
    kind = type(item)
    sized = hasattr(kind, "__getitem__") and hasattr(kind, "__len__")
    if not sized or kind.__module__ == "builtins" or hasattr(item, "__array__"):
        return None
    return without_transforms(item, depth, emptied=emptied)
