"""Pictures of a data set as they are checked: where each is, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One sample.

    Attributes
    ----------
    name : str
        Within its set: a relative path, or the place.
    label : str or None
        The class, or the classes of its objects; None where nothing is said.
    path : str
        Its file; ``""`` where it comes from memory.
    load : callable, optional
        Returns the picture otherwise: a PIL image or an array.
    boxes : tuple of (str, Box)
        Class and corners of its objects.
    size : (int, int) or None
        Width and height as an annotation file says.
    place : int or None
        Its index in the data set that has it; None where only its place in the set is known.
    """

    name: str
    label: str | None = None
    path: str = ""
    load: Callable[[], Any] | None = None
    boxes: tuple[tuple[str, Box], ...] = ()
    size: tuple[int, int] | None = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with one sample.

    Attributes
    ----------
    kind : str
        As :data:`cvtrack_magics.artifacts.data_check.KINDS` names it.
    name : str
        Of the sample.
    detail : str
        What exactly.
    """

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """A set of pictures, and what is wrong with its list of them.

    Attributes
    ----------
    pictures : sequence of Picture
    problems : tuple of Problem
        Found while it was opened: ids twice, files that are not there.
    classes : tuple of str
        Those that the set itself says it has.
    notes : tuple of str
        What to know about how it was read.
    """

    pictures: Sequence[Picture]
    problems: tuple[Problem, ...] = ()
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
