"""The samples that a quantisation is calibrated with and judged on, told apart by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem

MOST = 256
"""Samples that are looked at for the ranges of a graph's values."""
_BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Inputs of the model.

    Attributes
    ----------
    batches : tuple of array, each B x …
        As the model takes them.
    digests : frozenset of bytes
        Of each sample's content.
    """

    batches: tuple[npt.NDArray[Any], ...]
    digests: frozenset[bytes]

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(map(len, self.batches))


def calibration_of(data: Any) -> Calibration:
    """Return up to 256 samples of a loader, an array or a list of batches.

    Parameters
    ----------
    data : iterable or array, N x …
        Batches of images, or of (images, truth) of which the truth is left alone; an array or
        a tensor is the samples themselves.

    Raises
    ------
    UsageProblem
        There is nothing in it that a model could take.
    """
    batches: list[npt.NDArray[Any]] = []
    count = 0
    for batch in _batches(data):
        array = as_images(batch)[: MOST - count]
        if not len(array):
            break
        batches.append(array)
        count += len(array)
        if count >= MOST:
            break
    if not batches:
        raise UsageProblem("There are no samples to calibrate with.", "--calibrate LOADER has them")
    return Calibration(tuple(batches), frozenset(d for one in batches for d in digests_of(one)))


def as_images(batch: Any) -> npt.NDArray[Any]:
    """Return the images of a batch, or of (images, truth), as an array.

    Raises
    ------
    UsageProblem
        It is no array of samples.
    """
    images = batch[0] if isinstance(batch, (tuple, list)) and len(batch) == 2 else batch
    if hasattr(images, "detach"):
        images = images.detach().cpu().numpy()
    array = np.asarray(images) if hasattr(images, "shape") else None
    if array is None or array.ndim < 2 or array.dtype.kind not in "fiu":
        raise UsageProblem(
            f"A batch of samples is a {type(images).__name__}, not an array of numbers.",
            "Give a loader of (images, truth), or an array N x C x H x W.",
        )
    return array


def digests_of(array: npt.NDArray[Any]) -> list[bytes]:
    """Return a digest of each sample's content."""
    rows = np.ascontiguousarray(array)
    return [
        hashlib.sha256(f"{row.shape}{row.dtype}".encode() + row.tobytes()).digest() for row in rows
    ]


def digest_of_all(digests: Iterable[bytes]) -> str:
    """Return one digest of samples in any order."""
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _batches(data: Any) -> Iterator[Any]:
    if hasattr(data, "shape"):
        yield from (data[at : at + _BATCH] for at in range(0, len(data), _BATCH))
    else:
        yield from data
