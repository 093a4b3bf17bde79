"""JSON by the library's own encoder, also where code has replaced ``json.dumps`` and its like."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_encode = json.JSONEncoder().encode
_decode = json.JSONDecoder().decode
_encoding = json.detect_encoding


def dumps(
    value: Any, *, sort_keys: bool = False, default: Callable[[Any], Any] | None = None
) -> str:
    """Return a value as JSON in one line."""
    if sort_keys or default is not None:
        return json.JSONEncoder(sort_keys=sort_keys, default=default).encode(value)
    return _encode(value)


def loads(text: str | bytes | bytearray) -> Any:
    """Return what JSON says; raises :class:`ValueError` where it is none."""
    return _decode(text if isinstance(text, str) else text.decode(_encoding(text), "surrogatepass"))
