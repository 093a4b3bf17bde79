"""Writes a file of facts as JSON, and reads it strictly: the one place that does.

JSON that is not what the dataclass says is refused with the file and the field. Fields that are
not there have their default, so files of earlier releases read; those that a later release has
added are left alone.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.plainjson import loads
from cvtrack_magics.text import text_of

_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `(?:key in )?\$\.?(?P<field>.*)`)?$", re.DOTALL)
_DEEPEST = 64


class Facts(Protocol):
    """A frozen dataclass that is one file.

    ``SCHEMA`` grows where old readers would misread it; 0 where the layout is somebody else's,
    who would not know the word. ``KEYS`` has the keys of the file that are no names of fields.
    """

    SCHEMA: ClassVar[int]
    __dataclass_fields__: ClassVar[dict[str, Any]]


T = TypeVar("T", bound=Facts)


def written(facts: Facts, indent: int | None = 1) -> str:
    """Return a file's content; a number that is not finite is ``null``.

    Parameters
    ----------
    facts : dataclass
        One of :mod:`cvtrack_magics.artifacts`.
    indent : int or None
        None for a long table, in one line.

    Returns
    -------
    str
        JSON: ``schema`` where the layout is ours to count, then the fields in order.
    """
    counted = {"schema": type(facts).SCHEMA} if type(facts).SCHEMA else {}
    content = {**counted, **plain(facts)}
    return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def read(kind: type[T], path: str, text: str | bytes) -> T:
    """Return what a file says.

    Parameters
    ----------
    kind : type
        The dataclass of the file.
    path : str
        The file's name, for the error.
    text : str or bytes
        Its content; of a store, so anything.

    Raises
    ------
    UnreadableArtifact
        It is no JSON object, was written by a later release in another way, or a field is
        not what it should be.
    """
    try:
        content = loads(text)
    except (ValueError, RecursionError):
        raise UnreadableArtifact(path, "", "is no JSON") from None
    return read_object(kind, path, content)


def read_from(texts: Mapping[str, str], kind: type[T], path: str) -> T | None:
    """Return what a file among those of a run says; None where it is not there.

    Parameters
    ----------
    texts : mapping of str to str
        The run's texts by path.
    kind, path : type, str
        As in :func:`read`, which raises what this does.
    """
    text = texts.get(path)
    return None if text is None else read(kind, path, text)


def read_object(kind: type[T], path: str, content: Any) -> T:
    """Return what the object of a file says; see :func:`read`."""
    import msgspec

    if not isinstance(content, Mapping):
        raise UnreadableArtifact(path, "", "is no JSON object")
    schema = content.get(getattr(kind, "SCHEMA_KEY", "schema"), 1)
    if not isinstance(schema, int) or schema > max(1, kind.SCHEMA):
        reads = f"this release reads up to {kind.SCHEMA}"
        raise UnreadableArtifact(path, "schema", f"is {text_of(schema)}, and {reads}")
    keys = getattr(kind, "KEYS", {})
    known = {name: content[key] for name, key in keys.items() if key in content}
    try:
        return msgspec.convert({**content, **known}, type=kind)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        field, what = ("", str(error)) if found is None else (found["field"] or "", found["what"])
        raise UnreadableArtifact(path, field, what.replace("`", "").lower()) from None
    except (OverflowError, RecursionError, ValueError):
        raise UnreadableArtifact(path, "", "has a number or a depth that cannot be read") from None


def plain(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value as JSON has it: no tuple, no dataclass, and None for a NaN."""
    if depth == 0:
        raise ValueError("nested too deeply for a file of facts")
    if is_dataclass(value):
        keys = getattr(type(value), "KEYS", {})
        return {
            keys.get(one.name, one.name): plain(getattr(value, one.name), depth - 1)
            for one in fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): plain(one, depth - 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one, depth - 1) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
