"""Readable parameters of image transforms: torchvision v1 and v2, and Albumentations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.params.values import is_scalar, object_text, plain_value

Leaf = tuple[str, object]

_PACKAGES = ("torchvision.transforms", "albumentations.")
_NOISE = {"training", "transforms", "available_keys", "processors", "additional_targets"}
_SPACES = re.compile(r"\s+")


def is_transform(value: object) -> bool:
    """Say whether a value is an image transform, or an ``nn.Sequential`` of nothing else."""
    kind = type(value)
    if kind.__module__.startswith(_PACKAGES):
        return not isinstance(value, type) and callable(value)
    if any(base.__module__.startswith(_PACKAGES) for base in kind.__mro__):
        return callable(value)
    torch = loaded("torch")
    if torch is None or kind is not torch.nn.Sequential:
        return False
    return len(value) > 0 and all(is_transform(item) for item in value)  # type: ignore[arg-type,attr-defined]


def read(value: Any) -> Iterator[Leaf]:
    """Yield ``transforms``, the steps in one line, and each step's settings.

    The settings are ``transforms.<Class>.<setting>``, and a class that occurs again
    is ``<Class>2``.
    """
    yield "transforms", " > ".join(_word(step) for step in _steps(value))
    seen: Counter[str] = Counter()
    for step in _leaf_steps(value):
        name = _name(step)
        seen[name] += 1
        label = name if seen[name] == 1 else f"{name}{seen[name]}"
        for key, item in _settings(step).items():
            yield f"transforms.{label}.{key}", item


def _steps(value: Any) -> list[Any]:
    """Return the members of a plain sequence; a random choice among members is one step."""
    if type(value).__name__ in {"Compose", "Sequential"}:
        members = getattr(value, "transforms", None) or list(value)
        return [step for member in members for step in _steps(member)]
    return [value]


def _leaf_steps(value: Any) -> Iterator[Any]:
    members = getattr(value, "transforms", None)
    if members is None and type(value).__name__ == "Sequential":
        members = list(value)
    if type(value).__name__ not in {"Compose", "Sequential"}:
        yield value
    if isinstance(members, (list, tuple)) or type(members).__name__ == "ModuleList":
        for member in members or ():
            yield from _leaf_steps(member)


def _name(step: Any) -> str:
    if hasattr(step, "__qualname__"):
        return object_text(step).rpartition(".")[2].strip("<>")
    return type(step).__name__


def _word(step: Any) -> str:
    name = _name(step)
    members = getattr(step, "transforms", None)
    inside = [f"{key}={_short(item)}" for key, item in _settings(step).items()]
    if members:
        inside.insert(0, " | ".join(_word(member) for member in members))
    return f"{name}({', '.join(inside)})" if inside else name


def _short(item: object) -> str:
    return _SPACES.sub(" ", str(plain_value(item)))


def _settings(step: Any) -> dict[str, object]:
    """Public attributes that are scalars or short lists of them, in their own order."""
    if hasattr(step, "__qualname__"):
        return {}
    if type(step).__module__.startswith("albumentations."):
        return _albumentations(step)
    kept: dict[str, object] = {}
    for key, item in vars(step).items():
        if key.startswith("_") or key in _NOISE or item is None:
            continue
        if is_scalar(item) or _is_short_list(item):
            kept[key] = item
        elif type(item).__module__ == "torch" and type(item).__name__ == "dtype":
            kept[key] = str(item).removeprefix("torch.")
    return kept


def _is_short_list(item: object) -> bool:
    if not isinstance(item, (list, tuple)) or not 0 < len(item) <= 16:
        return False
    return all(is_scalar(each) or _is_short_list(each) for each in item)


def _albumentations(step: Any) -> dict[str, object]:
    try:
        described = step.to_dict()["transform"]
    except Exception:  # Lambda and custom steps refuse to describe themselves
        return {"p": step.p} if hasattr(step, "p") else {}
    return {
        key: item
        for key, item in described.items()
        if not key.startswith("__")
        and key not in {"transforms", "bbox_params", "keypoint_params"} | _NOISE
        and item is not None
        and (is_scalar(item) or _is_short_list(item))
    }
