"""Names of classes, and labels that must be one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.capture.data.class_names import classes_of
from cvtrack_magics.errors import UsageProblem, did_you_mean

_HELD = ("names", "classes_", "categories")
"""Of Hugging Face's ClassLabel, scikit-learn's LabelEncoder, a categorical type of pandas."""
_SYNSET = re.compile(r"n\d{8}")
MOST = 1_000_000
"""No data set has as many classes; an index beyond is no index."""


def class_names(classes: Any, count: int) -> tuple[str, ...]:
    """Return one name for each class: as given, or ``0``, ``1`` … for ``count`` classes.

    Parameters
    ----------
    classes : sequence of str, mapping, int or None
        Names by index; a mapping of index to name (``id2label``), or of name to index
        (``class_to_idx`` of torchvision's data sets).
    count : int
        How many there are where nothing is given.

    Raises
    ------
    UsageProblem
        It is none of these, or a set, whose order is another in each process; or there are
        more classes than any data set has, as where an identifier was taken for a label.
    """
    if classes is None or isinstance(classes, int):
        number = count if classes is None else int(classes)
        if number > MOST:
            where = f"label {number - 1}" if classes is None else f"classes={number}"
            raise UsageProblem(
                f"{where}: no data set has as many classes.",
                "Labels are indices from 0 on; say ignore= if it means unknown.",
            )
        return tuple(str(index) for index in range(number))
    if hasattr(classes, "to_dict") and hasattr(classes, "index"):
        classes = classes.to_dict()  # a pandas Series, whose index says as much as its values
    if isinstance(classes, Mapping):
        known = _by_index(classes)
        return tuple(known.get(index, str(index)) for index in range(max(known, default=-1) + 1))
    if not isinstance(classes, Iterable):
        held = (getattr(classes, name, None) for name in _HELD)
        classes = next((names for names in held if names is not None), classes)
    if isinstance(classes, Set):
        raise UsageProblem(
            "classes: a set has no order.", "Give a list: the first name is that of label 0."
        )
    if isinstance(classes, (str, bytes)) or not isinstance(classes, Iterable):
        raise UsageProblem("classes: expected a list of names, a dict or a number.")
    rows = list(classes)
    if rows and all(isinstance(one, Mapping) for one in rows):
        return class_names(_of_categories(rows), count)
    return tuple(_name(one) for one in rows)


def as_indices(value: Any, classes: Any, what: str) -> Any:
    """Return labels that are given as names by their indices; others as they are.

    Raises
    ------
    UsageProblem
        There are names and no classes, a name is no class, or two classes have it.
    """
    texts = value.tolist() if hasattr(value, "tolist") and not hasattr(value, "detach") else value
    if not isinstance(texts, (list, tuple)) or not texts:
        return value
    if not all(isinstance(one, str) for one in texts):
        return value
    if classes is None:
        raise UsageProblem(
            f"{what}: the labels are names, such as {texts[0]!r}.",
            "Give classes=, the names in the order of their indices.",
        )
    names = class_names(classes, 0)
    places = {name: at for at, name in enumerate(names)}
    unknown = next((one for one in texts if one not in places), None)
    if unknown is not None or len(places) < len(names):
        said = f"label {unknown!r} is none of the {len(names)} classes."
        twice = "two classes have one name, and the labels are names."
        raise UsageProblem(
            f"{what}: {twice if unknown is None else said + did_you_mean(unknown, names)}",
            "Give indices into classes, or classes= with these names.",
        )
    return [places[one] for one in texts]


def names_in(dataset: Any) -> Any:
    """Return the names of a data set's classes, or None.

    Those of torchvision's data sets (``classes``, ``class_to_idx``) and of what other libraries
    call them, where they are those of the labels 0, 1 …; through ``Subset`` and
    ``ConcatDataset`` whose parts agree.
    """
    for key in ("classes", "class_to_idx"):
        found = getattr(dataset, key, None)
        if found is not None and not callable(found):
            return found
    pairs: Any = classes_of(dataset)
    others = {number: name for name, number in pairs}
    if others and sorted(others) == list(range(len(others))):
        return [others[number] for number in sorted(others)]
    parts = getattr(dataset, "datasets", None)
    inner = getattr(dataset, "dataset", None)
    below = list(parts) if isinstance(parts, (list, tuple)) else [inner]
    named = [names_in(part) for part in below if part is not None and part is not dataset]
    return named[0] if named and all(_same(named[0], other) for other in named) else None


def _of_categories(rows: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Return COCO's categories as a dict of id to name."""
    if not all({"id", "name"} <= row.keys() for row in rows):
        raise UsageProblem("classes: expected names, or COCO's categories with an id and a name.")
    return {row["id"]: row["name"] for row in rows}


def _same(mine: Any, other: Any) -> bool:
    return type(mine) is type(other) and bool(mine == other)


def _name(one: Any) -> str:
    """Return a class's name; Cityscapes' classes are rows that have one.

    ImageNet's are several words (torchvision), or the number of one and a word (its JSON file).
    """
    if (
        isinstance(one, (list, tuple))
        and one
        and not hasattr(one, "name")
        and all(isinstance(word, str) for word in one)
    ):
        words = one[1:] if len(one) > 1 and _SYNSET.fullmatch(one[0]) else one
        return ", ".join(words)
    name = getattr(one, "name", None)
    return name if isinstance(name, str) else str(one)


def _by_index(classes: Mapping[Any, Any]) -> dict[int, str]:
    """Return names by index, of a mapping in either direction."""
    backward = all(isinstance(key, str) and _is_index(at) for key, at in classes.items())
    pairs = [(at, key) if backward else (key, at) for key, at in classes.items()]
    try:
        known = {int(index): _name(name) for index, name in pairs}
    except (TypeError, ValueError):
        known = {}
    if len(known) != len(pairs) or (known and not 0 <= min(known) <= max(known) < MOST):
        raise UsageProblem(
            "classes: expected a dict of index to name, or of name to index, each index once."
        )
    return known


def _is_index(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def one_ignored(ignore: Any) -> int | None:
    """Return the label that does not count, if there is one.

    Raises
    ------
    UsageProblem
        It is no whole number: several labels, for example.
    """
    if ignore is None:
        return None
    if not _is_index(ignore) or np.ndim(ignore):
        raise UsageProblem(
            f"ignore: expected one label, saw {str(ignore)[:60]}.",
            "Give the samples or pixels of several such labels one label, for example "
            "np.where(np.isin(truth, [0, 255]), 255, truth) with ignore=255.",
        )
    return int(ignore)


def check_labels(labels: npt.NDArray[np.int64], count: int, what: str, *, least: int = 0) -> None:
    """Raise unless every label names one of ``count`` classes."""
    wrong = labels[(labels < least) | (labels >= count)]
    if len(wrong):
        hint = "Labels begin at 0." if wrong.min() >= 0 else "Labels are indices into classes."
        if least < 0 and (wrong[0] < 0 or wrong[0] in (255, 65535)):
            hint = f"If {wrong[0]} means unknown, say ignore={wrong[0]}."
        raise UsageProblem(f"{what}: label {wrong[0]} is beyond the {count} classes.", hint)
