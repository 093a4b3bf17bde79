"""What some samples were before they became pictures, so that a model can be asked again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import ReferenceType, ref

import numpy as np

from cvtrack_magics.vision.networks import unwrapped
from cvtrack_magics.vision.pixels import Pixels

MOST = 8  # samples
LARGEST = 16 << 20  # bytes of one sample's set


@dataclass(frozen=True, eq=False)
class Asked:
    """The model that was run, without keeping it alive, and the state its weights were in."""

    model: ReferenceType[Any]
    state: tuple[Any, ...]

    @classmethod
    def of(cls, model: Any) -> Asked | None:
        """Return a note of a model; None of what cannot be watched."""
        inner = unwrapped(model)
        try:
            return cls(ref(inner), _state(inner))
        except (TypeError, RuntimeError):
            return None

    def why_not(self, model: Any) -> str:
        """Return why this is not the model as it is now; ``""`` where it is."""
        inner, mine = unwrapped(model), self.model()
        if mine is not inner:
            return "the model that was measured is another object"
        if _state(inner) != self.state:
            return "the model's weights were changed after it was measured"
        return ""


@dataclass(frozen=True, eq=False)
class Given:
    """Inputs of at most eight samples, as they were given.

    Attributes
    ----------
    inputs : mapping of str to object
        By the sample's id: an array, or a PIL image.
    layout : str
        What was said of the axes' order; ``""`` for nothing.
    asked : Asked or None
        The model that was run on them, where that is known.
    """

    inputs: Mapping[str, Any]
    layout: str = ""
    asked: Asked | None = field(default=None)

    def only(self, ids: Iterable[str]) -> Given | None:
        """Return the inputs of some samples."""
        there = set(ids)
        return self._with({key: v for key, v in self.inputs.items() if key in there})

    def thin(self, most: int = MOST) -> Given | None:
        """Return at most so many, from the whole of the set."""
        keys = list(self.inputs)
        return self._with({keys[at]: self.inputs[keys[at]] for at in spread(len(keys), most)})

    def __add__(self, other: Given) -> Given | None:
        if self.asked is not other.asked or self.layout != other.layout:
            return self
        return self._with({**self.inputs, **other.inputs})

    def __getstate__(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "layout": self.layout, "asked": None}

    def _with(self, inputs: Mapping[str, Any]) -> Given | None:
        return replace(self, inputs=inputs) if inputs else None


def given_of(images: Any, ids: Sequence[str], layout: Any = None) -> Given | None:
    """Return copies of some samples' inputs; None of what has none, or is too large."""
    if images is None or isinstance(images, Pixels):
        return None
    try:
        found: dict[str, Any] = {}
        for at in spread(len(ids), MOST):
            one = _own(images[at])
            found[ids[at]] = one
            if sum(getattr(kept, "nbytes", 0) for kept in found.values()) > LARGEST:
                del found[ids[at]]
                break
    except Exception:  # whatever stands there was good enough for a picture, and is not kept
        return None
    return Given(found, str(layout or "")) if found else None


def spread(count: int, most: int) -> list[int]:
    """Return at most so many places of ``count``, first and last among them."""
    return [int(at) for at in np.linspace(0, count - 1, min(count, most)).round()]


def _own(value: Any) -> Any:
    """Return a copy that nobody writes to: an array, or a PIL image."""
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy().copy()
    if hasattr(value, "convert") and hasattr(value, "mode"):
        return value.copy()
    return np.array(value)


def _state(model: Any) -> tuple[Any, ...]:
    """Return what changes whenever weights or buffers are written to."""
    tensors = [*getattr(model, "parameters", tuple)(), *getattr(model, "buffers", tuple)()]
    return tuple((tensor.data_ptr(), tensor._version) for tensor in tensors)
