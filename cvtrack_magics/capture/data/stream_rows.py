"""The samples that a stream gave, as rows of a digest."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from cvtrack_magics.capture.data.arrays import hash_value
from cvtrack_magics.capture.data.handles import kind_of_handle, members_of_handle
from cvtrack_magics.capture.data.scheme import Sample, label_text
from cvtrack_magics.capture.data.shapes import as_frame, is_array, is_image, is_table
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.text import utf8


def sha256_of(texts: Iterable[str]) -> str:
    """Return the SHA-256 of lines, in hexadecimal."""
    return hashlib.sha256(utf8("\n".join(texts))).hexdigest()


def rows_of(
    data: list[Any], known: Mapping[str, tuple[str, int]]
) -> tuple[list[Sample], list[str]]:
    """Return lists and arrays of one length as rows, and the SHA-256 of each of the others."""
    columns = [column for item in data if (column := _column(item, known)) is not None]
    names_files = [c for c in columns if any(_named(part, known) for part in _flat(c[0]))]
    if names_files or columns:
        most = len(max(names_files or columns, key=len))
        rows = [_sample([c[at] for c in columns if len(c) == most], known) for at in range(most)]
        others = [c for c in columns if len(c) != most]
        return rows, [sha256_of(s.line for s in (_sample([e], known) for e in c)) for c in others]
    return [], []


def _column(item: Any, known: Mapping[str, tuple[str, int]]) -> Any | None:
    """Return a list or array as a column; ``None`` of what cannot be hashed or holds lists."""
    if kind_of_handle(item):
        return [sample.line for sample in members_of_handle(item)[0]] or None
    if isinstance(item, Mapping):
        if any(isinstance(each, (Mapping, list)) or is_array(each) for each in item.values()):
            return None  # its lists are columns themselves
        item = list(item.items())
    elif isinstance(item, (set, frozenset, deque)):
        item = list(item) if isinstance(item, deque) else sorted(item, key=str)
    elif is_table(item):
        frame = as_frame(item)
        if frame is None:
            return None
        plain = type(frame.index).__name__ == "RangeIndex"
        item = (frame if plain else frame.reset_index()).values.tolist()
    elif is_image(item) or (is_array(item) and not getattr(item, "ndim", 0)):
        item = [item]
    try:
        for each in () if is_array(item) else item:
            _sample([each], known)
    except UsageProblem:  # functions and stages, which the code covers
        return None
    return None if len(item) == 0 else item


def _sample(row: list[Any], known: Mapping[str, tuple[str, int]]) -> Sample:
    parts = [part for each in row for part in _flat(each)]
    files = [known[path] for part in parts if (path := _named(part, known))]
    others = [part for part in parts if not _named(part, known)]
    if not files:
        sha256, size = hash_value(parts)
        return Sample(sha256, "", size)
    more = [sha256 for sha256, _ in files[1:]]
    return Sample(files[0][0], "\t".join([*more, label_text(others)]), files[0][1])


def _flat(item: Any) -> list[Any]:
    if isinstance(item, Mapping):
        return [part for key in sorted(item, key=str) for part in _flat(item[key])]
    if isinstance(item, (list, tuple)):
        return [part for each in item for part in _flat(each)]
    return [item]


def _named(part: Any, known: Mapping[str, tuple[str, int]]) -> str:
    path = _path_of(part)
    return path if path in known else ""


def _path_of(part: Any) -> str:
    if not isinstance(part, (str, os.PathLike)):
        return ""
    return os.path.abspath(os.path.expanduser(os.fsdecode(part)))
