"""Whether pictures of the same names are the same, by a few grey values of each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_SKETCH = re.compile(r"[0-9a-f]{128}")
_ENOUGH = 5  # pictures with a structure; fewer may be alike, or differ, by chance
_SHARE = 0.5  # of them that are most alike to the one of their own name
_TIE = 0.02  # frames of a video are as alike to each other
_FLAT = 2.0  # a deviation of grey values below which there is nothing to compare


def other_pictures(mine: Any, theirs: Any) -> bool:
    """Say whether two sets have other pictures under the same names.

    False where that cannot be known, too; see :func:`pictures_agree`.
    """
    return pictures_agree(mine, theirs) is False


def pictures_agree(mine: Any, theirs: Any) -> bool | None:
    """Say whether pictures of the same names are the same.

    A picture that is cropped or resized in another way is still most alike to itself. Of the
    same names and other pictures none is, whatever the pictures of a data set have in common.

    Parameters
    ----------
    mine, theirs : dict of str to str, or anything else
        8 × 8 grey values of some samples, in hexadecimal: ``pictures`` of an evaluation.

    Returns
    -------
    bool or None
        None where one has none (an older evaluation, or one without pictures), or too few.
    """
    if not isinstance(mine, Mapping) or not isinstance(theirs, Mapping):
        return None
    pairs = [
        (_values(mine[name]), _values(theirs[name])) for name in sorted(set(mine) & set(theirs))
    ]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len(known) < _ENOUGH:
        return None
    alike = np.stack([a for a, _ in known]) @ np.stack([b for _, b in known]).T
    own = np.diagonal(alike)
    return bool((own >= alike.max(axis=1) - _TIE).mean() >= _SHARE)


def _values(sketch: Any) -> npt.NDArray[np.float64] | None:
    """Return grey values of mean 0 and length 1; None of one grey, or what is no sketch."""
    if not isinstance(sketch, str) or not _SKETCH.fullmatch(sketch):
        return None
    grey = np.frombuffer(bytes.fromhex(sketch), np.uint8).astype(np.float64)
    return None if grey.std() < _FLAT else (grey - grey.mean()) / (grey.std() * np.sqrt(grey.size))
