"""An example of a model's input at any batch size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Example:
    """What a model is called with.

    ``size`` is the batch size. Tensors and arrays with so many rows, and lists of so many
    things, grow and shrink with the batch; the rest stays as it is.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    size: int = 1

    def at(self, batch: int) -> Example:
        """Return the example at another batch size: its samples over and over."""
        rows = [row % self.size for row in range(batch)]

        def sized(value: Any) -> Any:
            return _rows(value, rows) if _size(value) == self.size else value

        return Example(
            tuple(map(sized, self.args)),
            {name: sized(value) for name, value in self.kwargs.items()},
            batch,
        )

    def mapped(self, function: Callable[[Any], Any]) -> Example:
        """Return the example with a function applied to each tensor and array."""
        return Example(
            tuple(_mapped(value, function) for value in self.args),
            {name: _mapped(value, function) for name, value in self.kwargs.items()},
            self.size,
        )

    def leaves(self) -> Iterator[Any]:
        """Yield every tensor and array in order."""
        for value in (*self.args, *self.kwargs.values()):
            yield from _leaves(value)


def read_example(example: Any) -> Example:
    """Return what a user gave as an example as the arguments of a call.

    Parameters
    ----------
    example : tensor, array, list, tuple or mapping
        A batch N × …; a list of N tensors, as detectors take it; a tuple of several inputs;
        or a mapping, whose entries are passed by name. All but the mapping may be nested
        once.

    Raises
    ------
    UsageProblem
        There is no batch in it.
    """
    args: tuple[Any, ...] = (example,)
    kwargs: dict[str, Any] = {}
    if isinstance(example, Mapping):
        args, kwargs = (), {str(name): value for name, value in example.items()}
    elif isinstance(example, tuple):
        args = example
    sizes = (_size(value) for value in (*args, *kwargs.values()))
    size = next((size for size in sizes if size is not None), None)
    if not size:
        raise UsageProblem(
            f"The example ({type(example).__name__}) holds no batch.",
            "Give a tensor N × …, a list of tensors, or a tuple of the model's inputs.",
        )
    return Example(args, kwargs, size)


def is_tensor(value: Any) -> bool:
    """Tell whether something is an array or a tensor of any library."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def as_numpy(value: Any) -> Any:
    """Return a tensor or array as a NumPy array of its own dtype."""
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)


def _size(value: Any) -> int | None:
    if is_tensor(value):
        return int(value.shape[0]) if len(value.shape) else None
    return len(value) if isinstance(value, list) else None


def _rows(value: Any, rows: list[int]) -> Any:
    if isinstance(value, list):
        return [value[row] for row in rows]
    taken = value[rows]
    if hasattr(value, "is_contiguous") and value.dim() == 4 and not value.is_contiguous():
        import torch

        if value.is_contiguous(memory_format=torch.channels_last):
            return taken.contiguous(memory_format=torch.channels_last)
    return taken


def _mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    if is_tensor(value):
        return function(value)
    if isinstance(value, (list, tuple)):
        parts = [_mapped(part, function) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {name: _mapped(part, function) for name, part in value.items()}
    return value


def _leaves(value: Any) -> Iterator[Any]:
    if is_tensor(value):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _leaves(part)
