"""What a model takes and gives, in MLflow's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

Specs: TypeAlias = Sequence[Mapping[str, Any]]
"""Tensors, images and columns, each with ``kind`` and ``name``."""


def schema_of(specs: Specs) -> Any:
    """Return MLflow's schema.

    An image is a column of any type: it alone takes base64 text, arrays and images of several
    sizes from all of the server's input formats. Before MLflow 2.19 there is none, and it is
    a column of text, which takes all but arrays of several sizes under ``inputs``.
    """
    from mlflow.types import ColSpec, Schema, TensorSpec

    columns: list[Any] = []
    tensors = [spec for spec in specs if spec["kind"] == "tensor"]
    for spec in specs:
        if spec["kind"] == "tensor":
            name = spec["name"] if len(tensors) > 1 else None
            columns.append(TensorSpec(np.dtype(spec["dtype"]), tuple(spec["shape"]), name))
        elif spec["kind"] == "image":
            columns.append(ColSpec(_any_type(), spec["name"]))
        else:
            columns.append(ColSpec(_column_type(spec["type"]), spec["name"]))
    return Schema(columns)


def _any_type() -> Any:
    from mlflow.types import schema

    found = getattr(schema, "AnyType", None)
    return found() if found is not None else "string"


def _column_type(said: str) -> Any:
    """Return a column's type: ``double[]`` is a list of numbers where MLflow knows lists."""
    from mlflow.types import DataType, schema

    depth, word = said.count("[]"), said.replace("[]", "")
    array: Any = getattr(schema, "Array", None)
    if depth and array is None:
        return DataType.string
    kind: Any = DataType[word]
    for _ in range(depth if array is not None else 0):
        kind = array(kind)
    return kind


def example_of(inputs: Specs, example: Any) -> Any:
    """Return the example in the form whose JSON the server takes."""
    if inputs[0]["kind"] != "image":
        return example
    import pandas

    return pandas.DataFrame({inputs[0]["name"]: [example]})
