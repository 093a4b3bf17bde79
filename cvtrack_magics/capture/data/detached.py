"""Copies of data sets to read in: their caches, counters and open files are not the user's."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MethodType
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.capture.data.shapes import is_array

_DEPTH = 4
_FEW = 50
_SMALL = 1 << 20
_PLAIN = (dict, list, set, bytearray)
_CACHE = re.compile(r"cache|memo", re.IGNORECASE)


def detached(value: Any, depth: int = _DEPTH) -> Any:
    """Return a copy of a data set in which reading leaves no trace, or itself if there is none.

    Parameters
    ----------
    value : Dataset
        What it holds in dicts and lists of its own, in small arrays and in numbers is copied,
        and so are the data sets that it holds; large arrays and open files are shared.
    """
    held = getattr(value, "__dict__", None)
    if not isinstance(held, dict):
        return value
    below = {name: _detached_in(item, depth - 1) for name, item in held.items()} if depth else {}
    made = remade(value, {name: item for name, item in below.items() if item is not None})
    return value if made is None else made


def remade(value: Any, changes: Mapping[str, Any]) -> Any | None:
    """Return a copy of an object with other attributes; ``None`` of what cannot be copied.

    What it does when it is thrown away, such as closing a file, is left out: the file is
    the user's.
    """
    try:
        made = copy.copy(value)
        if made is value:
            return None
        own = {name: _own(item, value, made) for name, item in value.__dict__.items()}
        made.__dict__.update({**own, **changes})
        if hasattr(type(value), "__del__"):
            made.__class__ = _lasting(type(value))
    except Exception:
        return None
    return made


def empty_caches(value: Any) -> dict[str, Any]:
    """Return an empty dict in place of each that is named as a cache, which holds old samples."""
    held = getattr(value, "__dict__", {})
    caches = (name for name, item in held.items() if isinstance(item, dict) and _CACHE.search(name))
    return {name: type(held[name])() for name in caches}


def in_epoch(value: Any, turn: int) -> Any:
    """Tell a copy that it is some epochs further, where it asks to be told, and return it."""
    if turn and callable(getattr(value, "set_epoch", None)):
        now = getattr(value, "epoch", 0)
        value.set_epoch((now if isinstance(now, int) else 0) + turn)
    return value


@contextmanager
def next_epoch(value: Any) -> Iterator[Any]:
    """Have a copy in its next epoch, where it counts them, and what it tells of them put back."""
    now = getattr(value, "__dict__", {}).get("epoch")
    tell = getattr(value, "set_epoch", None)
    if not isinstance(now, int) or not callable(tell):
        yield value
        return
    tell(now + 1)
    try:
        yield value
    finally:
        tell(now)


def _own(item: Any, value: Any, made: Any) -> Any:
    """Return what a copy holds in place of an attribute of the original."""
    if type(item) in _PLAIN or (isinstance(item, dict) and type(item).__module__ == "collections"):
        return copy.copy(item)
    if isinstance(item, MethodType) and item.__self__ is value:
        return MethodType(item.__func__, made)
    if is_array(item) and getattr(item, "nbytes", _SMALL) < _SMALL:
        return item.clone() if hasattr(item, "clone") else item.copy()
    if type(item).__name__ in ("DictProxy", "ListProxy"):  # of another process, as caches are
        return item.copy() if hasattr(item, "copy") else item[:]
    return item


def _lasting(kind: type) -> type:
    """Return a class that does nothing when an object of it is thrown away."""
    return type(kind.__name__, (kind,), {"__del__": lambda _: None, "__module__": kind.__module__})


def _detached_in(item: Any, depth: int) -> Any | None:
    """Return a detached copy of a data set, or of some in a list or dict; ``None`` of others."""
    if type(item) in (list, tuple) and 0 < len(item) <= _FEW:
        made = [_detached_in(each, depth) for each in item]
        if all(each is None for each in made):
            return None
        return type(item)(
            [old if new is None else new for old, new in zip(item, made, strict=True)]
        )
    if type(item) is dict and 0 < len(item) <= _FEW:
        named = {key: _detached_in(each, depth) for key, each in item.items()}
        if all(each is None for each in named.values()):
            return None
        return {key: item[key] if new is None else new for key, new in named.items()}
    return detached(item, depth) if _is_data_set(item) else None


def _is_data_set(item: Any) -> bool:
    """Say whether an object gives samples by index by code of torch's or the user's."""
    torch = loaded("torch")
    if torch is not None and isinstance(item, torch.utils.data.Dataset):
        return True
    get = inspect.getattr_static(type(item), "__getitem__", None)
    code = getattr(get, "__code__", None)
    return code is not None and not is_foreign(code.co_filename) and hasattr(type(item), "__len__")
