"""Turns any Python value into the short, safe text of a parameter."""

from __future__ import annotations

import array
import datetime
import enum
import functools
import itertools
import json
import numbers
import os
import re
import types
from collections import UserDict, UserList, deque
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from pathlib import PurePath
from typing import Any

from cvtrack_magics.artifacts.paths import LONG_PARAMS
from cvtrack_magics.records import Artifact, Param
from cvtrack_magics.redact import redact
from cvtrack_magics.secrets import looks_secret
from cvtrack_magics.secrets.stored import stored_key
from cvtrack_magics.text import kind_of

__all__ = ["HIDDEN", "hide_tokens", "looks_secret", "make_param", "plain_value", "value_text"]

VALUE_LIMIT = 500
MOST = 1_000_000
"""Items in all that are taken of one value, at any depth."""
HIDDEN = "***"

_LEVELS = 8
_PER_ITEM = 50  # characters
_MOST_SHOWN = 10_000  # items in all, of a container that Python itself shows
_MOST_SHOWN_LEVELS = 100
_LONGEST_INT = 10_000  # bits; Python refuses to write one of many more
_CONTAINERS = (list, tuple, set, frozenset, dict)
_SHOWN = (
    *(deque, UserDict, UserList, types.MappingProxyType, array.array),
    *(KeysView, ItemsView, ValuesView),
)

_ADDRESS = re.compile(r" (?:object )?at 0x[0-9A-Fa-f]+")


def hide_tokens(text: str) -> str:
    """Remove URL credentials and well-known access tokens from a text."""
    return redact(text)


def is_scalar(value: object) -> bool:
    """Say whether a value is one number, text, flag, path, enum member or ``None``."""
    return value is None or isinstance(
        value, (str, bool, numbers.Number, enum.Enum, PurePath, datetime.date)
    )


class _Room:
    """What may still be taken of one value: items, and text as ``_PER_ITEM`` says."""

    def __init__(self, left: int = MOST) -> None:
        self.left = left

    def take(self, count: int) -> bool:
        """Whether there is room for so many items; it is then taken."""
        fits = count <= self.left
        self.left -= count if fits else 0
        return fits


def plain_value(  # noqa: PLR0911
    value: object, depth: int = 0, room: _Room | None = None
) -> object:
    """Return a JSON-ready equivalent of a value, with no memory address in it.

    Parameters
    ----------
    value : object
        Arrays and tensors of at most 64 elements become lists; larger ones a word
        such as ``array(shape=(3, 224, 224), dtype=float32)``. A container for which there
        is no room becomes a word such as ``list(len=3000000)``.
    depth : int
        Nesting so far; beyond 8 levels a text stands for the rest.
    room : _Room, optional
        What is left of the ``MOST`` items of the whole value; what stands in it several
        times counts as often.
    """
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str) else value.name
    if value is None or type(value) in (str, bool, float):
        return value
    if type(value) is int:
        return (
            value if value.bit_length() <= _LONGEST_INT else _sized("int", bits=value.bit_length())
        )
    room = room or _Room()
    if isinstance(value, _CONTAINERS):
        return _plain_container(value, depth, room)
    if callable(getattr(value, "tolist", None)) and hasattr(value, "dtype"):
        return _array_value(value, depth, room)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, range) or type(value).__module__ == "torch":
        return str(value)  # torch.float32, cuda:0
    return object_text(value, depth, room)


def _plain_container(value: Any, depth: int, room: _Room) -> object:
    if depth >= _LEVELS:
        return _shown(value, room)
    if not room.take(len(value)):
        return _sized(kind_of(value), len=len(value))
    count = len(value)  # a class of its own may give items without end
    if isinstance(value, dict):
        pairs = itertools.islice(value.items(), count)
        return {_item(str(k), depth, room): _item(v, depth, room) for k, v in pairs}
    items = [_item(item, depth, room) for item in itertools.islice(value, count)]
    return sorted(items, key=str) if isinstance(value, (set, frozenset)) else items


def _item(value: object, depth: int, room: _Room) -> Any:
    plain = plain_value(value, depth + 1, room)
    if type(plain) is str and len(plain) >= _PER_ITEM and not room.take(len(plain) // _PER_ITEM):
        return _sized("str", len=len(plain))
    return plain


def _sized(kind: str, **sizes: int) -> str:
    return f"{kind}({', '.join(f'{name}={size}' for name, size in sizes.items())})"


def _array_value(value: Any, depth: int, room: _Room) -> object:
    shape = tuple(getattr(value, "shape", ()))
    count = functools.reduce(lambda a, b: a * int(b), shape, 1)
    if count <= 64 and depth <= _LEVELS:  # an array of objects may hold itself
        return plain_value(value.tolist(), depth + 1, room)
    kind = "tensor" if type(value).__module__.startswith("torch") else "array"
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    return f"{kind}(shape={shape}, dtype={dtype})"


def object_text(  # noqa: PLR0911
    value: object, depth: int = 0, room: _Room | None = None
) -> str:
    """Return a short stable text for any object: its repr when that says something.

    Classes and functions give their dotted name, ``functools.partial`` the function
    and its arguments, other objects their own repr without memory addresses, or the
    class name when the repr is only the default one.
    """
    if isinstance(value, os.PathLike):
        return os.fspath(value) if isinstance(os.fspath(value), str) else repr(value)
    if isinstance(value, (bytes, bytearray)):
        return f"bytes({len(value)})"
    if isinstance(value, functools.partial):
        return _partial_text(value, depth, room or _Room())
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        name = str(getattr(value, "__qualname__", ""))
        module = str(getattr(value, "__module__", "") or "")
        plain = not module or module in ("builtins", "__main__")
        return name if plain else f"{module}.{name}"
    if type(value).__repr__ is object.__repr__:
        return type(value).__name__
    if isinstance(value, _SHOWN):
        return _shown(value, room or _Room())
    return _repr(value)


def _partial_text(value: functools.partial[Any], depth: int, room: _Room) -> str:
    if depth >= _LEVELS or not (room.take(len(value.args) + len(value.keywords))):
        return "partial(…)"
    inside = [object_text(value.func, depth + 1, room)]
    inside += [str(_item(item, depth, room)) for item in value.args]
    inside += [f"{k}={_item(v, depth, room)}" for k, v in value.keywords.items()]
    return f"partial({', '.join(inside)})"


def _repr(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # a broken __repr__ of the user's object must not stop the run
        return type(value).__name__
    return _ADDRESS.sub("", text)


def _shown(value: Any, room: _Room) -> str:
    """Return the repr of a container, or its length where the repr could fill memory."""
    most = min(room.left, _MOST_SHOWN)
    inside = _Room(most)
    fits = _fits(value, inside)
    room.left -= most - inside.left
    return _repr(value) if fits else _sized(kind_of(value), len=len(value))


def _fits(value: object, room: _Room) -> bool:
    stack: list[Iterator[object]] = [iter((value,))]
    while stack and len(stack) <= _MOST_SHOWN_LEVELS:
        for item in stack[-1]:
            text = len(item) // _PER_ITEM if isinstance(item, (str, bytes)) else 0
            if not room.take(1 + text):
                return False
            if isinstance(item, (*_CONTAINERS, *_SHOWN)):
                stack.append(_inside(item))
                break
        else:
            stack.pop()
    return not stack


def _inside(value: Any) -> Iterator[object]:
    pairs = isinstance(value, Mapping)
    return itertools.chain.from_iterable(value.items()) if pairs else iter(value)


def value_text(value: object) -> str:
    """Return the text of a parameter value, credentials removed.

    Lists, tuples, sets and dicts become JSON; floats keep all their digits.
    """
    plain = plain_value(value)
    if isinstance(plain, (list, dict)):
        return hide_tokens(json.dumps(plain, ensure_ascii=False, default=str))
    return hide_tokens(str(plain))


def make_param(key: str, value: object) -> list[Param | Artifact]:
    """Return one parameter, and its full value as an artifact when it is too long.

    Parameters
    ----------
    key : str
        Dotted name; made safe here.
    value : object
        Any value; ``***`` is recorded when the name looks secret.

    Returns
    -------
    list of Param and Artifact
        Values over 500 characters end in ``…``; the whole is ``params/<key>.txt``.
    """
    name = stored_key(key)
    text = HIDDEN if looks_secret(key, value) else value_text(value)
    if len(text) <= VALUE_LIMIT:
        return [Param(name, text)]
    return [
        Param(name, text[: VALUE_LIMIT - 1] + "…"),
        Artifact(f"{LONG_PARAMS}/{name}.txt", content=text),
    ]
