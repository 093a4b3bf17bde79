"""What a move knows while it goes on, and what it says at its end."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FROM = "cvtrack.moved_from"
"""Tag of what was moved: its id in the store that it comes from."""
DONE = "cvtrack.moved_state"
"""Tag of a run all of which was moved: the digest of what it was then."""
OURS = frozenset({FROM, DONE})
_ID = re.compile(r"(?<![0-9A-Za-z])(?:m-)?[0-9a-f]{32}(?![0-9A-Za-z])")


@dataclass(frozen=True, slots=True)
class MovedRun:
    """A run, under its old and its new id; ``points`` and ``files`` are those written now."""

    name: str
    experiment: str
    source: str
    target: str
    status: str
    points: int = 0
    files: int = 0
    was_there: bool = False


@dataclass(frozen=True, slots=True)
class MovedVersion:
    """A registered version, under its old and its new number."""

    model: str
    source: str
    target: str
    aliases: tuple[str, ...] = ()
    was_there: bool = False


@dataclass(slots=True)
class Moved:
    """What became of everything; ``left`` says in lines what was not moved, and why."""

    source: str
    target: str
    tried: bool = False
    runs: list[MovedRun] = field(default_factory=list)
    versions: list[MovedVersion] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Ways:
    """Two clients, and the ids that have a counterpart.

    Parameters
    ----------
    source, target : mlflow.MlflowClient
        Of the store that is read and of the one that is written.
    moved : Moved
        What is said at the end.
    progress : callable
        Told how many runs are done, and how many there are.
    """

    source: Any
    target: Any
    moved: Moved
    progress: Callable[[int, int], None]
    ids: dict[str, str] = field(default_factory=dict)

    def in_words(self, text: str) -> str:
        """Return a text in which every id that was moved is the new one."""
        return _ID.sub(lambda found: self.ids.get(found.group(), found.group()), text)
