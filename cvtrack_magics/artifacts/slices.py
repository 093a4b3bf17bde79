"""``evaluation/<prefix>/slices.json``: what ``%mleval --by`` found of parts of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cvtrack_magics.artifacts.evaluation import Measured


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of the samples, and what was measured of it.

    Attributes
    ----------
    column, value : str
        By what the samples were parted, and of which value these are.
    measured : Measured
        The figures; its prefix is that of the slice's metrics, ``val/slices/camera/A``.
    rows : tuple of int
        Which rows of ``samples.json`` are of the part.
    """

    column: str
    value: str
    measured: Measured
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Slices:
    """Every part that was measured.

    Attributes
    ----------
    by : tuple of str
        The columns that the samples were parted by.
    data_sha256 : str
        Of the evaluation that the parts are of.
    value : float or None
        Its headline: parts of an evaluation that was made anew since are not believed.
    slices : tuple of Slice
        Column by column, in the order of their values.
    """

    SCHEMA: ClassVar[int] = 1

    by: tuple[str, ...] = ()
    data_sha256: str = ""
    value: float | None = None
    slices: tuple[Slice, ...] = ()
