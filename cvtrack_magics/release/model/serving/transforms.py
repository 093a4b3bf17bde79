"""torchvision's transforms, rebuilt from their description by an allow-list.

A description is ``{"class": "v2.Resize", "args": {…}}``; the prefix is ``v1``, ``v2`` or
``preset`` (what the weights of torchvision's models bring).
"""

from __future__ import annotations

import importlib
from typing import Any

from .rejected import Rejected

MODULES = {
    "v1": "torchvision.transforms",
    "v2": "torchvision.transforms.v2",
    "preset": "torchvision.transforms._presets",
}
_COMMON: tuple[str, ...] = ("Resize", "CenterCrop", "Pad", "Grayscale", "Normalize", "PILToTensor")
_COMMON += ("ConvertImageDtype", "ToTensor", "ToPILImage")
ALLOWED = {
    "v1": frozenset(_COMMON),
    "v2": frozenset((*_COMMON, "ToImage", "ToDtype", "ToPureTensor", "RGB", "Identity")),
    "preset": frozenset(("ImageClassification", "ObjectDetection", "SemanticSegmentation")),
}
TO_TENSOR = frozenset(("ToTensor", "PILToTensor", "ToImage", *ALLOWED["preset"]))


def rebuilt(description: dict[str, Any]) -> Any:
    """Return a transform; ``Rejected`` where the allow-list does not have it."""
    family, _, name = str(description["class"]).partition(".")
    if name not in ALLOWED.get(family, ()):
        raise Rejected(f"{family}.{name} is not a transform that may be rebuilt.")
    arguments = {key: _decoded(value) for key, value in description["args"].items()}
    try:
        return getattr(importlib.import_module(MODULES[family]), name)(**arguments)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise Rejected(f"{family}.{name} cannot be rebuilt: {error}") from error


def _decoded(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "dtype" in value:
        return dtype(value["dtype"])
    if "interpolation" in value:
        from torchvision.transforms import InterpolationMode

        return InterpolationMode(value["interpolation"])
    return tuple(value["tuple"])


def dtype(name: str) -> Any:
    """Return PyTorch's type of a name such as ``float32``."""
    import torch

    found = getattr(torch, str(name), None)
    if not isinstance(found, torch.dtype):
        raise Rejected(f"{name!r} is not a type of numbers.")
    return found
