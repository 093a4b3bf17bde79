"""What stands for the content of objects that are no arrays, texts, numbers or lists of them."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import io
import os
from array import array as packed_array
from collections import deque
from collections.abc import ItemsView, KeysView, ValuesView
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from cvtrack_magics.text import utf8

_VIEWS = (range, deque, KeysView, ValuesView, ItemsView)
_WORDS = (datetime.timedelta, UUID)


def opened(value: Any) -> Any:
    """Return what stands for the content of a range, record, frame or open file."""
    if isinstance(value, (memoryview, packed_array)):
        return bytes(value)
    inside = inside_of(value)
    word = _word(value) if inside is None else inside
    if word is not None:
        return word
    if isinstance(value, io.IOBase):
        content = content_of_file(value)
        return value if content is None else content
    for name in ("to_ndarray", "as_py"):  # a frame of a video, a value of Arrow
        if hasattr(value, name):
            return getattr(value, name)()
    return value


def inside_of(value: Any) -> list[Any] | dict[str, Any] | None:
    """Return the items of a view or queue, the fields of a record of any library; else None."""
    kind = type(value)
    if isinstance(value, _VIEWS):
        return list(value)
    if isinstance(value, type):
        return None
    if isinstance(value, SimpleNamespace):
        return dict(vars(value))
    fields: Any = getattr(kind, "__struct_fields__", None) or getattr(kind, "model_fields", None)
    if dataclasses.is_dataclass(value):
        fields = [item.name for item in dataclasses.fields(value)]
    elif fields is None and hasattr(kind, "__attrs_attrs__"):
        fields = [item.name for item in kind.__attrs_attrs__]
    return None if fields is None else {name: getattr(value, name) for name in fields}


def _word(value: Any) -> str | None:
    kind = type(value)
    if isinstance(value, enum.Enum) and not isinstance(value, (str, int, float)):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    of_torch = kind.__module__ == "torch" and kind.__name__ in ("dtype", "device")
    if isinstance(value, _WORDS) or of_torch:
        return f"{kind.__name__} {value}"
    return None


def content_of_file(value: Any) -> bytes | None:
    """Return all bytes of an open file, its place put back; ``None`` of what cannot go back."""
    try:
        if not (value.readable() and value.seekable()):
            return None
        place = value.tell()
        try:
            value.seek(0)
            data = value.read()
        finally:
            value.seek(place)
    except (OSError, ValueError):
        return None
    return utf8(data) if isinstance(data, str) else bytes(data)
