"""Whether this PyTorch's ``torch.export`` is one that models can be trusted to."""

from __future__ import annotations

from typing import Any


def dynamic() -> Any:
    """Return the mark of an axis whose size is free, or None before PyTorch 2.6.

    Older ones have ``torch.export``, but neither that mark nor today's file format.
    """
    import torch

    export = getattr(torch, "export", None)
    return getattr(getattr(export, "Dim", None), "DYNAMIC", None)
