"""The names under which a run's metrics are shown and stored: two names stay two."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cvtrack_magics.delivery.numbers import as_name
from cvtrack_magics.journal.claims import Claims
from cvtrack_magics.names import KEY_LIMIT, safe_key
from cvtrack_magics.text import utf8

NAME = "cvtrack.name."
"""A tag that begins so says the name that a run's code gives to the metric stored as the rest."""


class StoredNames:
    """Gives each metric of a run the name that MLflow takes.

    Parameters
    ----------
    told : callable
        Told in one line of a name that had to be told apart from another.
    claims : Claims, optional
        What all processes that write into the run have called.

    Notes
    -----
    A name whose signs MLflow does not take has other signs in it (:func:`safe_key`). Where
    that makes it the name of another metric, it ends in 8 hexadecimal digits of its SHA-256.
    """

    def __init__(self, told: Callable[[str], None], claims: Claims | None = None) -> None:
        self.told = told
        self._claims = claims
        self.altered: Callable[[str, str], None] = lambda *_: None
        """Told a stored name, and the one that it stands for, where they differ."""
        self.clean: Callable[[str], str] = lambda name: name
        """Gives the name of a metric without secrets, by which all else knows it."""
        self._stored: dict[str, str] = {}
        self._of: dict[str, str] = {}

    def of(self, key: Any) -> str:
        """Return the stored name of a metric; :class:`UsageProblem` when it is no name."""
        name = as_name(key)
        stored = self._stored.get(name)
        if stored is None:
            stored = self._stored[name] = self._found(self.clean(name))
        return stored

    def _found(self, name: str) -> str:
        stored = self._stored.get(name)
        if stored is None:
            stored = self._stored[name] = self._new(name)
            if stored != name:
                self.altered(stored, name)
        return stored

    def learn(self, stored: Iterable[str], tags: Mapping[str, str]) -> None:
        """Take up the names that a run has already, with its tags, before it goes on."""
        had = {known: tags.get(NAME + known, known) for known in stored}
        for known, name in self._claimed(had).items():
            self._of.setdefault(known, name)
            self._stored.setdefault(name, known)

    def take_up(self) -> None:
        """Take up the names that worker processes gave, and tell those that differ."""
        for stored, name in (self._claims.all() if self._claims else {}).items():
            if stored in self._of:
                continue
            self._of[stored], self._stored[name] = name, stored
            if stored != name:
                self.altered(stored, name)
            if stored != safe_key(name):
                self._tell(name, stored)

    def are_own(self, stored: Iterable[str]) -> bool:
        """Whether all of these stored names are those of the metrics so called, and no others'."""
        return all(self._of.get(name) == name for name in stored)

    def _new(self, name: str) -> str:
        stored = safe_key(name)
        if self._owner(stored, name) == name:
            return stored
        apart = f"{stored[: KEY_LIMIT - 9]}-{hashlib.sha256(utf8(name)).hexdigest()[:8]}"
        self._owner(apart, name)
        self._tell(name, apart)
        return apart

    def _owner(self, stored: str, name: str) -> str:
        owner = self._of.get(stored)
        if owner is None:
            owner = self._of[stored] = self._claimed({stored: name})[stored]
            if name != owner != stored:  # another process was first, and tells it nowhere
                self.altered(stored, owner)
        return owner

    def _claimed(self, wanted: dict[str, str]) -> dict[str, str]:
        return self._claims.claim(wanted) if self._claims else wanted

    def _tell(self, name: str, apart: str) -> None:
        other = self._of.get(safe_key(name), safe_key(name))
        self.told(
            f"MLflow stores the metrics {other!r} and {name!r} under one name; "
            f"the latter is {apart!r} in this run."
        )
