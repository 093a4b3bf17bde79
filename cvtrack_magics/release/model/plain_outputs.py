"""A network's output as nothing but dicts, lists, tuples and tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cvtrack_magics.errors import UsageProblem


def plain_output(value: Any, name: str = "") -> Any:
    """Return an output without classes of its own; what is None is left out.

    Parameters
    ----------
    value : tensor, mapping, dataclass, namedtuple, list or tuple
        To any depth.
    name : str
        Where it was found, for the refusal.

    Raises
    ------
    UsageProblem
        Something in it is no tensor, which a graph cannot give.
    """
    if hasattr(value, "detach"):
        return value
    named = _named(value)
    if named is None and isinstance(value, (list, tuple)):
        if all(inner is not None for inner in value):
            items = [plain_output(inner, f"{name}[{i}]") for i, inner in enumerate(value)]
            return tuple(items) if isinstance(value, tuple) else items
        # without None the others would move up: their places become their names
        named = {f"output_{index}": inner for index, inner in enumerate(value)}
    if named is None:
        where = f" as {name.lstrip('.')}" if name else ""
        raise UsageProblem(
            f"The model returns a {type(value).__name__}{where}, expected tensors, or a dict, "
            "list or tuple of them.",
            "Wrap it in a module whose forward returns the tensors alone.",
        )
    return {
        key: plain_output(inner, f"{name}.{key}")
        for key, inner in named.items()
        if inner is not None
    }


def _named(value: Any) -> dict[str, Any] | None:
    """Return the parts of what has names for them."""
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: getattr(value, part.name) for part in dataclasses.fields(value)}
    fields = getattr(value, "_fields", None)
    return None if fields is None else {key: getattr(value, key) for key in fields}
