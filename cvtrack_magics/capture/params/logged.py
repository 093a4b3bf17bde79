"""Parameters out of dicts, configurations and training objects."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import types
from collections.abc import Iterator, Mapping
from typing import Any

from cvtrack_magics.capture.data.randomness import is_generator
from cvtrack_magics.capture.params import implicit
from cvtrack_magics.capture.params.values import is_scalar, make_param, plain_value
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.limits import TooMuch
from cvtrack_magics.records import Artifact, Notice, Param, Tag
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.text import kind_of

MOST = 10_000
"""Params that are taken of one value."""
MOST_CHARACTERS = 50_000_000
"""Characters of all of them, after which no more are taken."""

_MOST_LOOKED_AT = 200_000
_MOST_LEVELS = 100
_HINT = (
    "Give a dict, dataclass, Namespace, pydantic or OmegaConf object, a named number or text, "
    "or an optimizer, scheduler, DataLoader, transform, model or loss."
)


def describe_params(
    value: object, prefix: str = "", name: str = ""
) -> list[Param | Artifact | Notice | Tag]:
    """Describe a value as flat parameters.

    Parameters
    ----------
    value : object
        A dict (nested ones are flattened with dots), dataclass, ``Namespace``,
        pydantic or attrs object, OmegaConf container, named tuple, plain class of
        settings, a scalar or list (which need ``name``), or a training object that
        `cvtrack_magics.capture.params.implicit` can read.
    prefix : str, optional
        Put in front of every key, with a dot.
    name : str, optional
        What a bare scalar or list is called.

    Returns
    -------
    list of Param, Artifact, Notice and Tag
        Keys are unique. A value over 500 characters is cut, with the whole of it
        as an artifact. Random generators give nothing. After ``MOST`` params a notice
        says that there are more.

    Raises
    ------
    UsageProblem
        The value has no settings to read.
    """
    records: list[Param | Artifact | Notice | Tag] = []
    what = f"{name!r}" if name else f"a {kind_of(value)}"
    try:
        if is_generator(value):
            return []
        for found in _recorded(_top_level(value, name, _Walk()), prefix):
            records.extend(found)
    except UsageProblem:
        raise
    except TooMuch as error:
        records.append(Notice(f"Only {error} of {what} are recorded."))
    except Exception as error:  # attributes that raise
        records.append(Notice(f"Not all params of {what} could be read: {kind_and_line(error)}"))
    return _unique(records)


def _recorded(
    leaves: Iterator[tuple[str, object]], prefix: str
) -> Iterator[list[Param | Artifact] | list[Tag]]:
    left = MOST_CHARACTERS
    for count, (key, leaf) in enumerate(leaves):
        if count == MOST or left < 0:
            raise TooMuch(f"the first {count:,} params")
        if isinstance(leaf, Tag):
            yield [leaf]
            continue
        made = make_param(f"{prefix}.{key}" if prefix else key, leaf)
        left -= len(key) + sum(len(_content(item)) for item in made)
        yield made


def _content(record: Param | Artifact) -> str | bytes:
    return record.value if isinstance(record, Param) else record.content or ""


class _Walk:
    """Counts what is looked at, as few of which may be params."""

    def __init__(self) -> None:
        self._left = _MOST_LOOKED_AT

    def step(self) -> None:
        """Count one value.

        Raises
        ------
        TooMuch
            It was one too many.
        """
        self._left -= 1
        if self._left < 0:
            raise TooMuch(f"the params in the first {_MOST_LOOKED_AT:,} values")


def _top_level(value: object, name: str, walk: _Walk) -> Iterator[tuple[str, object]]:
    walk.step()
    found = implicit.read(value)
    if found is not None:
        yield from found
        return
    mapping = as_mapping(value)
    if mapping is not None:
        yield from _flatten(mapping, walk)
        return
    if isinstance(value, (list, tuple)) and value and all(map(_is_structured, value[:MOST])):
        for item in value:
            yield from _top_level(item, name, walk)
        return
    if is_scalar(value) or isinstance(value, (list, tuple, set, frozenset, range)) or _array(value):
        if not name:
            raise UsageProblem(
                f"A bare {type(value).__name__} has no name to be recorded under.",
                "Give it as a dict, for example dict(lr=0.1).",
            )
        yield from _leaves(name, value, (), walk)
        return
    kind = type(value).__name__
    raise UsageProblem(f"No parameters can be read from {_called(name)}a {kind}.", _HINT)


def _called(name: str) -> str:
    return f"{name!r}, " if name else ""


def _array(value: object) -> bool:
    return hasattr(value, "dtype") and hasattr(value, "shape") and hasattr(value, "tolist")


def _is_structured(value: object) -> bool:
    return implicit.read(value) is not None or as_mapping(value) is not None


def as_mapping(value: object) -> Mapping[Any, object] | None:  # noqa: PLR0911
    """Return the settings a configuration object holds, or ``None`` if it is not one.

    Parameters
    ----------
    value : object
        A dict, dataclass instance, ``argparse.Namespace``, ``SimpleNamespace``, named
        tuple, pydantic (1 or 2), attrs or OmegaConf object, an object with a
        ``to_dict()``, or a class that only holds settings (``class CFG: lr = 0.1``).
    """
    if isinstance(value, Mapping) and not _is_omegaconf(value):
        return value
    if isinstance(value, type):
        return _class_settings(value)
    if dataclasses.is_dataclass(value):
        return {str(f.name): getattr(value, f.name, None) for f in dataclasses.fields(value)}
    if isinstance(value, (argparse.Namespace, types.SimpleNamespace)):
        return dict(vars(value))
    if isinstance(value, tuple):
        fields = getattr(value, "_fields", None)
        return dict(zip(fields, value, strict=True)) if fields else None
    if _is_omegaconf(value):
        from omegaconf import OmegaConf

        content: Any = OmegaConf.to_container(value, resolve=True)
        return content if isinstance(content, dict) else None
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if attributes is not None:
        return {a.name: getattr(value, a.name, None) for a in attributes}
    for method in ("model_dump", "dict", "to_dict"):
        content = _call(value, method)
        if isinstance(content, dict):
            return content
    return None


def _is_omegaconf(value: object) -> bool:
    return type(value).__module__.startswith("omegaconf.") and "omegaconf" in sys.modules


def _call(value: object, method: str) -> Any:
    # pandas and torch objects have to_dict-like methods that return data, not settings.
    package = type(value).__module__.partition(".")[0]
    bound = getattr(type(value), method, None)
    if bound is None or package in {"pandas", "torch", "torchvision", "numpy"}:
        return None
    if method == "dict" and not hasattr(type(value), "__fields__"):
        return None
    try:
        return bound(value)
    except TypeError:
        return None


def _class_settings(value: type) -> Mapping[Any, object] | None:
    if value.__module__ == "builtins":
        return None
    settings: dict[object, object] = {}
    for base in reversed(value.__mro__[:-1]):
        for key, item in vars(base).items():
            if not key.startswith("_") and not isinstance(
                item, (types.FunctionType, classmethod, staticmethod, property)
            ):
                settings[key] = item
    return settings or None


def _flatten(mapping: Mapping[Any, object], walk: _Walk) -> Iterator[tuple[str, object]]:
    """Yield ``(dotted key, leaf)`` of a nested mapping, in order.

    Lists of scalars are leaves; lists with structured items are numbered
    (``layers.0.kind``). A mapping that contains itself, or is very deep, ends in ``…``.
    """
    for key, item in mapping.items():
        yield from _leaves(str(key), item, (id(mapping),), walk)


def _leaves(
    key: str, value: object, above: tuple[int, ...], walk: _Walk
) -> Iterator[tuple[str, object]]:
    walk.step()
    if id(value) in above or len(above) > _MOST_LEVELS:
        yield key, "…"
        return
    if is_scalar(value):
        yield key, value
        return
    above = (*above, id(value))
    found = implicit.read(value)
    if found is not None:
        for inner, leaf in found:
            yield (key if inner == key else _join(key, inner)), leaf
        return
    mapping = None if isinstance(value, type) else as_mapping(value)
    if mapping:
        for inner_key, item in mapping.items():
            yield from _leaves(f"{key}.{inner_key}", item, above, walk)
    elif isinstance(value, (list, tuple)) and any(map(_is_structured, value[:MOST])):
        for index, item in enumerate(value):
            yield from _leaves(f"{key}.{index}", item, above, walk)
    elif not is_generator(value):
        yield key, {} if mapping is not None else plain_value(value)


def _join(key: str, inner: str) -> str:
    return inner if inner.startswith(f"{key}.") else f"{key}.{inner}"


def _unique(
    records: list[Param | Artifact | Notice | Tag],
) -> list[Param | Artifact | Notice | Tag]:
    seen: dict[str, str] = {}
    kept: list[Param | Artifact | Notice | Tag] = []
    for record in records:
        if isinstance(record, Param) and record.key in seen:
            if seen[record.key] != record.value:
                kept.append(
                    Notice(
                        f"Parameter {record.key!r} was given twice ({seen[record.key]} and "
                        f"{record.value}); the first is recorded. A --prefix tells them apart."
                    )
                )
            continue
        if isinstance(record, Param):
            seen[record.key] = record.value
        kept.append(record)
    return kept
