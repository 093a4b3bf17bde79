"""A YAML or JSON file that names a data set's folders, lists or files: what it names is the data.

YOLO's ``data.yaml`` is the best known: ``path``, and ``train``, ``val`` and ``test`` below it, each
a folder, a list of files, or several of these. Its labels lie in ``labels/`` beside ``images/``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.data.folders import identify_files, list_files
from cvtrack_magics.capture.data.manyfiles import Progress
from cvtrack_magics.capture.data.places import SUFFIXES, is_file, path_of
from cvtrack_magics.capture.data.torchdata import Identity
from cvtrack_magics.limits import file_bytes, yaml_of

_SPLITS = ("train", "val", "valid", "validation", "test", "minival")
_LARGEST = 1_000_000  # bytes of a description
_LIST = 1 << 28
_LISTS = (".txt", ".lst")


@dataclass(frozen=True, slots=True)
class Named:
    """The files that a description names, itself among them, and what it names that is not here."""

    files: tuple[str, ...]
    missing: tuple[str, ...]


def identify_splits(path: Path, cache: Path | None, progress: Progress | None) -> Identity | None:
    """Identify the data that a YAML or JSON file describes, with it; None of any other file.

    Parameters
    ----------
    path : Path
        An absolute path.
    cache, progress
        As for :func:`~cvtrack_magics.capture.data.folders.identify_folder`.
    """
    said = _description(path)
    named = _named_in_json(path) if said is None else _named(path, said)
    if named is None:
        return None
    root = os.path.commonpath([os.path.dirname(file) for file in named.files])
    names = [os.path.relpath(file, root).replace(os.sep, "/") for file in named.files]
    found = identify_files(root, names, cache, progress)
    profile: dict[str, object] = {"files": found.files, "bytes": found.size}
    alone = len(named.files) == 1  # a file's digest is its own
    return Identity(
        found.manifest[:64] if alone else found.digest,
        found.manifest,
        {"kind": "splits", "described_by": path.name},
        profile,
        (*found.notices, *_notices(path, named)),
    )


def _notices(path: Path, named: Named) -> Iterator[str]:
    if not named.missing:
        return
    some = ", ".join(named.missing[:3]) + (", …" if named.missing[3:] else "")
    what = "the rest" if len(named.files) > 1 else "only the file itself"
    yield f"{path.name} names what is not here ({some}): {what} was hashed."


def _description(path: Path) -> Mapping[str, Any] | None:
    if path.suffix.lower() not in (".yaml", ".yml"):
        return None
    try:
        text = file_bytes(path, _LARGEST)
        said = yaml_of(text.decode("utf-8-sig")) if len(text) <= _LARGEST else None
    except Exception:  # readers of YAML raise what they like; then it is a file like any other
        return None
    if not isinstance(said, Mapping):
        return None
    return said if any(_texts(said.get(split)) for split in _SPLITS) else None


def _named_in_json(path: Path) -> Named | None:
    """Return the files that a JSON file names at any depth, such as COCO's; None where none is.

    Relative names start from the file's folder or from here.
    """
    if path.suffix.lower() != ".json" or path.stat().st_size > _LIST:
        return None
    try:
        waiting = [json.loads(path.read_text(encoding="utf-8-sig"))]
    except (OSError, ValueError, RecursionError):
        return None
    files = {str(path): None}
    missing = 0
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and os.path.splitext(item)[1].lower() in SUFFIXES:
            place = next((one for one in (str(path.parent), "") if is_file(item, one)), None)
            if place is None:
                missing += 1
            else:
                files[path_of(item, place)] = None
    if len(files) == 1:
        return None
    return Named(tuple(files), (f"{missing:,} files",) if missing else ())


def _texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item.strip()]


def _named(path: Path, said: Mapping[str, Any]) -> Named:
    files, missing = {str(path): None}, []
    roots = _roots(path, said)
    for split in _SPLITS:
        for text in _texts(said.get(split)):
            place = next((place for place in _places(text, roots) if os.path.exists(place)), "")
            if not place:
                missing.append(f"{split}: {text}")
                continue
            for file in _files(place, roots):
                if os.path.isfile(file):
                    files |= dict.fromkeys((file, *_label(file)))
                else:
                    missing.append(file)
    return Named(tuple(files), tuple(missing))


def _roots(path: Path, said: Mapping[str, Any]) -> list[str]:
    """Return the folders that relative paths may start from, the likeliest first."""
    base = said.get("path")
    above = [str(path.parent), os.getcwd()]
    if not isinstance(base, str):
        return above
    return [os.path.join(folder, os.path.expanduser(base)) for folder in above] + above


def _places(text: str, roots: list[str]) -> Iterator[str]:
    text = os.path.expanduser(text)
    for root in roots:
        yield os.path.normpath(os.path.join(root, text))
    if text.startswith("../"):  # some are read as if they began one folder below
        for root in roots:
            yield os.path.normpath(os.path.join(root, text[3:]))


def _files(place: str, roots: list[str]) -> Iterator[str]:
    """Yield the files of a folder, or of a list and itself."""
    if os.path.isdir(place):
        yield from (os.path.join(place, name) for name in list_files(place).names)
        return
    yield place
    if not place.lower().endswith(_LISTS):
        return
    lines = file_bytes(Path(place), _LIST).decode("utf-8-sig", "replace").splitlines()
    for line in filter(None, map(str.strip, lines)):
        places = list(_places(line, [os.path.dirname(place), *roots]))
        yield next((one for one in places if os.path.isfile(one)), places[0])


def _label(file: str) -> tuple[str, ...]:
    """Return the file with the labels of an image, where there is one."""
    before, images, after = file.rpartition(f"{os.sep}images{os.sep}")
    if not images:
        return ()
    label = os.path.join(before, "labels", os.path.splitext(after)[0] + ".txt")
    return (label,) if os.path.isfile(label) else ()
