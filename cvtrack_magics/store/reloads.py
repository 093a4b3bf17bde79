"""Tells when a module of MLflow's is executed anew, by ``importlib.reload`` or another import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.machinery import ModuleSpec
from itertools import dropwhile
from types import ModuleType
from typing import Any

Told = Callable[[ModuleType], object]


class Reloads:
    """Stands before Python's finders while it is needed.

    Parameters
    ----------
    name : str
        The module.
    before, after : callable
        Told of the module when it is about to be executed, and when it was.
    """

    def __init__(self, name: str, before: Told, after: Told) -> None:
        self._name = name
        self._before = before
        self._after = after
        self._finders: list[Any] = []

    def begin(self) -> None:
        """Look at what is imported from now on."""
        self._finders = sys.meta_path
        self._finders.insert(0, self)

    def end(self) -> None:
        """Look no more, also where somebody has put another list in place for a while."""
        for finders in (self._finders, sys.meta_path):
            while any(one is self for one in finders):
                del finders[next(at for at, one in enumerate(finders) if one is self)]
        self._finders = []

    def _by_the_next(self, *asked: Any) -> Iterator[ModuleSpec | None]:
        """Ask those that stand behind this one: another of its kind before it has asked it."""
        behind = dropwhile(lambda one: one is not self, [*sys.meta_path])
        return (one.find_spec(*asked) for one in behind if one is not self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find the module as the others do, and be told of its execution."""
        if name != self._name:
            return None
        spec = next((found for found in self._by_the_next(name, path, target) if found), None)
        loader: Any = None if spec is None else spec.loader
        plain = getattr(loader, "exec_module", None)
        if plain is not None:

            def exec_module(module: ModuleType) -> None:
                with suppress(Exception):  # an import never fails for our sake
                    self._before(module)
                plain(module)
                with suppress(Exception):
                    self._after(module)

            loader.exec_module = exec_module
        return spec
