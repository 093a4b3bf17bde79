"""What samples of every task have: names, pictures and sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.tasks.about import About, read_about
from cvtrack_magics.vision.given import Given, given_of
from cvtrack_magics.vision.images import Layout, Range, doubts, to_images
from cvtrack_magics.vision.pixels import Pixels

_MEANT = {
    "classes": {"class_names", "labels", "label_names", "id2label", "target_names", "categories"},
    "ids": {"filenames", "files", "paths", "image_ids", "keys"},
    "value_range": {"normalize", "normalization", "mean", "std", "range", "max_value"},
    "sizes": {"shape", "shapes", "image_size", "image_sizes", "orig_size"},
    "about": {"metadata", "meta", "columns", "groups"},
}
"""Arguments of Predictions, and the words that other libraries have for them."""
_ARGUMENTS = (*_MEANT, "names", "layout", "seconds")


@dataclass(frozen=True, slots=True)
class Samples:
    """What samples of every task have."""

    count: int
    ids: tuple[str, ...]
    names: tuple[str, ...]
    sizes: npt.NDArray[np.int64]
    pixels: Pixels | None
    seconds: float
    given: Given | None = None
    notes: tuple[str, ...] = ()
    about: About = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        images: Any,
        count: int | None,
        *,
        ids: Any = None,
        names: Any = (),
        layout: Layout | None = None,
        value_range: Range | None = None,
        sizes: Any = None,
        seconds: float = 0.0,
        about: Any = None,
        **unknown: Any,
    ) -> Samples:
        """Return names, pictures and sizes of samples, from what was given of them.

        Raises
        ------
        UsageProblem
            Something is ``unknown``, or does not fit the others.
        """
        if unknown:
            raise _no_argument(next(iter(unknown)))
        pixels = images if isinstance(images, Pixels) else None
        notes: tuple[str, ...] = ()
        if pixels is None and images is not None:
            read = to_images(images, layout=layout, value_range=value_range)
            pixels, notes = Pixels(read), doubts(images, read)
        if pixels is not None:
            shapes = pixels.sizes
            if count is not None and len(pixels) != count:
                raise UsageProblem(f"{len(pixels)} images, but the truth or output of {count}.")
            _check_sizes(sizes, shapes)
        elif sizes is not None:
            shapes = np.asarray(sizes, np.int64).reshape(-1, 2)
        elif count is not None:
            shapes = np.zeros((count, 2), np.int64)
        else:
            raise UsageProblem("Without images give sizes=, a height and width for each.")
        total = len(shapes)
        if total == 0:
            raise UsageProblem("There are no samples.", "Give at least one image.")
        digests = None if pixels is None else pixels.digests
        chosen = _ids(ids, total, digests)
        captions = tuple(str(name) for name in names)
        if captions and len(captions) != total:
            raise UsageProblem(f"names: expected {total}, one a sample; saw {len(captions)}.")
        given = given_of(images, chosen, layout)
        columns = read_about(about, chosen)
        return cls(total, chosen, captions, shapes, pixels, float(seconds), given, notes, columns)


def _no_argument(word: str) -> UsageProblem:
    said = f"Predictions take no {word}=."
    for meant, words in _MEANT.items():
        if word in words:
            return UsageProblem(said, f"Say {meant}=.")
    return UsageProblem(f"{said}{did_you_mean(word, _ARGUMENTS)}")


def _check_sizes(said: Any, shapes: npt.NDArray[np.int64]) -> None:
    """Refuse sizes other than those of the pictures: boxes and masks are in one of the two."""
    if said is None:
        return
    given = np.asarray(said, np.int64).reshape(-1, 2)
    if len(given) != len(shapes):
        raise UsageProblem(f"sizes: expected {len(shapes)}, one a picture; saw {len(given)}.")
    wrong = np.flatnonzero((given != shapes).any(axis=1))
    if len(wrong):
        (high, wide), (height, width) = given[wrong[0]], shapes[wrong[0]]
        raise UsageProblem(
            f"sizes: picture {wrong[0]} is {height} × {width}, and is said to be {high} × {wide}.",
            "Leave out sizes=, or give the pictures of that size: boxes and masks are in theirs.",
        )


def _ids(ids: Any, total: int, digests: Callable[[], list[str]] | None) -> tuple[str, ...]:
    """Return a name for each sample: as given, or its digest, or its place."""
    if ids is None:
        return unique(digests() if digests else [str(at) for at in range(total)])
    chosen = tuple(str(item) for item in ids)
    if len(chosen) != total:
        raise UsageProblem(f"ids: expected {total}, one a sample; saw {len(chosen)}.")
    if len(set(chosen)) != total:
        raise UsageProblem("ids: some occur twice.", "Give each sample its own.")
    return chosen


def unique(ids: Sequence[str]) -> tuple[str, ...]:
    """Return ids with ``-2``, ``-3`` … added to those that came before."""
    if len(set(ids)) == len(ids):
        return tuple(ids)
    seen: Counter[str] = Counter()
    taken = set(ids)
    made = []
    for name in ids:
        seen[name] += 1
        given = name
        while seen[name] > 1 and given in taken:
            given = f"{name}-{seen[name]}"
            if given in taken:
                seen[name] += 1
        taken.add(given)
        made.append(given)
    return tuple(made)
