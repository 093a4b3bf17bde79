"""Reads and runs the network's graph."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .checking import check_pt2
from .guarded import guard
from .rejected import Rejected


def read(path: Path, kind: str, *, trust: bool = False) -> Any:
    """Return a stored network as a callable module.

    Parameters
    ----------
    path : Path
        A file of this package's making, or one that claims to be.
    kind : {'pt2', 'torchscript'}
        Whether ``torch.export`` or ``torch.jit`` saved it.
    trust : bool
        Whether the file may run code: TorchScript does so while it is read, so that no look at
        it makes it safe.

    Raises
    ------
    Rejected
        The file is damaged, or holds more than a graph and numbers; TorchScript without
        ``trust``.
    """
    if kind != "pt2" and not (kind == "torchscript" and trust):
        what = "is TorchScript, which runs code when it is opened" if kind == "torchscript" else ""
        raise Rejected(f"{path.name} {what or 'is of a kind that is not known'}.")
    import torch

    try:
        content = path.read_bytes()
    except OSError as error:
        raise Rejected(f"{path.name} cannot be read: {error.strerror}") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript warns of its age
            if kind == "pt2":
                check_pt2(content)
                return guard(torch.export.load(io.BytesIO(content)).module())
            with contextlib.suppress(ImportError):
                import torchvision  # noqa: F401  # brings the operators of detectors, such as nms
            return torch.jit.load(io.BytesIO(content), map_location="cpu").eval()
    except Rejected as error:
        raise Rejected(f"{path.name}: {error}") from None
    except Exception as error:
        line = str(error).strip().split("\n", 1)[0][:200]
        raise Rejected(f"{path.name} cannot be loaded: {line}") from error


def run(network: Any, inputs: Sequence[Any], *, takes_list: bool) -> Any:
    """Return the network's output for a batch, without gradients.

    Parameters
    ----------
    inputs : sequence of tensors
        One batch for each argument; where the network takes a list, the list's images.
    """
    import torch

    with torch.no_grad():
        output = network(list(inputs)) if takes_list else network(*inputs)
    # torchvision's detectors, as TorchScript, return their losses too
    if isinstance(output, tuple) and len(output) == 2 and isinstance(output[1], list):
        losses, found = output
        if isinstance(losses, Mapping) and all(isinstance(one, Mapping) for one in found):
            return found
    return output
