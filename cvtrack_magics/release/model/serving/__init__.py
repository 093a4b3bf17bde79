"""Serves one stored model. A copy of this package lies beside each model.

Nothing but the standard library, numpy, Pillow, PyTorch and torchvision is imported, and
nothing is unpickled. MLflow calls :func:`_load_pyfunc`.
"""

from __future__ import annotations

from typing import Any

from .model import FORMAT, Model, load

__all__ = ["FORMAT", "Model", "load"]


def _load_pyfunc(path: str) -> Any:
    """Return the model that lies in a folder; MLflow asks for this name.

    MLflow has imported this very file from the model's folder, so that who calls it has trusted
    the model already.
    """
    return load(path, trust=True)
