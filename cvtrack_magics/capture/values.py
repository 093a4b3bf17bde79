"""Turns any Python value into the short, safe text of a parameter."""

from __future__ import annotations

import datetime
import enum
import functools
import json
import numbers
import os
import re
from pathlib import PurePath

from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Param
from cvtrack_magics.redact import redact
from cvtrack_magics.secrets import looks_secret

__all__ = ["HIDDEN", "hide_tokens", "looks_secret", "make_param", "plain_value", "value_text"]

VALUE_LIMIT = 500
HIDDEN = "***"

_ADDRESS = re.compile(r" (?:object )?at 0x[0-9A-Fa-f]+")


def hide_tokens(text: str) -> str:
    """Remove URL credentials and well-known access tokens from a text."""
    return redact(text)


def is_scalar(value: object) -> bool:
    """Say whether a value is one number, text, flag, path, enum member or ``None``."""
    return value is None or isinstance(
        value, (str, bool, numbers.Number, enum.Enum, PurePath, datetime.date)
    )


def plain_value(value: object, depth: int = 0) -> object:  # noqa: PLR0911
    """Return a JSON-ready equivalent of a value, with no memory address in it.

    Parameters
    ----------
    value : object
        Arrays and tensors of at most 64 elements become lists; larger ones a word
        such as ``array(shape=(3, 224, 224), dtype=float32)``.
    depth : int
        Nesting so far; beyond 8 levels a text stands for the rest.
    """
    if isinstance(value, enum.Enum):
        return value.value if isinstance(value.value, str) else value.name
    if value is None or type(value) in (str, bool, int, float):
        return value
    if isinstance(value, (list, tuple, set, frozenset)) and depth < 8:
        items = [plain_value(item, depth + 1) for item in value]
        return sorted(items, key=str) if isinstance(value, (set, frozenset)) else items
    if isinstance(value, dict) and depth < 8:
        return {str(k): plain_value(v, depth + 1) for k, v in value.items()}
    if callable(getattr(value, "tolist", None)) and hasattr(value, "dtype"):
        return _array_value(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, range) or type(value).__module__ == "torch":
        return str(value)  # torch.float32, cuda:0
    return object_text(value)


def _array_value(value: object) -> object:
    shape = tuple(getattr(value, "shape", ()))
    count = functools.reduce(lambda a, b: a * int(b), shape, 1)
    if count <= 64:
        return plain_value(value.tolist())  # type: ignore[attr-defined]
    kind = "tensor" if type(value).__module__.startswith("torch") else "array"
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    return f"{kind}(shape={shape}, dtype={dtype})"


def object_text(value: object) -> str:  # noqa: PLR0911
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
        inside = [object_text(value.func)]
        inside += [str(plain_value(item)) for item in value.args]
        inside += [f"{k}={plain_value(v)}" for k, v in value.keywords.items()]
        return f"partial({', '.join(inside)})"
    if isinstance(value, type) or hasattr(value, "__qualname__"):
        name = str(getattr(value, "__qualname__", ""))
        module = str(getattr(value, "__module__", "") or "")
        plain = not module or module in ("builtins", "__main__")
        return name if plain else f"{module}.{name}"
    if type(value).__repr__ is object.__repr__:
        return type(value).__name__
    try:
        text = repr(value)
    except Exception:  # a broken __repr__ of the user's object must not stop the run
        return type(value).__name__
    return _ADDRESS.sub("", text)


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
    name = safe_key(key)
    text = HIDDEN if looks_secret(key, value) else value_text(value)
    if len(text) <= VALUE_LIMIT:
        return [Param(name, text)]
    return [
        Param(name, text[: VALUE_LIMIT - 1] + "…"),
        Artifact(f"params/{name}.txt", content=text),
    ]
