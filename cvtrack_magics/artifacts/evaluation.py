"""``evaluation/<prefix>/metrics.json`` and ``samples.json``: what ``%mleval`` found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

NO_INTERVAL = "No interval: "
"""How a note begins that says why the headline has none."""


@dataclass(frozen=True, slots=True)
class Interval:
    """The interval of the headline.

    Attributes
    ----------
    metric : str
        The metric that it is of, without prefix.
    value, low, high : float or None
        The metric's value and the ends; None where there is none.
    level : float or None
        How often such an interval holds the true value: 0.95.
    resamples : int
        How many bootstrap resamples it is made of; 0 where it needs none.
    """

    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    resamples: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What an evaluation found.

    Attributes
    ----------
    prefix : str or None
        What stands before its metrics' names, without slash; None in files that do not say it.
    task : str
        Which of the tasks.
    headline : str
        The metric that stands for the task, without prefix.
    samples : int or None
        How many were measured.
    data_sha256 : str
        SHA-256 of which samples were measured against which truth, in whatever order.
    pictures : mapping of str to str, or None
        8 × 8 grey values of some samples by id, in hexadecimal.
    metrics : mapping of str to float or None
        Each metric without prefix; None where it has no value.
    interval : Interval or None
        Of the headline.
    classes : tuple of str
        Their names, in order.
    per_class : mapping of str to tuple of float or None
        A figure of each class, by the figure's name.
    confusion : tuple of tuple of int, or None
        Truth by row, prediction by column.
    notes : tuple of str
        What a reader should know.
    settings : mapping of str to number, str or None
        Threshold, IoU, the catalogue's version, the resamples' seed and first draw …
    replicates : tuple of float or None
        The headline in each resample, in canonical draws.
    other_replicates : mapping of str to tuple of float or None
        The same of other metrics, in the same draws, or in the first of them.
    """

    SCHEMA: ClassVar[int] = 1

    prefix: str | None = None
    task: str = ""
    headline: str = ""
    samples: int | None = None
    data_sha256: str = ""
    pictures: Mapping[str, str] | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    interval: Interval | None = None
    classes: tuple[str, ...] = ()
    per_class: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    confusion: tuple[tuple[float, ...], ...] | None = None
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    replicates: tuple[float | None, ...] = ()
    other_replicates: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SampleTable:
    """A table as MLflow lays it out, one row a sample.

    Attributes
    ----------
    columns : tuple of str
        ``id`` first.
    data : tuple of tuple
        A row for each sample; numbers, texts, booleans or None.
    """

    SCHEMA: ClassVar[int] = 0

    columns: tuple[str | int, ...]
    data: tuple[tuple[Any, ...], ...]

    def by_column(self) -> dict[str, list[Any]]:
        """Return the values by column; none where a row is shorter than the head."""
        if any(len(row) < len(self.columns) for row in self.data):
            return {}
        return {str(name): [row[at] for row in self.data] for at, name in enumerate(self.columns)}
