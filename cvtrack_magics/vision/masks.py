"""Binary masks as run lengths, in COCO's order: down the columns, beginning with zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.vision.arrays import Array


@dataclass(frozen=True, slots=True)
class Mask:
    """One binary mask of ``height`` × ``width`` pixels; ``counts`` is uint32."""

    height: int
    width: int
    counts: npt.NDArray[np.uint32]

    def array(self) -> npt.NDArray[np.bool_]:
        """Return the mask, H × W."""
        values = np.arange(len(self.counts)) % 2 == 1
        flat = np.repeat(values, self.counts)
        mask: npt.NDArray[np.bool_] = flat.reshape(self.width, self.height).T
        return mask

    @property
    def area(self) -> int:
        """The number of pixels set."""
        return int(self.counts[1::2].sum())

    def coco(self) -> dict[str, Any]:
        """Return COCO's uncompressed form."""
        return {"size": [self.height, self.width], "counts": self.counts.tolist()}


def encode(mask: Array) -> Mask:
    """Return an H × W array of truth values as run lengths."""
    height, width = mask.shape
    flat = np.asarray(mask, dtype=bool).T.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], changes, [flat.size]))
    counts = np.diff(bounds)
    if flat.size and flat[0]:
        counts = np.concatenate(([0], counts))
    return Mask(height, width, counts.astype(np.uint32))


def boxes_of(masks: Sequence[Mask]) -> npt.NDArray[np.float32]:
    """Return the tight boxes of masks, xyxy in pixels; zeros for an empty one."""
    boxes = np.zeros((len(masks), 4), np.float32)
    for row, mask in enumerate(masks):
        filled = mask.array()
        ys, xs = np.flatnonzero(filled.any(axis=1)), np.flatnonzero(filled.any(axis=0))
        if len(ys):
            boxes[row] = xs[0], ys[0], xs[-1] + 1, ys[-1] + 1
    return boxes
