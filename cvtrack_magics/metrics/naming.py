"""The names under which a run's metrics are shown and stored: two names stay two."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cvtrack_magics.metrics.numbers import as_name
from cvtrack_magics.names import KEY_LIMIT, safe_key

NAME = "cvtrack.name."
"""A tag that begins so says the name that a run's code gives to the metric stored as the rest."""


class StoredNames:
    """Gives each metric of a run the name that MLflow takes.

    Parameters
    ----------
    told : callable
        Told in one line of a name that had to be told apart from another.

    Notes
    -----
    A name whose signs MLflow does not take has other signs in it (:func:`safe_key`). Where
    that makes it the name of another metric, it ends in 8 hexadecimal digits of its SHA-256.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self.told = told
        self.altered: Callable[[str, str], None] = lambda *_: None
        """Told a stored name, and the one that it stands for, where they differ."""
        self._stored: dict[str, str] = {}
        self._of: dict[str, str] = {}

    def of(self, key: Any) -> str:
        """Return the stored name of a metric; :class:`UsageProblem` when it is no name."""
        name = as_name(key)
        stored = self._stored.get(name)
        if stored is None:
            stored = self._stored[name] = self._new(name)
            if stored != name:
                self.altered(stored, name)
        return stored

    def learn(self, stored: Iterable[str], tags: Mapping[str, str]) -> None:
        """Take up the names that a run has already, with its tags, before it goes on."""
        for known in stored:
            name = tags.get(NAME + known, known)
            self._of.setdefault(known, name)
            self._stored.setdefault(name, known)

    def are_own(self, stored: Iterable[str]) -> bool:
        """Whether all of these stored names are those of the metrics so called, and no others'."""
        return all(self._of.get(name) == name for name in stored)

    def _new(self, name: str) -> str:
        stored = safe_key(name)
        other = self._of.setdefault(stored, name)
        if other == name:
            return stored
        apart = f"{stored[: KEY_LIMIT - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        self._of[apart] = name
        self.told(
            f"MLflow stores the metrics {other!r} and {name!r} under one name; "
            f"the latter is {apart!r} in this run."
        )
        return apart
