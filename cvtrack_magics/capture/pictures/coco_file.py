"""The pictures of a COCO annotation file, and what is wrong with the file itself."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cvtrack_magics.capture.pictures.items import Box, Picture, Problem, Split
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.limits import file_bytes
from cvtrack_magics.plainjson import loads
from cvtrack_magics.text import visible

_LARGEST = 1 << 30


def coco_split(path: Path, folder: str = "") -> Split | None:
    """Return the pictures of a COCO file; None of any other JSON.

    Parameters
    ----------
    path : Path
        The annotation file.
    folder : str
        Of the pictures; otherwise it is looked for beside the file.

    Raises
    ------
    UsageProblem
        There is no such folder, or none that has the pictures.
    """
    try:
        said = loads(file_bytes(path, _LARGEST))
    except (ValueError, RecursionError, OSError):
        return None
    if not isinstance(said, Mapping) or not isinstance(said.get("images"), list):
        return None
    images = [one for one in said["images"] if isinstance(one, Mapping)]
    root = _root(path, folder, images)
    names = _names(said.get("categories"))
    objects = _objects(said.get("annotations"))
    problems = [*_twice(images, "id"), *_twice(images, "file_name")]
    problems += _twice(_mappings(said.get("annotations")), "id", "annotation ")
    known = {_key(one.get("id")) for one in images}
    problems += [
        Problem("boxes without a picture", f"image {visible(str(key))}"[:80], f"{len(found)} boxes")
        for key, found in objects.items()
        if key not in known
    ]
    pictures = []
    for one in images:
        picture, problem = _picture(one, root, objects.get(_key(one.get("id")), []), names)
        pictures.append(picture)
        if problem is not None:
            problems.append(problem)
    return Split(pictures, tuple(problems), tuple(names.values()))


def _picture(
    one: Mapping[str, Any],
    root: str,
    objects: Sequence[Mapping[str, Any]],
    names: Mapping[Any, str],
) -> tuple[Picture, Problem | None]:
    name = str(one.get("file_name", ""))
    boxes: list[tuple[str, Box]] = []
    classes = []
    for each in objects:
        label = names.get(_key(each.get("category_id")), str(each.get("category_id")))
        classes.append(label)
        if "bbox" in each:
            boxes.append((label, _corners(each["bbox"])))
    wide, high = one.get("width"), one.get("height")
    known = (wide, high) if isinstance(wide, int) and isinstance(high, int) else None
    path = _inside(root, name)
    problem = None if path else Problem("no such file", name, "it leads out of the folder")
    said = ", ".join(sorted(set(classes))) if objects else None
    return Picture(name, said, path or os.devnull, None, tuple(boxes), known), problem


def _corners(box: Any) -> Box:
    values = box if isinstance(box, (list, tuple)) and len(box) == 4 else [math.nan] * 4
    numbers = [float(v) if isinstance(v, (int, float)) else math.nan for v in values]
    left, top, wide, high = numbers
    return left, top, left + wide, top + high


def _root(path: Path, folder: str, images: Sequence[Mapping[str, Any]]) -> str:
    if folder:
        root = os.path.abspath(os.path.expanduser(folder))
        if not os.path.isdir(root):
            raise UsageProblem(f"There is no folder {folder!r}.", "It is that of the pictures.")
        return root
    first = [str(one.get("file_name", "")) for one in images[:20]]
    for place in _places(path):
        if any(os.path.isfile(found) for found in (_inside(str(place), n) for n in first) if found):
            return str(place)
    raise UsageProblem(
        f"The pictures of {path.name} are not beside it.", "--images FOLDER says where they are."
    )


def _places(path: Path) -> Iterator[Path]:
    """Yield the folders where the pictures of an annotation file usually are."""
    words = re.split(r"[_\-.]", path.stem)
    for above in (path.parent, path.parent.parent):
        yield above
        for name in ("images", path.stem, *words):
            yield above / name
            yield above / "images" / name


def _inside(root: str, name: str) -> str:
    """Return a file's path where its name stays in the folder; else nothing."""
    if not name or "\0" in name or os.path.isabs(name):
        return ""
    whole = os.path.normpath(os.path.join(root, name))
    return whole if whole.startswith(root.rstrip(os.sep) + os.sep) else ""


def _names(categories: Any) -> dict[Any, str]:
    return {
        _key(one.get("id")): str(one.get("name", one.get("id"))) for one in _mappings(categories)
    }


def _objects(annotations: Any) -> dict[Any, list[Mapping[str, Any]]]:
    found: dict[Any, list[Mapping[str, Any]]] = {}
    for one in _mappings(annotations):
        found.setdefault(_key(one.get("image_id")), []).append(one)
    return found


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _twice(rows: Sequence[Mapping[str, Any]], key: str, what: str = "") -> Iterator[Problem]:
    counts = Counter(_key(row[key]) for row in rows if key in row)
    for value, count in counts.items():
        if count > 1:
            name = f"{what}{key} {value}" if key == "id" else str(value)
            yield Problem("id twice", name, f"stands {count:,} times")


def _key(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else str(value)
