"""The content of the files and folders that the rows of a table name."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.capture.data.folders import FolderIdentity, identify_files, list_files
from cvtrack_magics.capture.data.manifest import Entry, manifest_digest, manifest_text
from cvtrack_magics.capture.data.manyfiles import Progress
from cvtrack_magics.capture.data.samples import file_names, known_files
from cvtrack_magics.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class NamedContent:
    """What paths name.

    Attributes
    ----------
    found : FolderIdentity
        Of all files, those in the folders included.
    names : dict of str to str
        By path, the name below the folder that all share.
    content : dict of str to (str, int)
        By that name, SHA-256 and bytes: a folder's is the digest of it alone.
    """

    found: FolderIdentity
    names: dict[str, str]
    content: dict[str, tuple[str, int]]


def read_named(paths: Iterable[str], cache: Path | None, progress: Progress | None) -> NamedContent:
    """Read the files that absolute paths name, and all files of the folders among them.

    Raises
    ------
    UsageProblem
        A folder is empty, or a file cannot be read.
    """
    every = sorted(set(paths))
    root = os.path.commonpath([os.path.dirname(path) for path in every])
    names = dict(zip(every, file_names(every, root), strict=True))
    inside = {names[path]: _inside(path) for path in every if os.path.isdir(path)}
    files = {name for name in names.values() if name not in inside}
    files.update(f"{name}/{file}" for name, below in inside.items() for file in below)
    found = identify_files(root, sorted(files), cache, progress)
    content = known_files(found.manifest)
    for name, below in inside.items():
        held = [(file, *content[f"{name}/{file}"]) for file in below]
        text = manifest_text(Entry(sha256, size, file) for file, sha256, size in held)
        content[name] = (manifest_digest(text), sum(size for _, _, size in held))
    return NamedContent(found, names, content)


def _inside(folder: str) -> list[str]:
    names = list_files(folder).names
    if not names:
        raise UsageProblem(f"There is no file in {folder!r}.", "Every path counts; leave it out.")
    return names
