"""A model as it becomes a script."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def resized_exactly(model: Any) -> AbstractContextManager[None]:
    """Return what lets torchvision's detectors resize as a script as they do in Python.

    Where nobody has imported torchvision's detectors, the model is none of them.
    """
    if "torchvision.models.detection.transform" not in sys.modules:
        return nullcontext()
    from cvtrack_magics.release.exact_resizing import exact_resizing

    return exact_resizing(model)
