"""A real sample, as the network's arguments or as raw images."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.serving.pictures import MODES, Picture, pictures
from cvtrack_magics.release.model.serving.rejected import Rejected

MOST = 4  # samples that are looked at


@dataclass(frozen=True)
class Arguments:
    """What the network is called with.

    Attributes
    ----------
    tensors : tuple of tensor
        One batch for each argument, on the CPU.
    names : tuple of str
        The arguments' names.
    takes_list : bool
        Whether the network takes a list of images C×H×W instead of a batch.
    notes : tuple of str
        What was left out.
    """

    tensors: tuple[Any, ...]
    names: tuple[str, ...]
    takes_list: bool = False
    notes: tuple[str, ...] = ()

    def of(self, rows: slice) -> tuple[Any, ...]:
        """Return some samples, as the network is called with them."""
        if self.takes_list:
            return (list(self.tensors[0][rows]),)
        return tuple(tensor[rows] for tensor in self.tensors)


def as_pictures(example: Any) -> tuple[list[Picture], int]:
    """Return an example's raw images and their channels.

    Raises
    ------
    UsageProblem
        It is not raw images.
    """
    if isinstance(example, (tuple, list)) and len(example) == 2 and _is_targets(example[1]):
        example = example[0]  # (images, targets) of a loader
    if isinstance(example, Path):
        example = _file(example)
    if isinstance(example, (list, tuple)):
        example = [_file(one) if isinstance(one, Path) else one for one in example]
    channels = _channels(example)
    try:
        return pictures(example, channels)[:MOST], channels
    except Rejected as error:
        raise UsageProblem(
            f"--example: {error}", "With --pre it is raw images: uint8 arrays, files or PIL."
        ) from error


def _is_targets(value: Any) -> bool:
    return getattr(value, "ndim", 9) <= 1 or isinstance(value, (int, Mapping))


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageProblem(f"{path.name} cannot be read: {error.strerror}.") from error


def _channels(example: Any) -> int:
    """Return how many channels raw images have; files are read as RGB unless grey."""
    inside = example
    while isinstance(inside, (list, tuple)) and inside:
        inside = inside[0]
    if hasattr(inside, "getbands"):
        return 1 if inside.mode in ("1", "L") else 3
    shape = tuple(getattr(inside, "shape", ()))
    if hasattr(inside, "detach"):
        return int(shape[-3]) if len(shape) > 2 and shape[-3] in MODES else 1
    if len(shape) > 2 and shape[-1] in MODES:
        return int(shape[-1])
    return 1 if shape else 3


def as_arguments(model: Any, example: Any) -> Arguments:
    """Return an example as the network's arguments.

    Parameters
    ----------
    model : torch.nn.Module
        Its ``forward`` says how many arguments there are.
    example : tensor, array, tuple, list or dict
        A batch; a tuple or dict of batches for several arguments; a list of images C×H×W for
        a network that takes such a list. Of a loader's (images, targets) the images are taken.

    Raises
    ------
    UsageProblem
        It is none of these.
    """
    by_keyword = [
        p.name
        for p in inspect.signature(model.forward).parameters.values()
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty
    ]
    if by_keyword:
        raise UsageProblem(
            f"forward takes {', '.join(by_keyword)} by keyword only, which a graph cannot.",
            "Wrap it in a module whose forward takes it by place.",
        )
    parameters = [
        p
        for p in inspect.signature(model.forward).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    names = tuple(parameter.name for parameter in parameters)
    needed = sum(parameter.default is parameter.empty for parameter in parameters)
    notes: tuple[str, ...] = ()
    if isinstance(example, Mapping):
        unknown = [str(key) for key in example if key not in names]
        order = [name for name in names if name in example]
        if unknown or order != list(names[: len(order)]):
            raise UsageProblem(f"--example: forward takes {', '.join(names)}, in this order.")
        return _arguments([example[name] for name in order], names)
    if isinstance(example, (tuple, list)) and len(example) == 2 and needed <= 1:
        first, second = example
        batch = isinstance(first, list) or getattr(first, "ndim", 0) > 3
        if batch and (isinstance(second, (list, tuple)) or _is_targets(second) or needed == 1):
            example, notes = first, ("The targets of the example were left out.",)
    if isinstance(example, list) and example and getattr(example[0], "ndim", 0) == 3:
        return _listed(example, names, notes)
    several = list(example) if isinstance(example, (tuple, list)) else [example]
    if not needed <= len(several) <= max(1, len(names)):
        raise UsageProblem(
            f"--example has {len(several)} inputs, forward takes {', '.join(names) or 'none'}."
        )
    return _arguments(several, names or ("input",), notes)


def _listed(example: list[Any], names: tuple[str, ...], notes: tuple[str, ...]) -> Arguments:
    import torch

    first = _tensor(example[0], "example")
    same = [one for one in (_tensor(v, "example") for v in example) if one.shape == first.shape]
    return Arguments((torch.stack(same[:MOST]),), names[:1], True, notes)


def _arguments(
    several: list[Any], names: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Arguments:
    tensors = tuple(_tensor(one, name) for one, name in zip(several, names, strict=False))
    lengths = {len(tensor) if tensor.ndim else 0 for tensor in tensors}
    if len(lengths) != 1 or 0 in lengths:
        raise UsageProblem(
            "--example: every input needs the samples along its first axis, one at least.",
            "A single image goes in as image[None].",
        )
    return Arguments(
        tuple(tensor[:MOST] for tensor in tensors), names[: len(tensors)], False, notes
    )


def _tensor(value: Any, name: str) -> Any:
    import torch

    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.from_numpy(np.ascontiguousarray(value))
    if not isinstance(value, torch.Tensor):
        kind = type(value).__name__
        raise UsageProblem(
            f"--example: {name} is a {kind}, expected a tensor or an array.",
            "Raw images take --pre, which makes tensors of them.",
        )
    if value.dtype == torch.bfloat16:
        raise UsageProblem(
            f"--example: {name} is bfloat16, which NumPy and MLflow's signatures do not have.",
            "Give model.float() and a float32 example.",
        )
    return value.detach().cpu()
