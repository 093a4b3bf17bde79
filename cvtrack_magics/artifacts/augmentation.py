"""``visualisations/<name>.json``: which draws a picture of ``%mlaugment`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What is needed to draw the same again.

    Attributes
    ----------
    seed : int
        The one that was asked for.
    indices : tuple of int
        The samples, by row.
    seeds : tuple of tuple of int
        The seed of each draw, by sample.
    notes : tuple of str
        What looks wrong.
    """

    SCHEMA: ClassVar[int] = 1

    seed: int = 0
    indices: tuple[int, ...] = ()
    seeds: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()
