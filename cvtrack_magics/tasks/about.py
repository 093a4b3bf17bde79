"""What is known of samples beside truth and prediction: a camera, a patient, whether it is night.

A column has one value a sample: a text, a number, yes or no, or None where it is not known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from cvtrack_magics.errors import UsageProblem

Value: TypeAlias = "str | float | bool | None"
About: TypeAlias = Mapping[str, tuple[Value, ...]]


def read_about(given: Any, ids: Sequence[str]) -> About:
    """Return the columns of N samples.

    Parameters
    ----------
    given : mapping, DataFrame or None
        A column by its name: N values in order, or a mapping by the samples' ids. Of a
        DataFrame the columns, its rows by id where its index has all ids, in order otherwise.
    ids : sequence of str, N
        Names of the samples.

    Raises
    ------
    UsageProblem
        A column has not one value for each sample.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        given = _columns_of_frame(given, ids)
    return {_named(name): _column(str(name), values, ids) for name, values in given.items()}


def taken(about: About, rows: Iterable[int]) -> About:
    """Return the columns of some samples."""
    chosen = list(rows)
    return {name: tuple(values[row] for row in chosen) for name, values in about.items()}


def joined(mine: About, own: int, theirs: About, other: int) -> About:
    """Return the columns of ``own`` samples and ``other`` ones; None where one side has none."""
    names = dict.fromkeys((*mine, *theirs))
    return {
        name: (*mine.get(name, (None,) * own), *theirs.get(name, (None,) * other)) for name in names
    }


def _named(name: Any) -> str:
    text = str(name).strip()
    if not text or "/" in text or "*" in text or "," in text:
        raise UsageProblem(
            f"about: {text!r} cannot be the name of a column.",
            "Use a plain word: camera, patient, night.",
        )
    return text


def _column(name: str, values: Any, ids: Sequence[str]) -> tuple[Value, ...]:
    if isinstance(values, Mapping):
        lost = [one for one in ids if one not in values]
        if lost:
            raise UsageProblem(
                f"about: {name} has no value for {len(lost):,} of {len(ids):,} samples, the first "
                f"is {lost[0]!r}.",
                "Give None where it is not known.",
            )
        values = [values[one] for one in ids]
    listed = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(listed, (str, bytes)) or not isinstance(listed, Iterable):
        raise UsageProblem(
            f"about: {name} is one value, {type(values).__name__}.",
            f"Give {len(ids):,}, one a sample, in order; or a dict by the samples' ids.",
        )
    found = tuple(map(_value, listed))
    if len(found) != len(ids):
        raise UsageProblem(f"about: {name} has {len(found):,} values for {len(ids):,} samples.")
    return found


def _columns_of_frame(frame: Any, ids: Sequence[str]) -> dict[str, Any]:
    """Return the columns of a table that has ``columns`` and ``index`` as pandas' has."""
    if not (hasattr(frame, "columns") and hasattr(frame, "index")):
        raise UsageProblem(
            f"about is a {type(frame).__name__}.",
            "Give a dict of columns, as in {'camera': [...]}, or a DataFrame.",
        )
    places: dict[str, int] = {}
    for at, one in enumerate(frame.index):
        places.setdefault(str(one), at)
    columns = {str(name): list(frame[name]) for name in frame.columns}
    if len(places) == len(frame.index) and all(one in places for one in ids):
        rows = [places[one] for one in ids]
        return {name: [values[row] for row in rows] for name, values in columns.items()}
    return columns


def _value(value: Any) -> Value:
    """Return a value as a file can have it."""
    item = getattr(value, "item", None)
    if callable(item) and not isinstance(value, (str, bytes)):
        value = item()
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        number = float(value)
        return None if math.isnan(number) else number
    return str(value)
