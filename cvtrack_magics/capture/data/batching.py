"""What a loader makes of its samples when it puts them into batches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.capture.data.own_code import LARGE, texts_of_code
from cvtrack_magics.capture.data.randomness import generators_kept
from cvtrack_magics.capture.data.reach import reach
from cvtrack_magics.capture.data.shapes import is_array
from cvtrack_magics.capture.params.values import object_text
from cvtrack_magics.text import utf8

_MANY = 2000
_TORCH = "torch.utils.data._utils.collate"


@dataclass(frozen=True, slots=True)
class Batching:
    """What happens between the samples and the batches.

    Attributes
    ----------
    digest : str
        SHA-256 of the code, settings and data of what changes the samples; ``""`` where
        they are only put beside each other.
    name : str
        Of the function, for people.
    notices : tuple of str
        That it is random, and so left out.
    """

    digest: str = ""
    name: str = ""
    notices: tuple[str, ...] = ()


def batching_of(loader: Any, take: Callable[[], list[Any]]) -> Batching:
    """Return what a loader's own code makes of the samples of a batch.

    Parameters
    ----------
    loader : DataLoader
    take : callable
        Gives a few samples of it, to see whether they are in the batch as they were.
    """
    collate = getattr(loader, "collate_fn", None)
    iterates = _own_iteration(type(loader))
    if not iterates and (collate is None or getattr(collate, "__module__", "") == _TORCH):
        return Batching()
    name = object_text(type(loader) if iterates else collate)
    with generators_kept(collate) as asked:
        regroups = not iterates and _only_regroups(collate, take)
        texts = texts_of_code(collate, *([type(loader)] if iterates else []))
        # what holds vocabularies and models takes too long to be walked through twice
        small = len(texts) < _MANY and not any(text.startswith(LARGE) for text in texts)
        random = asked() or (small and bool(reach(collate).chance))
    if random:
        said = f"{name} makes batches with random numbers: the samples were hashed before it."
        return Batching(notices=(said,))
    if regroups:
        return Batching()
    whole = hashlib.sha256(utf8("\n".join(texts)))
    return Batching(whole.hexdigest(), name)


def _own_iteration(kind: type) -> bool:
    """Say whether a user's class of loaders has a way of its own to give batches."""
    code = getattr(getattr(kind, "__iter__", None), "__code__", None)
    return code is not None and not is_foreign(code.co_filename)


def _only_regroups(collate: Any, take: Callable[[], list[Any]]) -> bool:
    """Say whether samples are in a batch as they were, one by one and together."""
    try:
        samples = take()
        alone = [_beside([s], collate([s])) for s in samples]
        return bool(samples) and all(alone) and _beside(samples, collate(samples))
    except Exception:  # it cannot be tried, so its code counts
        return False


def _beside(samples: list[Any], batch: Any) -> bool:
    """Say whether a batch is a list or a stack of samples, or of each of their parts."""
    own, parts = [_parts(sample) for sample in samples], _parts(batch)
    rows = parts if parts is not None else list(batch) if is_array(batch) else []
    if len(rows) == len(samples) and all(map(_equal, samples, rows)):
        return True
    if parts is None or any(each is None or len(each) != len(parts) for each in own):
        return False
    columns = [[each[at] for each in own if each is not None] for at in range(len(parts))]
    return bool(parts) and all(map(_beside, columns, parts))


def _parts(value: Any) -> list[Any] | None:
    """Return the members of a list or dict; ``None`` of what is one value."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else None


def _equal(one: Any, other: Any) -> bool:
    return list(_leaves(one)) == list(_leaves(other))


def _leaves(value: Any) -> Iterator[object]:
    """Yield what a sample holds, numbers and arrays by shape and values and not by type."""
    import numpy as np

    if isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, (str, bytes)) or value is None:
        yield value
    else:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        plain = array.astype(np.float64) if array.dtype.kind in "biuf" else array
        yield (plain.shape, plain.tobytes() if plain.dtype.kind != "O" else id(value))
