"""What in boxes as they were read speaks for another reading; each is one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.tasks.detection.ignored import unknown_flags
from cvtrack_magics.vision.arrays import Array

_OUTSIDE = 0.1  # of the boxes; a few, or an edge beyond the picture, is usual


def doubts(
    what: str, items: Sequence[Any], boxes: Sequence[Array], scores: Sequence[Any], sizes: Array
) -> list[str]:
    """Return a line for each doubt about the objects of N images.

    Parameters
    ----------
    what : str
        ``truth`` or ``predictions``.
    items : sequence, N
        The objects as they were given.
    boxes : sequence of M × 4 arrays, N
        As they were read, xyxy in pixels.
    scores : sequence of M arrays or None, N
        The scores of predictions.
    sizes : int array, N × 2
        Heights and widths of the images.
    """
    return [
        *_of_flags(what, items),
        *_of_places(what, boxes, sizes),
        *_of_scores(scores),
        *_of_nothing(what, boxes),
    ]


def _of_flags(what: str, items: Sequence[Any]) -> list[str]:
    keys = dict.fromkeys(
        key for item in items if isinstance(item, Mapping) for key in unknown_flags(item)
    )
    if not keys:
        return []
    return [
        f"{what}: {', '.join(keys)} was not read; objects that do not count are said by iscrowd, "
        "difficult or ignore, 0 or 1 for each."
    ]


def _of_places(what: str, boxes: Sequence[Array], sizes: Array) -> list[str]:
    """Say that boxes lie off their pictures: those of an input that was resized."""
    count = outside = 0
    for mine, (height, width) in zip(boxes, sizes, strict=True):
        if not len(mine) or min(height, width) <= 0:
            continue
        middle = (mine[:, :2] + mine[:, 2:]) / 2
        off = (middle < 0) | (middle > np.array([width, height]))
        count, outside = count + len(mine), outside + int(off.any(axis=1).sum())
    if not outside or outside < _OUTSIDE * count:
        return []
    return [
        f"{what}: {outside:,} of {count:,} boxes have their centre outside of their picture; are "
        "they in the pixels of another size?"
    ]


def _of_scores(scores: Sequence[Any]) -> list[str]:
    given = [part for part in scores if part is not None and len(part)]
    unknown = sum(int(np.isnan(part).sum()) for part in given)
    if unknown:
        count = sum(map(len, given))
        return [
            f"predictions: {unknown:,} of {count:,} scores are NaN; such a box is never counted."
        ]
    known = [part[np.isfinite(part)] for part in scores if part is not None and len(part)]
    known = [part for part in known if len(part)]
    low = min((float(part.min()) for part in known), default=0.0)
    high = max((float(part.max()) for part in known), default=0.0)
    if low >= -1e-6 and high <= 1 + 1e-3:
        return []
    return [
        f"predictions: scores from {low:.3g} to {high:.3g} are no probabilities; thresholds are in "
        "their unit."
    ]


def _of_nothing(what: str, boxes: Sequence[Array]) -> list[str]:
    """Say that true boxes have no area: rows that fill a batch up, which nobody can find."""
    if what != "truth":
        return []
    flat = sum(int((part[:, 2:] <= part[:, :2]).any(axis=1).sum()) for part in boxes if len(part))
    if not flat:
        return []
    count = sum(map(len, boxes))
    return [
        f"truth: {flat:,} of {count:,} boxes have no area and count as objects that nothing finds; "
        "leave out rows that only fill up a batch."
    ]
