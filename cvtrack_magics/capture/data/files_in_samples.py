"""The files and folders that samples name, in place of their names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.data.folders import identify_folder
from cvtrack_magics.capture.data.hashing import sha256_file
from cvtrack_magics.capture.data.opened import inside_of
from cvtrack_magics.capture.data.places import is_file, is_folder, path_of

_LONGEST = 30_000  # items of a list that is looked into


def with_files(
    value: Any, known: dict[str, str], folders: frozenset[str] | None = frozenset()
) -> Any:
    """Return a sample with the content of the files that it names in place of their names.

    Parameters
    ----------
    value : object
        Lists, tuples and dicts are looked into.
    known : dict of str to str
        SHA-256 by path, kept from one sample to the next.
    folders : frozenset of str, optional
        Folders that are not looked into; ``None`` is all.
    """
    if isinstance(value, Mapping):
        return {key: with_files(item, known, folders) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and len(value) <= _LONGEST:
        return [with_files(item, known, folders) for item in value]
    if not isinstance(value, (str, os.PathLike)):
        inside = inside_of(value)
        return value if inside is None else with_files(inside, known, folders)
    text = os.fsdecode(value)
    named = len(text) < 4096 and (os.sep in text or "." in text) and "\0" not in text
    if text not in known and named and is_file(text):
        known[text] = sha256_file(path_of(text)).sha256
    looked_into = folders is not None and text not in folders
    if text not in known and named and looked_into and is_folder(value):
        known[text] = identify_folder(Path(path_of(text))).digest
    return f"sha256:{known[text]}" if text in known else text


def folders_of_all(first: Any, last: Any) -> frozenset[str]:
    """Return the folders that two samples both name: such a one is where all of them lie."""
    return frozenset(_texts(first)) & frozenset(_texts(last))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (str, os.PathLike)):
        yield os.fsdecode(value)
    elif isinstance(value, (list, tuple)) and len(value) <= _LONGEST:
        for item in value:
            yield from _texts(item)
