"""The names of a data set's classes, in whatever form its library keeps them."""

from __future__ import annotations

from typing import Any

_CLASSES = (
    *("class_to_idx", "classes", "class_names", "idx_to_class", "label2id", "id2label"),
    *("label_names", "labels_map", "categories", "CLASSES", "names"),
)
_ONLY_BY_NUMBER = ("names",)  # a list of these names samples as well
_MOST = 30_000  # classes; a longer list is one of samples


def classes_of(base: Any) -> list[list[object]]:
    """Return a data set's classes as ``[name, number]``, by number; empty if it has none."""
    for name in _CLASSES:
        pairs = _pairs(getattr(base, name, None), lists=name not in _ONLY_BY_NUMBER)
        if pairs:
            return sorted(pairs, key=lambda pair: (pair[1], pair[0]))
    features = getattr(base, "features", None)  # of Hugging Face
    if isinstance(features, dict):
        named = {key: getattr(item, "names", None) for key, item in features.items()}
        known = [[name, number] for key in sorted(named) for name, number in _pairs(named[key])]
        return known
    return []


def _pairs(known: Any, lists: bool = True) -> list[list[Any]]:
    """Return names of classes with their numbers, in whatever form they are given."""
    if isinstance(known, dict) and known and len(known) <= _MOST:
        turned = all(isinstance(key, int) for key in known)
        pairs = [(name, key) if turned else (key, name) for key, name in known.items()]
        if all(isinstance(number, int) for _, number in pairs):
            return [[str(name), int(number)] for name, number in pairs]
        numbers = [str(name) for name, _ in pairs]
        if not turned and all(text.isdigit() for text in numbers):  # JSON's keys
            return [[str(name), int(number)] for number, name in pairs]
    if not lists or not isinstance(known, (list, tuple)) or len(known) > _MOST:
        return []
    if known and all(isinstance(item, str) for item in known):
        return [[name, number] for number, name in enumerate(known)]
    if known and all(isinstance(item, dict) and {"id", "name"} <= item.keys() for item in known):
        return [[str(item["name"]), int(item["id"])] for item in known]
    return []
