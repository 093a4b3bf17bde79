"""``datasets/checks/<name>/check.json``: what ``%mldata --check`` found in pictures and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

COPIES: Final = ("exact", "near", "mirrored", "cropped")
"""What two pictures that are one can be, the surest first."""
KINDS: Final[Mapping[str, str]] = {
    "leak": "of one set is in the other",
    "copy": "stands more than once in a set",
    "conflict": "is the same picture with another label",
    "group leak": "belongs to a group (a video, a patient) that both sets have",
    "unreadable": "cannot be read",
    "id twice": "has an id or a name that stands twice",
    "no such file": "names a file that is not there",
    "boxes without a picture": "has boxes, and no picture",
    "box without area": "has a box of no width or height",
    "box outside": "has a box that leaves the picture",
    "class of one set": "is a class that only one set has",
    "tiny class": "is a class of fewer than 5 pictures",
}
"""What can be found, and what it says of a sample or class."""

_CONTEXTS: Final = (
    frozenset(("train", "training")),
    frozenset(("val", "valid", "validation")),
    frozenset(("test", "testing", "eval", "evaluation")),
)


def means(name: str, context: str) -> bool:
    """Say whether a word means data of a context: ``val`` means what is for validation."""
    words = next((words for words in _CONTEXTS if name in words), {name})
    return context.lower() in words


@dataclass(frozen=True, slots=True)
class CheckedSet:
    """One of the sets that were checked.

    Attributes
    ----------
    name, context : str
        As its data set is recorded.
    sha256 : str
        Of its data, as the run's input has it; ``""`` where it was not identified.
    samples, unreadable, plain : int
        Pictures in all, those that cannot be read, and those that have so little in them that
        only exact copies of them are known.
    conflicts : int
        Samples of which the same picture stands somewhere with another label.
    """

    name: str
    context: str = ""
    sha256: str = ""
    samples: int = 0
    unreadable: int = 0
    plain: int = 0
    conflicts: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    samples : tuple of (str, str)
        Set and name of each sample that it is about.
    labels : tuple of str
        Of each sample, ``""`` for none.
    detail : str
        How: ``exact``, ``near``, ``mirrored``, ``cropped``, or a few words.
    score : float
        How alike two pictures are; 1 of everything that is certain.
    """

    kind: str
    samples: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()
    detail: str = ""
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class DataCheck:
    """All that was found, in figures, and the worst of it.

    Attributes
    ----------
    sets : tuple of CheckedSet
        One, or the set and the one it was checked against.
    leaked : int
        Samples of the second set that have a copy in the first; those of a group that was named
        by the user and that both sets have are counted too.
    leaked_by : mapping of str to int
        The same by how alike they are, and ``group``.
    near : bool
        Whether more than exact copies was looked for.
    grouped_by : str
        What the user named groups by; ``""`` for a guess, which is not counted.
    counts : mapping of str to int
        Findings by their kind.
    worst : tuple of Finding
        Ten at most.
    listing : str
        The artifact that lists all.
    notes : tuple of str
        What to know about how it was looked for.
    """

    SCHEMA: ClassVar[int] = 1

    sets: tuple[CheckedSet, ...] = ()
    leaked: int = 0
    leaked_by: Mapping[str, int] = field(default_factory=dict)
    near: bool = True
    grouped_by: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    worst: tuple[Finding, ...] = ()
    listing: str = ""
    notes: tuple[str, ...] = ()
