"""The inputs that a model and its export are compared on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from cvtrack_magics.release.export.inputs import Inputs

BATCHES = (1, 2, 5)
_SIZES: tuple[Callable[[int, int], tuple[int, int]], ...] = (
    lambda height, width: (height + 32, width),
    lambda height, width: (height, width + 32),
    lambda height, width: (height + 7, width + 13),
    lambda height, width: (height + 64, width + 96),
    lambda height, width: (max(height // 2, 1), max(width // 2, 1)),
    lambda height, width: (max(height // 4, 1), max(width // 4, 1)),
    lambda height, width: (width, height),
    lambda height, width: (max(height, 3 * width), width),
    lambda height, width: (height, max(width, 3 * height)),
)
"""Height and width by the example's: larger, smaller, turned, of another shape."""
_DRAWS = 3
_ROUNDING = 1e-5


Kind: TypeAlias = Literal["like", "size", "far"]


@dataclass(frozen=True)
class Case:
    """One set of inputs.

    Attributes
    ----------
    what : str
        In a few words.
    leaves : tuple of torch.Tensor
        The inputs.
    kind : str
        ``like``: the model must run with them. ``size``: another size of a dynamic axis; one
        that the model does not take is left out. ``far``: unlike the example; the model may
        refuse them, and so may its export.
    """

    what: str
    leaves: tuple[Any, ...]
    kind: Kind = "like"


def cases_of(
    inputs: Inputs, seed: int, more_sizes: Sequence[tuple[str, int]] = ()
) -> Iterator[Case]:
    """Yield the example, draws like it, draws unlike it, and other sizes of dynamic axes.

    Parameters
    ----------
    inputs : Inputs
        Example and dynamic axes.
    seed : int
        Of the draws.
    more_sizes : sequence of (str, int)
        Sizes of axes at which the graph says that it may differ.
    """
    rng = np.random.default_rng(seed)
    yield Case("example", inputs.leaves)
    for number in range(_DRAWS):
        yield Case(f"draw {number + 1}", drawn(inputs, rng))
    if any(leaf.is_floating_point() for leaf in inputs.leaves):
        for what, change in _changes().items():
            yield Case(what, tuple(map(change, inputs.leaves)), "far")
    if inputs.has("batch"):
        more = [size for axis, size in more_sizes if axis == "batch"]
        for rows in dict.fromkeys((*BATCHES, *more)):
            kind: Kind = "like" if rows in BATCHES else "size"
            yield Case(f"batch of {rows}", drawn(inputs, rng, batch=rows), kind)
    for sized in (*_SIZES, *map(_fixed, more_sizes)):
        leaves = drawn(inputs, rng, sized=sized)
        if any(a.shape != b.shape for a, b in zip(leaves, inputs.leaves, strict=True)):
            what = f"{' × '.join(map(str, leaves[0].shape[-2:]))} pixels"
            yield Case(what, leaves, "size")


def _fixed(more: tuple[str, int]) -> Callable[[int, int], tuple[int, int]]:
    """Return what gives one axis a size; a size of the batch changes nothing here."""
    axis, size = more
    return lambda height, width: (
        size if axis == "height" else height,
        size if axis == "width" else width,
    )


def traced_on(inputs: Inputs, seed: int) -> tuple[Any, ...]:
    """Return inputs to export with: at least two rows where the batch is dynamic.

    A size of one is a special case for exporters, as it may be broadcast.
    """
    rows = [
        leaf.shape[0] for leaf, axes in zip(inputs.leaves, inputs.axes, strict=True) if 0 in axes
    ]
    if not inputs.has("batch") or min(rows) > 1:
        return tuple(leaf.clone() for leaf in inputs.leaves)
    return drawn(inputs, np.random.default_rng(seed), batch=2)


def jogged(leaves: Sequence[Any], seed: int) -> tuple[Any, ...]:
    """Return the inputs changed by about what rounding adds up to in a deep network."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def change(leaf: Any) -> Any:
        if not leaf.is_floating_point():
            return leaf.clone()
        size = max(_ROUNDING, 2 * torch.finfo(leaf.dtype).eps)
        noise = torch.randn(leaf.shape, generator=generator) * size
        return (leaf * (1 + noise) + noise).to(leaf.dtype)

    return tuple(map(change, leaves))


def drawn(
    inputs: Inputs,
    rng: np.random.Generator,
    *,
    batch: int | None = None,
    sized: Callable[[int, int], tuple[int, int]] | None = None,
) -> tuple[Any, ...]:
    """Return inputs with the statistics of the example's.

    Normal numbers of its mean and deviation within its range, integers out of its range.
    """
    return tuple(
        _draw(leaf, _shape(leaf, axes, batch, sized), rng)
        for leaf, axes in zip(inputs.leaves, inputs.axes, strict=True)
    )


def _shape(
    leaf: Any,
    axes: Any,
    batch: int | None,
    sized: Callable[[int, int], tuple[int, int]] | None,
) -> tuple[int, ...]:
    shape = list(leaf.shape)
    other = sized(shape[-2], shape[-1]) if sized is not None and len(shape) > 1 else ()
    for axis, name in axes.items():
        if name == "batch":
            shape[axis] = batch or shape[axis]
        elif other:
            shape[axis] = other[axis - len(shape)]
    return tuple(shape)


def _draw(leaf: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    import torch

    values: Any
    if leaf.dtype == torch.bool:
        values = rng.random(shape) < 0.5
    elif not leaf.is_floating_point():
        low, high = (int(leaf.min()), int(leaf.max())) if leaf.numel() else (0, 0)
        values = rng.integers(low, high, shape, endpoint=True)
    else:
        known = leaf.double()[torch.isfinite(leaf)].numpy()
        mean, deviation = (known.mean(), known.std()) if known.size else (0.0, 1.0)
        values = rng.normal(mean, deviation or 1.0, shape)
        if deviation:
            values = values.clip(known.min(), known.max())
    return torch.as_tensor(values).to(leaf.dtype).reshape(shape)


def _changes() -> dict[str, Callable[[Any], Any]]:
    """Return ways for the example to leave its range, so that decisions on values turn."""

    def floats(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda leaf: change(leaf) if leaf.is_floating_point() else leaf.clone()

    return {
        "negated": floats(lambda leaf: -leaf),
        "zeros": floats(lambda leaf: leaf.new_zeros(leaf.shape)),
        "× 0.01": floats(lambda leaf: leaf * 0.01),
        "× 30": floats(lambda leaf: leaf * 30),
        "all positive": floats(lambda leaf: leaf.abs() + 0.5),
        "all negative": floats(lambda leaf: -leaf.abs() - 0.5),
    }
