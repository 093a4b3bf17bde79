"""``Predictions``: images, truth and prediction of a batch or a whole epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.about import About, joined, read_about, taken
from cvtrack_magics.tasks.base import (
    Anomalies,
    Classes,
    Depths,
    Detections,
    LabelSets,
    Segments,
    Task,
    TaskData,
)
from cvtrack_magics.tasks.constructors import Making
from cvtrack_magics.tasks.samples import unique
from cvtrack_magics.vision.given import Given
from cvtrack_magics.vision.pixels import Pixels


@dataclass(frozen=True, slots=True)
class Predictions(Making):
    """What a model said of N samples, beside what is true.

    Made by :meth:`classification`, :meth:`multilabel`, :meth:`detection`, :meth:`semantic`,
    :meth:`instance`, :meth:`keypoints`, :meth:`oriented`, :meth:`anomaly`, :meth:`depth`,
    :meth:`from_coco` and :meth:`collect`; joined by ``+``.

    Attributes
    ----------
    task : str
        One of the nine tasks.
    classes : tuple of str
        Names of the classes, by index.
    ids : tuple of str
        One name for each sample, the same in every run: an index of the data set, or the
        digest of the picture.
    sizes : int64, N × 2
        Height and width of each sample's native picture.
    pixels : Pixels or None
        The pictures; None where only figures are wanted.
    data : Classes, LabelSets, Detections, Segments, Anomalies or Depths
        Truth and prediction.
    seconds : float
        Time the model took for all samples, device synchronised; 0 where not measured.
    names : tuple of str
        A caption for each sample, or nothing.
    notes : tuple of str
        How an input with two readings was read, one line each; an evaluation says them too.
    given : Given or None
        What a few of the samples were before they became pictures; not kept in files.
    about : mapping of str to tuple
        What else is known of each sample, by name: its camera, its patient; texts, numbers,
        yes or no, or None. ``%mleval --by camera`` measures its parts.
    """

    task: Task
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    sizes: npt.NDArray[np.int64]
    pixels: Pixels | None
    data: TaskData
    seconds: float = 0.0
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    given: Given | None = field(default=None, compare=False, repr=False)
    about: About = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        about = f"{len(self.classes)} classes" if self.classes else "no classes"
        return f"Predictions({self.task}, {len(self):,} samples, {about})"

    def __getitem__(self, rows: Any) -> Predictions:
        """Return some samples: a slice, a list of positions or a mask of truth values."""
        if isinstance(rows, (int, np.integer)):
            rows = [int(rows)]
        order = np.arange(len(self))[rows]
        ids = tuple(self.ids[row] for row in order)
        return replace(
            self,
            ids=ids,
            sizes=self.sizes[order],
            pixels=None if self.pixels is None else self.pixels.take(order),
            data=self.data.take(order),
            seconds=self.seconds * len(order) / max(1, len(self)),
            names=tuple(self.names[row] for row in order) if self.names else (),
            given=None if self.given is None else self.given.only(ids),
            about=taken(self.about, order.tolist()),
        )

    def __add__(self, other: Predictions) -> Predictions:
        return self.join((self, other))

    def _and(self, other: Predictions) -> Predictions:
        if self.task != other.task or self.classes != other.classes:
            raise UsageProblem(
                f"{self!r} and {other!r} cannot be joined.", "Task and classes must agree."
            )
        pixels = None if self.pixels is None or other.pixels is None else self.pixels + other.pixels
        timed = self.seconds > 0 and other.seconds > 0
        return replace(
            self,
            ids=unique([*self.ids, *other.ids]),
            sizes=np.concatenate((self.sizes, other.sizes)),
            pixels=pixels,
            data=self.data + other.data,  # type: ignore[operator]
            seconds=self.seconds + other.seconds if timed else 0.0,
            names=self.names + other.names if self.names and other.names else (),
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
            given=_given_of_both(self, other),
            about=joined(self.about, len(self), other.about, len(other)),
        )

    def with_pixels(self, pixels: Pixels | None) -> Predictions:
        """Return the same predictions with other pictures, or none."""
        return replace(self, pixels=pixels)

    def with_about(self, columns: Any = None, /, **more: Any) -> Predictions:
        """Return the same predictions with columns that say more of each sample.

        Parameters
        ----------
        columns : mapping or DataFrame, optional
            Values by the column's name, N in order or a mapping by the samples' ids; of a
            DataFrame the rows by id where its index has them all.
        **more
            The same by name, as in ``with_about(camera=cameras)``.

        Raises
        ------
        UsageProblem
            A column has not one value for each sample.
        """
        found = {**read_about(columns, self.ids), **read_about(more, self.ids)}
        return replace(self, about={**self.about, **found})

    @classmethod
    def join(cls, parts: Sequence[Predictions]) -> Predictions:
        """Return several predictions as one, in order."""
        several = list(parts)
        while len(several) > 1:  # pairs of pairs, so that nothing is copied many times
            pairs = zip(several[::2], several[1::2], strict=False)
            several = [a._and(b) for a, b in pairs] + several[len(several) // 2 * 2 :]
        if not several:
            raise UsageProblem("There are no samples.", "Give at least one image.")
        notes = (*several[0].notes, *_of_shared(parts))
        return replace(several[0], notes=tuple(dict.fromkeys(notes)))

    @property
    def labels(self) -> Classes:
        """The data of a classification."""
        assert isinstance(self.data, Classes)
        return self.data

    @property
    def label_sets(self) -> LabelSets:
        """The data of a multi-label classification."""
        assert isinstance(self.data, LabelSets)
        return self.data

    @property
    def boxes(self) -> Detections:
        """The data of a detection or an instance segmentation."""
        assert isinstance(self.data, Detections)
        return self.data

    @property
    def segments(self) -> Segments:
        """The data of a semantic segmentation."""
        assert isinstance(self.data, Segments)
        return self.data

    @property
    def anomalies(self) -> Anomalies:
        """The data of an anomaly detection."""
        assert isinstance(self.data, Anomalies)
        return self.data

    @property
    def depths(self) -> Depths:
        """The data of a depth estimation."""
        assert isinstance(self.data, Depths)
        return self.data


def _of_shared(parts: Sequence[Predictions]) -> tuple[str, ...]:
    """Say which samples are in several parts; a place in a batch names no sample."""
    seen: dict[str, Predictions] = {}
    shared: list[str] = []
    for part in parts:
        shared += [one for one in part.ids if one in seen and _is_same(one, seen[one], part)]
        seen |= dict.fromkeys(part.ids, part)
    if not shared:
        return ()
    named = ", ".join(shared[:5]) + (", …" if len(shared) > 5 else "")
    return (f"{len(shared):,} of the samples joined were there already and count again: {named}.",)


def _is_same(one: str, mine: Predictions, theirs: Predictions) -> bool:
    if not (_are_places(mine.ids) or _are_places(theirs.ids)):
        return True
    if mine.pixels is None or theirs.pixels is None:
        return False
    pictures = (part.pixels.digests()[part.ids.index(one)] for part in (mine, theirs))  # type: ignore[union-attr]
    return len(set(pictures)) == 1


def _are_places(ids: tuple[str, ...]) -> bool:
    return ids[0] == "0" and ids == tuple(map(str, range(len(ids))))


def _given_of_both(mine: Predictions, theirs: Predictions) -> Given | None:
    """Return the inputs of both; of ids that occur twice only the first are certain."""
    if mine.given is None or theirs.given is None or set(mine.ids) & set(theirs.ids):
        return mine.given
    both = mine.given + theirs.given
    return None if both is None else both.thin()
