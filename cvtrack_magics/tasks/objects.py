"""What tasks of objects have in common: boxes, with masks or without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cvtrack_magics.tasks.base import Detections
from cvtrack_magics.tasks.kind import Kind, Placed, Rows
from cvtrack_magics.tasks.npz_members import of_boxes, to_boxes
from cvtrack_magics.text import utf8
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.blending import rectangle
from cvtrack_magics.vision.boxes import Boxes, counted_objects
from cvtrack_magics.vision.colours import colours
from cvtrack_magics.vision.columns import Json, column, exact

if TYPE_CHECKING:
    from cvtrack_magics.tasks.about import About
    from cvtrack_magics.tasks.predictions import Predictions

SHOWN_FROM = 0.5
"""The score from which on a box is drawn in a plain picture, where no other is best."""


class Objects(Kind):
    """Any number of objects a sample."""

    worst = ("f1", 1)
    counts_from_threshold = True
    # pycocotools' sizes
    areas: ClassVar[Mapping[str, tuple[float, float]]] = {
        "small": (0, 32**2),
        "medium": (32**2, 96**2),
        "large": (96**2, 1e10),
    }

    def columns(self, predictions: Predictions) -> About:
        """Return how many true objects a picture has."""
        truth = predictions.boxes.truth
        counts = np.bincount(truth.images[counted_objects(truth)], minlength=len(truth))
        return {"objects": tuple(_many(int(count)) for count in counts)}

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return the objects of an image in an order of their own, whatever order they came in."""
        truth, classes = predictions.boxes.truth, predictions.classes
        found = []
        for at in range(*truth.rows(row).indices(len(truth.labels))):
            corners = np.round(truth.xyxy[at].astype(np.float64), 3).tolist()
            mask = truth.masks[at].counts.tolist() if truth.masks is not None else ""
            crowd = bool(truth.crowd[at]) if truth.crowd is not None else False
            # Nothing is added for an object that counts, so that older digests stay the same.
            ignored = "|ignored" if truth.ignored is not None and truth.ignored[at] else ""
            found.append(f"{classes[int(truth.labels[at])]}|{corners}|{crowd}|{mask}{ignored}")
        return utf8("\n".join(sorted(found)))

    def members(self, data: Detections) -> dict[str, Array]:
        """Return both sets of boxes."""
        return {**of_boxes("truth", data.truth), **of_boxes("prediction", data.prediction)}

    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> Detections:
        """Return both sets of boxes."""
        del facts
        return Detections(to_boxes("truth", members), to_boxes("prediction", members))

    def counted(self, predictions: Predictions, threshold: float | None) -> Predictions:
        """Leave out the boxes below the threshold, as the viewer does."""
        scores = predictions.boxes.prediction.scores
        assert scores is not None
        # as exact as the scores are: a score of 0.7 lies on 0.7
        least = scores.dtype.type(SHOWN_FROM if threshold is None else threshold)
        found = predictions.boxes.prediction.only(scores >= least)
        return replace(predictions, data=replace(predictions.boxes, prediction=found))

    def draw_on(self, pen: Any, predictions: Predictions, row: int, scale: float) -> None:
        """Draw the truth thin and light around, the prediction in the colour of its class."""
        data = predictions.boxes
        shades = colours(predictions.classes)
        for box in data.truth.xyxy[data.truth.rows(row)]:
            rectangle(pen, box * scale, (255, 255, 255), 3)
            rectangle(pen, box * scale, (0, 0, 0), 1)
        found = data.prediction
        part = found.rows(row)
        for box, label in zip(found.xyxy[part], found.labels[part], strict=True):
            rectangle(pen, box * scale, shades[label], 2)

    def caption(self, predictions: Predictions, row: int) -> tuple[str, bool]:
        """Return how many were found and how many there are."""
        name = predictions.names[row] if predictions.names else ""
        boxes = predictions.boxes
        true = int(np.diff(boxes.truth.offsets)[row])
        said = int(np.diff(boxes.prediction.offsets)[row])
        return f"{said} found, {true} true" + (f" · {name}" if name else ""), said == true

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return both sets of boxes."""
        del placed
        data = predictions.boxes
        truth, prediction = boxes_json(data.truth, rows), boxes_json(data.prediction, rows)
        return {"truth": truth, "pred": prediction, "iou": 0.5}


def _many(count: int) -> str:
    if count < 2:
        return str(count)
    return "2 to 5" if count < 6 else "6 to 20" if count < 21 else "over 20"


def boxes_json(boxes: Boxes, rows: Rows) -> Json:
    """Return boxes as columns of the sheet, and masks as their run lengths."""
    sizes = np.diff(boxes.offsets)
    counts = np.where(rows >= 0, sizes[np.maximum(rows, 0)], 0)
    part = boxes.take(rows[rows >= 0])
    uncounted: Array | None = part.crowd
    if part.ignored is not None:
        left_out = ~counted_objects(part)
        uncounted = 2 * left_out if part.crowd is None else np.where(part.crowd, 1, 2 * left_out)
    runs = None
    if part.masks is not None:
        lengths = [len(mask.counts) for mask in part.masks]
        every = [mask.counts for mask in part.masks] or [np.zeros(0, np.uint32)]
        runs = {
            "offsets": column(np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))), "u4"),
            "counts": column(np.concatenate(every), "u4"),
        }
    return {
        "offsets": column(np.concatenate(([0], np.cumsum(counts))), "u4"),
        "xyxy": exact(part.xyxy),
        "labels": column(part.labels, "i4"),
        "scores": None if part.scores is None else exact(part.scores),
        "crowd": None if uncounted is None else column(uncounted, "u1"),
        "runs": runs,
    }
