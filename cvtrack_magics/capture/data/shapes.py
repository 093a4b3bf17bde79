"""What kind of data a value is: its class, shape and dtype, without reading it."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded


def is_array(value: object) -> bool:
    """Say whether a value is a NumPy array, a tensor or like one."""
    if getattr(value, "is_nested", False):  # of torch, which cannot tell its shape
        return hasattr(value, "unbind")
    return hasattr(value, "dtype") and hasattr(value, "shape") and hasattr(value, "__array__")


def is_image(value: object) -> bool:
    """Say whether a value is a PIL image, without importing PIL."""
    return any(base.__module__ == "PIL.Image" for base in type(value).__mro__)


def is_table(value: object) -> bool:
    """Say whether a value is a pandas DataFrame or Series."""
    return any(base.__module__.startswith("pandas.core") for base in type(value).__mro__[:-1])


def as_frame(value: Any) -> Any:
    """Return a pandas table, column, index or array of its own types as a DataFrame, else None."""
    if hasattr(value, "columns"):
        return value
    if not hasattr(value, "to_frame"):
        pandas = loaded("pandas")
        plain = getattr(value, "ndim", 0) == 1 and pandas is not None
        value = pandas.Series(value) if plain else None
    return None if value is None else value.to_frame()


def named_items(value: Any) -> Iterator[tuple[str, object]]:
    """Yield the members of a mapping by sorted key, or of a sequence by number."""
    if isinstance(value, Mapping):
        yield from sorted(((str(key), item) for key, item in value.items()), key=lambda p: p[0])
    else:
        yield from ((str(index), item) for index, item in enumerate(value))


def is_flat(value: Any) -> bool:
    """Say whether a sequence holds only numbers and texts, as a column of labels does."""
    return len(value) > 0 and all(isinstance(item, (str, bool, numbers.Number)) for item in value)


def describe_shape(value: object) -> dict[str, object]:  # noqa: PLR0911
    """Return kind, shape and dtype of a leaf, or those of a structure's parts, JSON-ready."""
    if is_table(value):
        columns, dtypes = getattr(value, "columns", None), getattr(value, "dtypes", None)
        if columns is None or dtypes is None:
            return {"kind": "Series", "rows": len(value)}  # type: ignore[arg-type]
        return {
            "kind": "DataFrame",
            "rows": len(value),  # type: ignore[arg-type]
            "columns": {str(k): str(v) for k, v in zip(columns, list(dtypes), strict=True)},
        }
    if getattr(value, "is_nested", False):  # of torch, whose shape is no shape
        return {"kind": "nested", "length": len(value.unbind())}  # type: ignore[attr-defined]
    if getattr(value, "is_nested", False):
        return {"kind": type(value).__name__, "length": len(value.unbind())}  # type: ignore[attr-defined]
    if is_array(value):
        return {
            "kind": type(value).__name__,
            "shape": [int(n) for n in value.shape],  # type: ignore[attr-defined]
            "dtype": str(value.dtype).removeprefix("torch."),  # type: ignore[attr-defined]
        }
    if is_image(value):
        return {"kind": "image", "size": list(value.size), "mode": value.mode}  # type: ignore[attr-defined]
    if isinstance(value, Mapping) or (isinstance(value, (list, tuple)) and not is_flat(value)):
        items = list(named_items(value))
        return {name: describe_shape(item) for name, item in items[:20]}
    if isinstance(value, (list, tuple)):
        return {"kind": "list", "length": len(value), "of": type(value[0]).__name__}
    return {"kind": type(value).__name__}
