"""The few names that a notebook has after ``%load_ext`` without an import."""

from __future__ import annotations

import re
from typing import Any

import cvtrack_magics

LIGHT = ("log", "track")
HEAVY = ("Predictions",)
"""Put there when a cell mentions them, since importing them takes a moment."""


class Names:
    """Puts names into the user's namespace, where they are free, and takes them out again.

    Parameters
    ----------
    namespace : dict
        The user's.
    """

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._put: dict[str, Any] = {}

    def load(self) -> None:
        """Put the names there that cost nothing."""
        for name in LIGHT:
            self._offer(name)

    def mentioned(self, source: str) -> None:
        """Put a name there that a cell is about to use."""
        for name in HEAVY:
            if name not in self._put and re.search(rf"\b{name}\b", source):
                self._offer(name)

    def unload(self) -> None:
        """Take out what is still ours."""
        for name, value in self._put.items():
            if self._namespace.get(name) is value:
                del self._namespace[name]
        self._put.clear()

    def _offer(self, name: str) -> None:
        if name not in self._namespace:
            self._namespace[name] = self._put[name] = getattr(cvtrack_magics, name)
