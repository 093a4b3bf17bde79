"""Which layer of a network a class activation map is drawn from, and in which form."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from cvtrack_magics.errors import UsageProblem

Form: TypeAlias = Literal["maps", "last", "tokens"]

_PASSES_ON = ("Pool", "Dropout", "Identity", "Flatten", "Permute")
_EXTRA_TOKENS = (1, 0, 2, 5, 4, 3, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class Seen:
    """One module's output in a forward pass.

    Attributes
    ----------
    name : str
        Dotted name of the module.
    module : torch.nn.Module
        The module.
    shape : tuple of int
        Of its output, ``()`` where that is no tensor.
    gave : str
        Type of its output.
    passes_on : bool
        It pools, drops or returns what such a module gave: no features of its own.
    """

    name: str
    module: Any
    shape: tuple[int, ...]
    gave: str
    passes_on: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A layer and how its output becomes B × C × height × width.

    ``form`` is ``"maps"`` (it is so already), ``"last"`` (channels last) or ``"tokens"``
    (B × T × C, of which the first ``extra`` are class or register tokens).
    """

    name: str
    module: Any
    form: Form
    height: int
    width: int
    extra: int = 0
    runs: int = 1


def trace(model: Any, batch: Any) -> tuple[Any, list[Seen]]:
    """Run a model once without gradients.

    Parameters
    ----------
    model : torch.nn.Module
        In eval mode.
    batch : tensor, B × C × H × W
        What it takes.

    Returns
    -------
    (object, list of Seen)
        What the model returned, and its modules' outputs in the order they were finished.
    """
    import torch

    seen: list[Seen] = []
    last: list[Any] = [None]  # only one output is held at a time, they can be large

    def note(name: str) -> Any:
        def hook(module: Any, _args: Any, output: Any) -> None:
            kind = type(module).__name__
            again = bool(seen) and output is last[0] and seen[-1].passes_on
            passes_on = again or any(word in kind for word in _PASSES_ON)
            shape = tuple(output.shape) if isinstance(output, torch.Tensor) else ()
            seen.append(Seen(name, module, shape, type(output).__name__, passes_on))
            last[0] = output

        return hook

    handles = [
        module.register_forward_hook(note(name)) for name, module in model.named_modules() if name
    ]
    try:
        with torch.no_grad():
            return model(batch), seen
    finally:
        last[0] = None
        for handle in handles:
            handle.remove()


def choose(seen: Sequence[Seen], batch: int, size: tuple[int, int]) -> Source:
    """Return the last layer that still knows where things are.

    Parameters
    ----------
    seen : sequence of Seen
        A forward pass, see `trace`.
    batch : int
        Samples in it.
    size : (int, int)
        Height and width of the images.

    Raises
    ------
    UsageProblem
        No layer has an output of more than one position.
    """
    found = _last_maps(seen, batch, size, ())
    # A block that ends at one pixel (ResNet-50 on 32 pixels) has larger maps inside, of one
    # branch only. The stage before it sees all, if it is not much finer.
    points = tuple(
        f"{record.name}."
        for record in seen
        if record.shape[2:] == (1, 1) and type(record.module).__name__ != "Sequential"
    )
    whole = _last_maps(seen, batch, size, points) if points else None
    if found and whole and whole[1].height <= 2 * found[1].height:
        found = whole
    tokens = _before_attention(seen, found[0] if found else -1, batch, size)
    if tokens is not None:
        return tokens
    if found is None:
        raise UsageProblem(
            "No layer of the model gives a feature map of more than one pixel.",
            "Name one: layer='features.3', or give larger images.",
        )
    return found[1]


def _last_maps(
    seen: Sequence[Seen], batch: int, size: tuple[int, int], without: tuple[str, ...]
) -> tuple[int, Source] | None:
    for index in range(len(seen) - 1, -1, -1):
        record = seen[index]
        if len(record.shape) != 4 or record.passes_on or record.name.startswith(without):
            continue
        source = _source(record, seen, batch, size)
        if source is not None and source.height * source.width > 1:
            return index, source
    return None


def _before_attention(
    seen: Sequence[Seen], after: int, batch: int, size: tuple[int, int]
) -> Source | None:
    """Return what goes into the last attention over tokens, if that comes last."""
    # The class score reads the class token alone. Behind the last attention the patch tokens
    # no longer reach it and their gradient is zero, so their last useful place is before it.
    attention = next(
        (
            i
            for i in range(len(seen) - 1, after, -1)
            if "Attention" in type(seen[i].module).__name__
        ),
        None,
    )
    if attention is None:
        return None
    inside = seen[attention].name + "."
    for index in range(attention - 1, after, -1):
        record = seen[index]
        if len(record.shape) == 3 and not record.name.startswith(inside):
            return _source(record, seen, batch, size)
    return None


def given(
    name: str, module: Any, seen: Sequence[Seen], batch: int, size: tuple[int, int]
) -> Source:
    """Return a layer that the user named, with the form of its output.

    Raises
    ------
    UsageProblem
        It does not run, or gives neither a feature map nor tokens of a grid.
    """
    records = [record for record in seen if record.module is module]
    if not records:
        raise UsageProblem(
            f"layer {name!r} does not run when the model is called.", "Name one that does."
        )
    source = _source(records[-1], seen, batch, size, runs=len(records))
    if source is None:
        shape = "×".join(map(str, records[-1].shape))
        raise UsageProblem(
            f"layer {name!r} gives {shape or 'a ' + records[-1].gave}, "
            "expected a feature map B×C×H×W or tokens B×T×C.",
            "Name a convolution or a block before the pooling.",
        )
    return source


def _source(
    record: Seen, seen: Sequence[Seen], batch: int, size: tuple[int, int], runs: int = 1
) -> Source | None:
    shape = record.shape
    if not shape or shape[0] != batch:
        return None
    if len(shape) == 4:
        form = _order(record, size)
        height, width = shape[1:3] if form == "last" else shape[2:]
        return Source(record.name, record.module, form, height, width, runs=runs)
    if len(shape) != 3:
        return None
    grid = _grid(shape[1], seen, batch, size)
    if grid is None:
        return None
    extra, height, width = grid
    return Source(record.name, record.module, "tokens", height, width, extra, runs)


def _order(record: Seen, size: tuple[int, int]) -> Form:
    """Say whether the channels come first or last: the other two have the image's shape."""
    normalised = getattr(record.module, "normalized_shape", None)
    if normalised is not None and type(record.module).__name__ == "LayerNorm":
        return "last" if len(normalised) == 1 else "maps"
    _, a, b, c = record.shape
    shape = math.log(size[0] / size[1])
    first, last = abs(math.log(b / c) - shape), abs(math.log(a / b) - shape)
    return "last" if last < first else "maps"


def _grid(
    tokens: int, seen: Sequence[Seen], batch: int, size: tuple[int, int]
) -> tuple[int, int, int] | None:
    """Return the number of extra tokens, and height and width of the others' grid."""
    for record in reversed(seen):
        if len(record.shape) == 4 and record.shape[0] == batch:
            height, width = record.shape[2:]
            if height * width > 1 and 0 <= tokens - height * width <= max(_EXTRA_TOKENS):
                return tokens - height * width, height, width
    for extra in _EXTRA_TOKENS:
        left = tokens - extra
        height = round(math.sqrt(max(left, 0) * size[0] / size[1]))
        if left > 1 and height and left % height == 0:
            width = left // height
            if abs(math.log(height / width * size[1] / size[0])) < 0.05:
                return extra, height, width
    return None


@contextmanager
def probe(source: Source) -> Iterator[Any]:
    """Give a module whose output is the layer's, as B × C × height × width.

    For feature maps it is the layer. Otherwise the layer's output takes a way through an
    identity while the context is open, and goes on in the form it had.
    """
    import torch

    if source.form == "maps":
        yield source.module
        return
    identity = torch.nn.Identity()

    def through(_module: Any, _args: Any, output: Any) -> Any:
        if source.form == "last":
            return identity(output.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        patches = output[:, source.extra :].transpose(1, 2)
        maps = patches.reshape(*patches.shape[:2], source.height, source.width)
        back = identity(maps).flatten(2).transpose(1, 2)
        return torch.cat((output[:, : source.extra], back), dim=1)

    handle = source.module.register_forward_hook(through)
    try:
        yield identity
    finally:
        handle.remove()
