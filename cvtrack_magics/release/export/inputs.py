"""What a model is called with: the example in one shape, and which of its axes are dynamic."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.release.export.pytree import leaves_of, mapped, port_names

AXES = ("batch", "height", "width")


class _Slot:
    """Where the tensor of this index stands in the arguments; no dataclass, as it is a leaf."""

    def __init__(self, index: int) -> None:
        self.index = index


@dataclass(frozen=True)
class Inputs:
    """The arguments of one call.

    Attributes
    ----------
    args, kwargs : tuple, dict
        The arguments, with a slot in the place of each tensor.
    names : tuple of str
        Of the tensors.
    leaves : tuple of torch.Tensor
        The example's tensors, on the CPU.
    axes : tuple of mapping of int to str
        The dynamic axes of each tensor, counted from 0, and their names.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...]
    leaves: tuple[Any, ...]
    axes: tuple[Mapping[int, str], ...] = ()

    def call(self, leaves: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return positional and keyword arguments that hold these tensors."""

        def filled(item: Any) -> Any:
            return leaves[item.index] if isinstance(item, _Slot) else item

        return mapped(self.args, filled), mapped(self.kwargs, filled)

    def dynamic_shapes(self, mark: Any) -> Any:
        """Return what ``torch.export`` takes as such: ``mark`` at each dynamic axis."""

        def spec(item: Any) -> Any:
            if not isinstance(item, _Slot):
                return None
            return dict.fromkeys(self.axes[item.index], mark)

        return mapped(self.kwargs if self.kwargs else self.args, spec)

    def with_axes(self, axes: Sequence[Mapping[int, str]]) -> Inputs:
        """Return the same with other dynamic axes."""
        return replace(self, axes=tuple(axes))

    def has(self, word: str) -> bool:
        """Tell if there is a dynamic axis of this name."""
        return any(word in axes.values() for axes in self.axes)


def inputs_of(model: Any, example: Any, dynamic: Sequence[str]) -> Inputs:
    """Return the arguments that an example stands for.

    Parameters
    ----------
    model : torch.nn.Module
        Its forward method names the inputs.
    example : tensor, array, tuple, dict or list
        A tuple is positional arguments. A dict is keyword arguments where forward has
        parameters of these names, else one argument; a list is one argument.
    dynamic : sequence of str
        Of ``batch``, ``height`` and ``width``.

    Raises
    ------
    UsageProblem
        There is no tensor in the example, or an axis is not known.
    """
    for word in dynamic:
        if word not in AXES:
            raise UsageProblem(
                f"There is no dynamic axis {word!r}.{did_you_mean(word, AXES)}",
                f"Choose from {', '.join(AXES)}.",
            )
    parameters = _parameters(model)
    args, kwargs = (example if isinstance(example, tuple) else (example,)), {}
    if isinstance(example, Mapping) and all(key in parameters for key in example):
        args, kwargs = (), dict(example)
    inputs = slotted(args, kwargs, parameters)
    if not inputs.leaves:
        raise UsageProblem(
            "The example holds no tensor.", "Give a tensor, an array, a tuple or a dict of them."
        )
    images = isinstance(example, list)
    return inputs.with_axes(_dynamic_axes(inputs.leaves, images, dynamic))


def slotted(args: Sequence[Any], kwargs: Mapping[str, Any], parameters: Sequence[str]) -> Inputs:
    """Return the arguments of a call, with its tensors and arrays taken out; none is dynamic."""
    import numpy as np
    import torch

    leaves: list[Any] = []

    def taken(item: Any) -> Any:
        if isinstance(item, np.ndarray):
            item = torch.from_numpy(np.ascontiguousarray(item))
        if not isinstance(item, torch.Tensor):
            return item
        leaves.append(item.detach().to("cpu", copy=True))
        return _Slot(len(leaves) - 1)

    held_args, held_kwargs = mapped(tuple(args), taken), mapped(dict(kwargs), taken)
    names = dict(enumerate(parameters))
    paths = [
        (names.get(int(path[0]), path[0]), *path[1:])
        for path, item in leaves_of(held_args)
        if isinstance(item, _Slot)
    ] + [path for path, item in leaves_of(held_kwargs) if isinstance(item, _Slot)]
    return Inputs(
        held_args, held_kwargs, port_names(paths, "input"), tuple(leaves), ({},) * len(leaves)
    )


def _parameters(model: Any) -> tuple[str, ...]:
    try:
        found = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError, AttributeError):
        return ()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(parameter.name for parameter in found if parameter.kind in named)


def _dynamic_axes(
    leaves: Sequence[Any], images: bool, dynamic: Sequence[str]
) -> list[dict[int, str]]:
    rows = next((leaf.shape[0] for leaf in leaves if leaf.ndim), None)
    spatial = [leaf for leaf in leaves if leaf.ndim >= (3 if images else 4)]
    found: list[dict[int, str]] = []
    for leaf in leaves:
        axes: dict[int, str] = {}
        if "batch" in dynamic and not images and leaf.ndim and leaf.shape[0] == rows:
            axes[0] = "batch"
        for word, back in (("height", 2), ("width", 1)):
            if word in dynamic and any(leaf is each for each in spatial):
                same = not images and leaf.shape[-back] == spatial[0].shape[-back]
                axes[leaf.ndim - back] = (
                    word if same or leaf is spatial[0] else f"{word}_{len(found)}"
                )
        found.append(axes)
    return found
