"""The samples of a set that was checked against another, and which of them that one has too."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from cvtrack_magics.capture.pictures.samples import Samples
from cvtrack_magics.vision.likeness.sketches import Grey

SIDE = 8
"""Of the few grey values that are kept of each picture."""


@dataclass(frozen=True, slots=True)
class KnownSample:
    """A sample of the set, as it may be known elsewhere.

    Attributes
    ----------
    name : str
        Within the set: a relative path, or the place.
    place : int or None
        Its index in the data set that has it; None where that is not known.
    grey : str
        8 × 8 grey values in hexadecimal; ``""`` where it cannot be read.
    leaked : bool
        Whether the other set has it.
    """

    name: str
    place: int | None
    grey: str
    leaked: bool


@dataclass(frozen=True, slots=True)
class CheckedAgainst:
    """A set that was checked against another.

    Attributes
    ----------
    name, context : str
        As its data set is recorded.
    other : str
        The name of the set that it was checked against.
    samples : tuple of KnownSample
        All, in the order of the set.
    """

    name: str
    context: str
    other: str
    samples: tuple[KnownSample, ...]

    @property
    def leaked(self) -> int:
        """How many of its samples the other set has."""
        return sum(one.leaked for one in self.samples)


def known_samples(samples: Samples, leaked: Collection[int]) -> tuple[KnownSample, ...]:
    """Return the samples of the second set.

    Parameters
    ----------
    samples : Samples
        Of two sets.
    leaked : collection of int
        The places, over both sets, of those that the first one has too.
    """
    return tuple(
        KnownSample(
            picture.name,
            picture.place,
            "" if seen.sketch is None else _few(seen.sketch.grey),
            at in leaked,
        )
        for at, (picture, seen, of) in enumerate(
            zip(samples.pictures, samples.seen, samples.of, strict=True)
        )
        if of == 1
    )


def _few(grey: Grey) -> str:
    step = grey.shape[0] // SIDE
    means = grey.reshape(SIDE, step, SIDE, step).mean(axis=(1, 3))
    return np.asarray(means.round(), np.uint8).tobytes().hex()
