"""Modules that the user has imported; asking for them imports nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType
from typing import Any

_awaited: dict[str, Callable[[ModuleType], None]] = {}


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


def when_loaded(name: str, act: Callable[[ModuleType], None]) -> None:
    """Do something with a module that is imported, or as soon as it has been.

    It is told of later imports where the extension is loaded.
    """
    _awaited[name] = act
    module = loaded(name)
    if module is not None:
        act(module)


def forget(name: str) -> ModuleType | None:
    """Do nothing more with a module; return it where it is imported."""
    _awaited.pop(name, None)
    return sys.modules.get(name)


def was_loaded(module: ModuleType) -> None:
    """Do what was to be done with a module that has just been imported; never raises."""
    with suppress(Exception):
        act = _awaited.get(module.__name__)
        if act is not None:
            act(module)
