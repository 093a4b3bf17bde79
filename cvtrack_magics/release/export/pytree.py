"""Inputs and outputs of a model as flat lists of named tensors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Path = tuple[str, ...]


def leaves_of(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield what containers hold, with the way to it; None is left out.

    Mappings, sequences, named tuples and dataclasses are containers.
    """
    if value is None:
        return
    parts = _parts(value)
    if parts is None:
        yield path, value
    else:
        for key, item in parts:
            yield from leaves_of(item, (*path, key))


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a copy of nested dicts, lists and tuples with every leaf changed, in order."""
    if isinstance(value, Mapping):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(item, change) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(item, change) for item in value)
    return change(value)


def port_names(paths: Sequence[Path], alone: str, taken: Sequence[str] = ()) -> tuple[str, ...]:
    """Return a name for each path, of letters, digits and ``_``, none of them twice.

    Parameters
    ----------
    paths : sequence of tuple of str
        From :func:`leaves_of`.
    alone : str
        What stands before a name that would start with a digit or be empty.
    taken : sequence of str
        Names that are used already.
    """
    names: list[str] = []
    first = {path[0] for path in paths if len(path) > 1}
    if len(first) == 1 and first.pop().isdigit() and all(len(path) > 1 for path in paths):
        paths = [path[1:] for path in paths]  # the outputs of one image, in a list
    for path in paths:
        base = re.sub(r"\W", "_", "_".join(path), flags=re.ASCII)
        if not base or base[0].isdigit():
            base = f"{alone}_{base}" if base else alone
        name, number = base, 2
        while name in names or name in taken:
            name, number = f"{base}_{number}", number + 1
        names.append(name)
    return tuple(names)


def _parts(value: Any) -> list[tuple[str, Any]] | None:
    if isinstance(value, Mapping):
        return [(str(key), item) for key, item in value.items()]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    if isinstance(value, (list, tuple)):
        return [(str(index), item) for index, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    return None
