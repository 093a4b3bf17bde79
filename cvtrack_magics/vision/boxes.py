"""Boxes of many images in a few flat arrays, and the formats they come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.masks import Mask

BoxFormat: TypeAlias = Literal["xyxy", "xywh", "cxcywh", "xyxy-rel", "xywh-rel", "cxcywh-rel"]


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes of N images; those of image ``i`` are rows ``offsets[i]:offsets[i + 1]``.

    Attributes
    ----------
    offsets : int64, N + 1
    xyxy : float32 or float64, M × 4
        Left, top, right, bottom in pixels of the native image.
    labels : int64, M
        Indices into the class names.
    scores : float32 or float64, M, or None
        None for the truth.
    crowd : bool, M, or None
        COCO's ``iscrowd``: matched without being counted.
    masks : tuple of Mask, M, or None
        Of instance segmentation.
    ignored : bool, M, or None
        Pascal VOC's ``difficult``: one object that is neither found nor missed.
    points : float64, M × K × 3, or None
        Key points: x, y, and of the truth whether it is labelled (0: not).
    areas : float64, M, or None
        Of the objects in pixels, where it is not that of their boxes or masks.
    corners : float64, M × 4 × 2, or None
        Of oriented boxes; ``xyxy`` is around them.
    """

    offsets: npt.NDArray[np.int64]
    xyxy: Array
    labels: npt.NDArray[np.int64]
    scores: Array | None = None
    crowd: npt.NDArray[np.bool_] | None = None
    masks: tuple[Mask, ...] | None = None
    ignored: npt.NDArray[np.bool_] | None = None
    points: Array | None = None
    areas: Array | None = None
    corners: Array | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def rows(self, index: int) -> slice:
        """Return the rows of one image."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    @property
    def images(self) -> npt.NDArray[np.int64]:
        """The image of each row."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def take(self, images: Any) -> Boxes:
        """Return the boxes of some images, in that order."""
        wanted = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in images]
        rows = np.concatenate(wanted) if wanted else np.zeros(0, np.int64)
        return self._of(rows, [len(part) for part in wanted])

    def only(self, kept: npt.NDArray[np.bool_]) -> Boxes:
        """Return the same images with some of their boxes, by one flag for each of the M."""
        return self._of(np.flatnonzero(kept), np.bincount(self.images[kept], minlength=len(self)))

    def _of(self, rows: npt.NDArray[np.int64], counts: Any) -> Boxes:
        return Boxes(
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            self.xyxy[rows],
            self.labels[rows],
            None if self.scores is None else self.scores[rows],
            None if self.crowd is None else self.crowd[rows],
            None if self.masks is None else tuple(self.masks[row] for row in rows),
            None if self.ignored is None else self.ignored[rows],
            None if self.points is None else self.points[rows],
            None if self.areas is None else self.areas[rows],
            None if self.corners is None else self.corners[rows],
        )

    def __add__(self, other: Boxes) -> Boxes:
        masks = None
        if _both(self, other, "masks"):
            masks = (self.masks or ()) + (other.masks or ())
        return Boxes(
            np.concatenate((self.offsets, other.offsets[1:] + self.offsets[-1])),
            np.concatenate((self.xyxy, other.xyxy)),
            np.concatenate((self.labels, other.labels)),
            _joined_columns(self, other, "scores"),
            _joined_flags(self, other, "crowd"),
            masks,
            _joined_flags(self, other, "ignored"),
            _joined_columns(self, other, "points"),
            _joined_columns(self, other, "areas"),
            _joined_columns(self, other, "corners"),
        )


def counted_objects(truth: Boxes) -> npt.NDArray[np.bool_]:
    """Return which true objects count: those that are no crowd and not ignored."""
    counted = np.ones(len(truth.labels), bool)
    for flags in (truth.crowd, truth.ignored):
        if flags is not None:
            counted &= ~flags
    return counted


def _both(mine: Boxes, theirs: Boxes, name: str) -> bool:
    """Whether the joined boxes have a column; one with no objects lacks none of its values."""
    has = [getattr(part, name) is not None for part in (mine, theirs)]
    lacks = [len(p.labels) > 0 and not one for p, one in zip((mine, theirs), has, strict=True)]
    if any(has) and any(lacks):
        raise UsageProblem(
            f"Boxes with {name} and boxes without cannot be joined.",
            f"Give {name} for all parts, or for none.",
        )
    return any(has)


def _joined_columns(mine: Boxes, theirs: Boxes, name: str) -> Array | None:
    if not _both(mine, theirs, name):
        return None
    columns = [getattr(part, name) for part in (mine, theirs)]
    return np.concatenate([one for one in columns if one is not None])


def _joined_flags(mine: Boxes, theirs: Boxes, name: str) -> npt.NDArray[np.bool_] | None:
    """Join crowds, or objects to ignore; a part that names none has none."""
    flags = [getattr(part, name) for part in (mine, theirs)]
    if all(values is None for values in flags):
        return None
    return np.concatenate(
        [
            np.zeros(len(part.labels), bool) if values is None else values
            for part, values in zip((mine, theirs), flags, strict=True)
        ]
    )


def to_xyxy(boxes: Array, box_format: str, height: int, width: int, what: str) -> Array:
    """Return boxes of one image as left, top, right, bottom in pixels.

    Raises
    ------
    UsageProblem
        The format is unknown, a value is not finite, or a box cannot be of this format:
        right of x2, negative in size, or beyond 0..1 where relative.
    """
    if box_format not in get_args(BoxFormat):
        raise UsageProblem(
            f"box_format={box_format!r} is none of {', '.join(get_args(BoxFormat))}."
            f"{did_you_mean(box_format, get_args(BoxFormat))}"
        )
    if not np.isfinite(boxes).all():
        raise UsageProblem(f"{what}: a box has a coordinate that is NaN or infinite.")
    form, _, relative = box_format.partition("-")
    boxes = np.array(boxes, dtype=np.float64 if boxes.dtype == np.float64 else np.float32)
    if relative:
        if boxes.size and np.abs(boxes).max() > 2:
            raise UsageProblem(
                f"{what}: {box_format} boxes lie within 0..1, saw {np.abs(boxes).max():.4g}.",
                f"Say box_format={form!r} when they are in pixels.",
            )
        boxes *= np.array([width, height, width, height], boxes.dtype)
    if form != "xyxy":
        size = boxes[:, 2:]
        if boxes.size and size.min() < 0:
            raise UsageProblem(f"{what}: a box of {box_format} has a negative width or height.")
        corner = boxes[:, :2] - size / 2 if form == "cxcywh" else boxes[:, :2]
        boxes = np.concatenate((corner, corner + size), axis=1)
    elif boxes.size and (boxes[:, 2:] < boxes[:, :2]).any():
        bad = boxes[(boxes[:, 2:] < boxes[:, :2]).any(axis=1)][0]
        raise UsageProblem(
            f"{what}: {np.round(bad, 2).tolist()} is no xyxy box, its end lies before its start.",
            "Say box_format='xywh' or 'cxcywh' if that is what they are.",
        )
    return boxes
