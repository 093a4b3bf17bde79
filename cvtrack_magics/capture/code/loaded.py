"""Modules that the user has imported; asking for them imports nothing."""

from __future__ import annotations

import sys
from typing import Any


def loaded(name: str) -> Any:
    """Return a module if it is imported, whole; else ``None``.

    Parameters
    ----------
    name : str
        Such as ``"torch"``. While another thread is still importing it, half of its
        attributes are missing, and it does not count.
    """
    module = sys.modules.get(name)
    if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
        return None
    return module
