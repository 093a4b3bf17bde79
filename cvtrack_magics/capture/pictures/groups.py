"""Samples that belong together, such as frames of one video, and stand in both sets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from cvtrack_magics.artifacts.data_check import Finding
from cvtrack_magics.capture.pictures.samples import Samples
from cvtrack_magics.errors import UsageProblem

Group: TypeAlias = str | Mapping[str, Any] | Callable[[str], Any]
_NUMBERED = re.compile(r"(?P<key>.+?)[_\-. ](?:frame|frm|fr|f)[_\-]?\d+$", re.IGNORECASE)
_FOLDER = re.compile(
    r"(?:^|[_\-. ])(?:video|vid|clip|seq|sequence|scene|drive|shot|take|track)[_\-. ]?\w*\d",
    re.IGNORECASE,
)
_LONGEST = 500
"""Characters of a name that a pattern is held against: a user's pattern may be slow."""


def keys_of(names: list[str], group: Group | None) -> list[str | None]:
    """Return the group of each name; None where it says nothing.

    Parameters
    ----------
    names : list of str
    group : str, mapping or callable, optional
        A regular expression whose first group, or whole match, is the key; or a key by name.
        Otherwise names of frames and folders of videos are taken as such.

    Raises
    ------
    UsageProblem
        It is no regular expression.
    """
    if group is None:
        return [_guessed(name) for name in names]
    if isinstance(group, str):
        try:
            pattern = re.compile(group)
        except re.error as error:
            raise UsageProblem(
                f"--group {group!r} is no regular expression: {error}.",
                "Its first group is the key, as in --group '(video\\d+)'.",
            ) from None
        found = [pattern.search(name[:_LONGEST]) for name in names]
        return [None if m is None else (m[1] if pattern.groups else m[0]) for m in found]
    keys = [group(name) if callable(group) else group.get(name) for name in names]
    return [None if key is None else str(key) for key in keys]


def _guessed(name: str) -> str | None:
    folder, _, file = name[:_LONGEST].rpartition("/")
    stem = file.rpartition(".")[0] or file
    numbered = _NUMBERED.fullmatch(stem)
    if numbered is not None:
        return numbered["key"]
    inner = folder.rpartition("/")[2]
    return inner if _FOLDER.search(inner) and stem[-1:].isdigit() else None


def shared_groups(samples: Samples, group: Group | None) -> tuple[list[Finding], set[int]]:
    """Return groups that both sets have, and the samples of the second set that are of one."""
    keys = keys_of([picture.name for picture in samples.pictures], group)
    places: dict[str, list[int]] = defaultdict(list)
    for at, key in enumerate(keys):
        if key is not None:
            places[key].append(at)
    shared = {
        key: found for key, found in places.items() if len({samples.of[at] for at in found}) > 1
    }
    late = {at for found in shared.values() for at in found if samples.of[at]}
    return list(_findings(samples, shared)), late


def _findings(samples: Samples, shared: Mapping[str, list[int]]) -> Iterator[Finding]:
    for key, found in shared.items():
        first = [next(at for at in found if samples.of[at] == split) for split in (0, 1)]
        counts = [sum(samples.of[at] == split for at in found) for split in (0, 1)]
        yield Finding(
            "group leak",
            tuple(samples.where(at) for at in first),
            tuple(samples.label(at) for at in first),
            f"{key}: {counts[0]:,} and {counts[1]:,} pictures",
        )
