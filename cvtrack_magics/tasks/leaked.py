"""Which samples of predictions the training set has too, as a check of the data found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from cvtrack_magics.capture.pictures.leaked import CheckedAgainst, KnownSample
from cvtrack_magics.tasks.picture_sketch import sketch
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.likeness.same_names import pictures_agree

COLUMN = "leaked"
"""The column of samples that ``%mleval`` parts them by."""


def leaked_rows(predictions: Predictions, checked: CheckedAgainst) -> tuple[bool, ...] | None:
    """Return which samples leaked.

    Samples are known by their name (a path within the set, or the end of one), or by their
    index in the data set. The pictures must agree where there are any; an index of a list of
    files, which may be in another order, is believed only where they do.

    Parameters
    ----------
    predictions : Predictions
        N samples.
    checked : CheckedAgainst
        The set that they may be of.

    Returns
    -------
    tuple of bool, N, or None
        None where it is not certain which sample is which.
    """
    drawn = sketch(predictions)
    numbers = all(name.isdigit() for name in predictions.ids)
    for key in (_index, _name, _file, _stem):
        known = _by(checked.samples, key)
        if any(name not in known for name in predictions.ids):
            continue
        agree = pictures_agree(drawn, {name: known[name].grey for name in drawn})
        certain = _is_indexed(checked.samples) if key is _index else not numbers
        if agree or (agree is None and certain):
            return tuple(known[name].leaked for name in predictions.ids)
    return None


def _by(
    samples: Sequence[KnownSample], key: Callable[[KnownSample, int], str]
) -> dict[str, KnownSample]:
    """Return samples by a name that only one of them has."""
    names = [key(one, at) for at, one in enumerate(samples)]
    counts = Counter(names)
    return {name: one for name, one in zip(names, samples, strict=True) if counts[name] == 1}


def _index(one: KnownSample, at: int) -> str:
    return str(at if one.place is None else one.place)


def _name(one: KnownSample, at: int) -> str:
    del at
    return one.name


def _file(one: KnownSample, at: int) -> str:
    return _name(one, at).rpartition("/")[2]


def _stem(one: KnownSample, at: int) -> str:
    file = _file(one, at)
    return file.rpartition(".")[0] or file


def _is_indexed(samples: Sequence[KnownSample]) -> bool:
    return all(one.place is not None for one in samples)
