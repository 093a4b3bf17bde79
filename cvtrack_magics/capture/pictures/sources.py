"""Opens what people have as pictures with labels: folders, annotations, arrays, data sets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.data import arrow_tables, shapes, tables
from cvtrack_magics.capture.data.class_names import classes_of
from cvtrack_magics.capture.data.detached import detached
from cvtrack_magics.capture.data.file_lists import read_list
from cvtrack_magics.capture.data.folders import list_files
from cvtrack_magics.capture.data.members import members_of
from cvtrack_magics.capture.data.randomness import without_transforms
from cvtrack_magics.capture.data.samples import array_parts
from cvtrack_magics.capture.data.torchdata import is_dataset
from cvtrack_magics.capture.pictures.coco_file import coco_split
from cvtrack_magics.capture.pictures.items import Picture, Split
from cvtrack_magics.capture.pictures.sample_parts import boxes_of, label_of, picture_of
from cvtrack_magics.errors import UsageProblem

_SUFFIXES = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
        *(".ppm", ".pgm", ".pnm", ".jp2"),
    )
)
_SPLITS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing", "dev"))
_LABELS = ("label", "labels", "class", "class_name", "target", "targets", "category", "y")
_KINDS = "a folder, a COCO file, a table of paths, arrays or a data set"


def split_of(value: Any, images: str = "") -> Split:
    """Return the pictures of a set.

    Parameters
    ----------
    value : object
        A path, a list or table of paths, an array of pictures, (pictures, labels), a dict with
        both, or a torch data set or loader.
    images : str
        The folder of a COCO file's pictures.

    Raises
    ------
    UsageProblem
        There are no pictures in it.
    """
    made = _of_path(value, images) if isinstance(value, (str, os.PathLike)) else _of_value(value)
    if made is None or not made.pictures:
        what = value if isinstance(value, (str, os.PathLike)) else type(value).__name__
        raise UsageProblem(f"There are no pictures in {os.fspath(what)!r}.", f"Give {_KINDS}.")
    return made


def _of_path(value: str | os.PathLike[str], images: str) -> Split | None:
    path = Path(os.path.abspath(os.path.expanduser(os.fspath(value))))
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise UsageProblem(f"There is no file or folder {os.fspath(value)!r}.", f"Give {_KINDS}.")
    if path.suffix.lower() == ".json":
        return coco_split(path, images)
    table = tables.read_csv(path) or read_list(path) or arrow_tables.read_parquet(path)
    return None if table is None else _of_table(table)


def _of_folder(root: Path) -> Split:
    listing = list_files(str(root))
    names = sorted(n for n in listing.names if os.path.splitext(n)[1].lower() in _SUFFIXES)
    labels = _folder_labels(names)
    pictures = [
        Picture(name, label, f"{root}{os.sep}{name}")
        for name, label in zip(names, labels, strict=True)
    ]
    return Split(pictures, notes=tuple(listing.skipped))


def _folder_labels(names: Sequence[str]) -> list[str | None]:
    """Return the class of each file as its folder says, where every file lies in one of several."""
    parts = [name.split("/")[:-1] for name in names]
    parts = [part[1:] if part and part[0].lower() in _SPLITS else part for part in parts]
    first = {part[0] if part else "" for part in parts}
    if "" in first or len(first) < 2 or first <= {"images", "labels", "masks"}:
        return [None] * len(names)
    return [part[0] for part in parts]


def _of_table(table: tables.Table) -> Split | None:
    columns = tables.path_columns(table)
    if not columns:
        return None
    others = [name for name in table.columns if name not in columns]
    named = next((name for name in others if name.lower() in _LABELS), "")
    named = named or (others[0] if len(others) == 1 else "")
    paths = [
        os.path.abspath(os.path.join(table.folder, os.path.expanduser(os.fspath(one))))
        for one in table.columns[columns[0]]
    ]
    labels = [str(one) for one in table.columns[named]] if named else [None] * len(paths)
    root = os.path.commonpath([os.path.dirname(path) for path in paths])
    names = [os.path.relpath(path, root).replace(os.sep, "/") for path in paths]
    if not named:
        labels = _folder_labels(names)  # type: ignore[assignment]
    return Split([Picture(*row) for row in zip(names, labels, paths, strict=True)])


def _of_value(value: Any) -> Split | None:
    table = tables.as_table(value) or arrow_tables.of_arrow(value)
    if table is not None and tables.path_columns(table):
        return _of_table(table)
    pair = _pair(value)
    if pair is not None:
        if isinstance(pair[0], (str, os.PathLike)):
            return _of_path(pair[0], os.fspath(pair[1]))
        return _of_rows(*pair)
    if hasattr(value, "dataset") and hasattr(value, "batch_sampler"):
        value = value.dataset
    if is_dataset(value) and not shapes.is_array(value):
        return _of_dataset(value)
    rows = shapes.is_array(value) or isinstance(value, (list, tuple))
    return _of_rows(value, None) if rows else None


def _pair(value: Any) -> tuple[Any, Any] | None:
    """Return pictures and labels of a tuple or dict of two, or a COCO file and its folder."""
    if isinstance(value, Mapping):
        pictures = next((value[k] for k in ("images", "image", "x", "data") if k in value), None)
        labels = next((value[key] for key in _LABELS if key in value), None)
        return None if pictures is None else (pictures, labels)
    if not (isinstance(value, tuple) and len(value) == 2):
        return None
    first, second = value
    if all(isinstance(each, (str, os.PathLike)) for each in value):
        return first, second
    fits = hasattr(first, "__len__") and hasattr(second, "__len__") and len(first) == len(second)
    return (first, second) if fits and getattr(first, "ndim", 4) > 2 else None


def _of_rows(pictures: Any, labels: Any) -> Split:
    count = len(pictures)
    names = None if labels is None else [label_of(labels[at]) for at in range(count)]

    def load(at: int) -> Any:
        return pictures[at]

    width = len(str(max(0, count - 1)))
    return Split(
        [
            Picture(
                f"{at:0{width}d}",
                names[at] if names else None,
                load=partial(load, at),
                boxes=() if labels is None else boxes_of(labels[at]),
                place=at,
            )
            for at in range(count)
        ]
    )


def _of_dataset(value: Any) -> Split:
    bases, members = members_of(value, None)
    opened = [_opened(base) for base in bases]
    width = len(str(max(0, len(members) - 1)))
    pictures = [opened[n](at, f"{place:0{width}d}") for place, (n, at) in enumerate(members)]
    if len(bases) == 1:  # an index of one of several says nothing of the others'
        pictures = [replace(one, place=at) for one, (_, at) in zip(pictures, members, strict=True)]
    classes = [name for base in bases for name, _ in classes_of(base)]
    return Split(pictures, classes=tuple(dict.fromkeys(map(str, classes))))


def _opened(base: Any) -> Callable[[int, str], Picture]:
    """Return what makes the picture at a place of a data set, under a name where it has none."""
    classes: dict[int, str] = {int(str(number)): str(name) for name, number in classes_of(base)}
    listed = getattr(base, "samples", None)
    if isinstance(listed, list) and hasattr(base, "class_to_idx"):
        root = os.path.abspath(str(getattr(base, "root", "") or os.getcwd()))

        def of_file(at: int, _: str) -> Picture:
            path, number = os.path.abspath(str(listed[at][0])), listed[at][1]
            name = os.path.relpath(path, root).replace(os.sep, "/")
            return Picture(name, classes.get(number, str(number)), path)

        return of_file
    parts = array_parts(base)
    if parts is not None:
        data, *labels = parts.values()

        def of_row(at: int, name: str) -> Picture:
            label = label_of(labels[0][at], classes) if labels else None
            return Picture(name, label, load=lambda: data[at])

        return of_row
    return partial(_of_sample, detached(without_transforms(base) or base), classes)


def _of_sample(base: Any, classes: Mapping[int, str], at: int, name: str) -> Picture:
    """Return a sample of a data set of anybody's, which is read for its label now."""
    try:
        sample = base[at]
    except Exception as error:  # told where pictures that cannot be read are told
        return Picture(name, load=partial(_raise, error))
    return Picture(
        name,
        label_of(sample, classes, whole=True),
        load=lambda: picture_of(base[at]),
        boxes=boxes_of(sample, classes),
    )


def _raise(error: Exception) -> None:
    raise error
