"""A model in eval mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put a model in eval mode, and every module back in its own afterwards.

    What is no ``torch.nn.Module`` has no modes and stays as it is.
    """
    modes = [(module, module.training) for module in getattr(model, "modules", tuple)()]
    if modes:
        with suppress(NotImplementedError):  # torch.export's graphs have no modes
            model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
