"""Nested ``Subset`` and ``ConcatDataset`` opened: whose samples they are, and which."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from cvtrack_magics.errors import UsageProblem

Member = tuple[int, int]
"""Number of the data set below, and place in it."""


def members_of(value: Any, indices: Sequence[int] | None) -> tuple[list[Any], list[Member]]:
    """Open a data set down to those that have samples of their own.

    Parameters
    ----------
    value : Dataset
        Any nesting of ``Subset`` (so ``random_split``) and ``ConcatDataset``.
    indices : sequence of int, optional
        Places in it, repeats included; all by default.

    Returns
    -------
    bases : list of Dataset
        The data sets at the bottom.
    members : list of (int, int)
        One for each sample, in order.

    Raises
    ------
    UsageProblem
        An index is beyond the data set.
    """
    bases: list[Any] = []
    whole = range(len(value)) if indices is None else indices
    return bases, _open(value, list(whole), bases)


def is_torch(value: object, name: str) -> bool:
    """Say whether a value is of torch's own class of a name, and no user's of the same."""
    kind = type(value)
    return kind.__name__ == name and kind.__module__.startswith("torch.")


def _open(value: Any, indices: list[int], bases: list[Any]) -> list[Member]:
    if is_torch(value, "Subset"):
        own = _places(value, indices)
        if own is not None:
            return _open(value.dataset, own, bases)
    if is_torch(value, "ConcatDataset"):
        return _open_parts(value, indices, bases)
    number = next((n for n, base in enumerate(bases) if base is value), len(bases))
    if number == len(bases):
        bases.append(value)
    return [(number, index) for index in indices]


def _places(value: Any, indices: list[int]) -> list[int] | None:
    """Return the places of a subset's members below it; ``None`` where they are no numbers."""
    try:
        own = [int(index) for index in value.indices]
    except (TypeError, ValueError):  # of a data set that is read by names
        return None
    beyond = next((index for index in indices if not -len(own) <= index < len(own)), None)
    if beyond is not None:
        raise _no_sample(value, beyond, len(own))
    return [own[index] for index in indices]


def _no_sample(value: Any, index: int, count: int) -> UsageProblem:
    kind = type(value).__name__
    return UsageProblem(
        f"{kind} has no sample {index}: it has {count:,}.",
        "Correct the indices of the subset or sampler.",
    )


def check_places(base: Any, places: Sequence[int]) -> None:
    """Refuse places beyond the end of a data set of arrays.

    Raises
    ------
    UsageProblem
        There is one.
    """
    count = len(base)
    beyond = next((place for place in places if not -count <= place < count), None)
    if beyond is not None:
        raise _no_sample(base, beyond, count)


def _open_parts(value: Any, indices: list[int], bases: list[Any]) -> list[Member]:
    ends = list(value.cumulative_sizes)
    wanted: list[list[int]] = [[] for _ in ends]
    total = ends[-1] if ends else 0
    beyond = next((index for index in indices if not -total <= index < total), None)
    if beyond is not None:
        raise _no_sample(value, beyond, total)
    places = [index + total if index < 0 else index for index in indices]
    homes = [bisect_right(ends, index) for index in places]
    for index, home in zip(places, homes, strict=True):
        wanted[home].append(index - (ends[home - 1] if home else 0))
    found = [
        iter(_open(part, own, bases)) for part, own in zip(value.datasets, wanted, strict=True)
    ]
    return [next(found[home]) for home in homes]
