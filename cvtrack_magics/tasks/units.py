"""Which samples belong together: frames of one video, or the same picture twice.

They are no independent witnesses. Every sample counts in a figure, but how sure the figure is
depends on how many *units* there are: groups of samples that belong together, or single samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from cvtrack_magics.artifacts.evaluation import NO_INTERVAL
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.tasks.counting import Options, counted
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.truth_digest import truths

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Cluster: TypeAlias = Sequence[Any] | Mapping[str, Any] | Callable[[str], Any]

FEWEST = 3
"""Units of a part below which nothing is said of how much it varies."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """The unit of each sample.

    Attributes
    ----------
    of : int64, N
        The unit of each sample, from 0 in the order of their first ids, so that they do not
        depend on the order of the samples.
    count : int
        How many units there are.
    """

    of: Ints
    count: int

    @property
    def single(self) -> bool:
        """Whether every sample is a unit of its own."""
        return self.count == len(self.of)

    def sums(self, values: Any) -> Any:
        """Return the sums of N × … values over each unit, float64 G × …."""
        values = np.asarray(values, np.float64)
        total = np.zeros((self.count, *values.shape[1:]))
        np.add.at(total, self.of, values)
        return total

    def column(self) -> dict[str, Ints]:
        """Return the column ``cluster`` of a table of the samples; none of single samples."""
        return {} if self.single else {"cluster": self.of}

    def take(self, rows: Any, ids: Sequence[str]) -> Units:
        """Return the units of some samples, which have ``ids``."""
        return numbered(ids, self.of[rows].tolist())


def numbered(ids: Sequence[str], keys: Sequence[Any]) -> Units:
    """Return a unit for each different key.

    Parameters
    ----------
    ids : sequence of str, N
        Names of the samples, all different.
    keys : sequence of hashable, N
        What samples of one unit have in common.
    """
    # not sorted by NumPy, whose strings drop a NUL at the end
    order = sorted(range(len(ids)), key=ids.__getitem__)
    places: dict[Any, int] = {}
    of = np.empty(len(ids), np.int64)
    for row in order:
        of[row] = places.setdefault(keys[row], len(places))
    return Units(of, len(places))


@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """How samples were drawn, and what is asked of their intervals.

    Attributes
    ----------
    units : Units
        Which of the samples belong together.
    options : Options
        ``resamples``, ``level`` and ``seed``.
    notes : list of str
        Told what a reader of an interval should know.
    """

    units: Units
    options: Options
    notes: list[str]

    @property
    def wanted(self) -> bool:
        """Whether an interval is asked for, and there is more than one unit."""
        return self.options.resamples > 0 and self.units.count > 1

    def too_few(self, units: Sequence[float] | Floats, names: Sequence[str], what: str) -> bool:
        """Return whether some part was seen in too few units for an interval, and note which.

        Parameters
        ----------
        units : sequence of float, K
            In how many units each part of the figure was seen.
        names : sequence of str, K
            Of each part.
        what : str
            Between unit and name: ``with``, ``of class``.
        """
        few = [
            (int(count), name) for count, name in zip(units, names, strict=True) if count < FEWEST
        ]
        if not few:
            return False
        word = "samples" if self.units.single else "clusters"
        shown = ", ".join(f"{name} ({count})" for count, name in few[:5])
        more = f" and {len(few) - 5:,} more" if len(few) > 5 else ""
        self.notes.append(
            f"{NO_INTERVAL}too few {word} {what} {shown}{more}; {FEWEST} are the least."
        )
        return True


def sampling_of(
    predictions: Predictions,
    options: Options,
    notes: list[str],
    rows: Ints | None = None,
) -> Sampling:
    """Return how the samples that were measured (all, or some rows) were drawn.

    Raises
    ------
    UsageProblem
        ``options.cluster`` has no key for some sample.
    """
    units = _units_of(predictions, options.cluster, notes)
    if rows is not None:
        units = units.take(rows, [predictions.ids[row] for row in rows])
    return Sampling(units, options, notes)


def _units_of(predictions: Predictions, cluster: Cluster | None, notes: list[str]) -> Units:
    """Return which samples belong together: by a key, and by having the same picture and truth.

    Parameters
    ----------
    predictions : Predictions
        N samples.
    cluster : sequence, mapping or callable, optional
        A key of each sample, in order; or by its id.
    notes : list of str
        Told what was found.

    Raises
    ------
    UsageProblem
        There is no key for some sample.
    """
    ids = predictions.ids
    keys = list(range(len(ids))) if cluster is None else keys_of(ids, cluster)
    joined = _with_copies(predictions, keys)
    made = numbered(ids, joined)
    if cluster is not None:
        notes.append(
            f"{counted(made.count, 'cluster')} of {counted(len(ids), 'sample')}: "
            "the interval counts clusters."
        )
    elif not made.single:
        copies = counted(len(ids) - made.count, "sample")
        are = "is a copy" if len(ids) - made.count == 1 else "are copies"
        notes.append(f"{copies} {are} of other samples' pictures: the interval counts them once.")
    return made


def keys_of(ids: Sequence[str], cluster: Cluster) -> list[Any]:
    """Return the key of each sample, in order.

    Raises
    ------
    UsageProblem
        There is no key for some sample.
    """
    if callable(cluster):
        keys = [cluster(name) for name in ids]
    elif isinstance(cluster, Mapping):
        lost = [name for name in ids if name not in cluster]
        if lost:
            raise UsageProblem(
                f"cluster has no key for {counted(len(lost), 'sample')}, the first is {lost[0]!r}."
            )
        keys = [cluster[name] for name in ids]
    else:
        if not (hasattr(cluster, "__len__") and hasattr(cluster, "__iter__")):
            raise UsageProblem(
                "cluster is no sequence of keys, mapping or function, but "
                f"{type(cluster).__name__}.",
                "Give a key for each sample, in order: the video a frame is of.",
            )
        keys = list(cluster)
        if isinstance(cluster, str) or len(keys) != len(ids):
            given = "a text" if isinstance(cluster, str) else counted(len(keys), "key")
            raise UsageProblem(
                f"cluster is {given} for {counted(len(ids), 'sample')}.",
                "Give a key for each sample, in order: the video a frame is of.",
            )
    return [str(key) for key in keys]


def _with_copies(predictions: Predictions, keys: list[Any]) -> list[Any]:
    """Return the keys, one for all that share a picture, and so on from key to key."""
    pixels = predictions.pixels
    if pixels is None:
        return keys
    known: dict[Any, Any] = {}

    def root(key: Any) -> Any:
        while known.setdefault(key, key) != key:
            known[key] = known[known[key]]
            key = known[key]
        return key

    first: dict[tuple[str, bytes], Any] = {}
    # of another truth it is another sample
    content = list(zip(pixels.digests(), truths(predictions), strict=True))
    if len(set(content)) > 1 == len({picture for picture, _ in content}):
        return keys  # one picture of several truths stands for pictures that were not given
    for key, picture in zip(keys, content, strict=True):
        known[root(key)] = root(first.setdefault(picture, key))
    return [root(key) for key in keys]
