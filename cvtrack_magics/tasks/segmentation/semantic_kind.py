"""Semantic segmentation as a kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtrack_magics.tasks.base import Segments
from cvtrack_magics.tasks.kind import Kind, Layers, Placed, Rows, scores_said
from cvtrack_magics.tasks.npz_members import of_maps, to_maps
from cvtrack_magics.tasks.segmentation.metrics import measure_semantic
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.blending import fit, mix, shades
from cvtrack_magics.vision.columns import Json, column
from cvtrack_magics.vision.images import Image
from cvtrack_magics.vision.map_png import label_png

if TYPE_CHECKING:
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation

WIDE = 254
"""More classes than these take two bytes a pixel."""


class LabelMaps(Layers):
    """Truth and prediction as label maps."""

    names = ("truth", "pred")

    def __init__(self, predictions: Predictions, side: int) -> None:
        super().__init__()
        self._data, self._side = predictions.segments, side
        self.wide = len(predictions.classes) > WIDE

    def pictures(self, row: int) -> Sequence[tuple[str, bytes]]:
        """Return both maps; what does not count has a value of its own."""
        data, wide, side = self._data, self.wide, self._side
        return [
            ("truth", label_png(data.truth[row], wide=wide, ignore=data.ignore, side=side)),
            ("pred", label_png(data.prediction[row], wide=wide, ignore=data.lost, side=side)),
        ]


class Semantic(Kind):
    """A class for each pixel."""

    worst = ("iou", 1)

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return IoU and accuracies over pixels."""
        return measure_semantic(predictions, options)

    def settings(self, predictions: Predictions) -> dict[str, Any]:
        """Return the label that does not count."""
        return {"ignore": predictions.segments.ignore}

    def said(self, output: Any, *, softmax: bool) -> dict[str, Any]:
        """Return logits, what a softmax made of them, or the map of labels of an argmax."""
        kind = str(getattr(output, "dtype", ""))
        if getattr(output, "ndim", 0) == 3 and ("int" in kind or "bool" in kind):
            return {"predictions": output}
        return scores_said(output, "semantic", softmax=softmax)

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return shape and labels."""
        plane = predictions.segments.truth[row]
        return f"{plane.shape}".encode() + np.ascontiguousarray(plane, "<u2").tobytes()

    def members(self, data: Segments) -> dict[str, Array]:
        """Return both maps."""
        return {**of_maps("truth", data.truth), **of_maps("prediction", data.prediction)}

    def facts(self, data: Segments) -> dict[str, Any]:
        """Return the labels that do not count, and that are no class."""
        return {"ignore": data.ignore, "lost": data.lost}

    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> Segments:
        """Return both maps."""
        truth, said = to_maps("truth", members), to_maps("prediction", members)
        if truth is None or said is None:
            raise KeyError("truth")
        return Segments(truth, said, facts["ignore"], facts.get("lost"))

    def views(self, predictions: Predictions, row: int, image: Image) -> list[Image]:
        """Return the picture twice, with truth and prediction over it."""
        data = predictions.segments
        colours = shades(predictions.classes)
        return [
            mix(image, colours[np.minimum(fit(plane, image), len(colours) - 1)])
            for plane in (data.truth[row], data.prediction[row])
        ]

    def caption(self, predictions: Predictions, row: int) -> tuple[str, bool]:
        """Return the name, or what stands where."""
        name = predictions.names[row] if predictions.names else ""
        return name or "truth | prediction", True

    def layers(self, predictions: Predictions, side: int) -> LabelMaps:
        """Return truth and prediction."""
        return LabelMaps(predictions, side)

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return where the maps lie, and the pixel confusion of each sample."""
        offsets, index, counts = _cells(predictions, rows)
        assert isinstance(placed.layers, LabelMaps)
        return {
            "truth": placed.json("truth"),
            "pred": placed.json("pred"),
            "wide": placed.layers.wide,
            "cells": {
                "offsets": column(offsets, "u4"),
                "index": column(index, "u4"),
                "count": column(counts, "u4"),
                "side": _side(predictions),
            },
        }


def _side(predictions: Predictions) -> int:
    """Return the number of classes that may be predicted, none being one where it occurs."""
    return len(predictions.classes) + (predictions.segments.lost is not None)


def _cells(predictions: Predictions, rows: Rows) -> tuple[Array, Array, Array]:
    """Return the pixel confusion of each sample: offsets, cells and their counts.

    A cell is truth · side + predicted; a pixel of no predicted class is predicted as K.
    """
    data, count = predictions.segments, len(predictions.classes)
    offsets, cells, counts = [0], [], []
    for place in rows:
        if place >= 0:
            truth, said = data.truth[int(place)], data.prediction[int(place)]
            if data.lost is not None:
                said = np.where(said == data.lost, count, said)
            cell = truth.astype(np.int64) * _side(predictions) + said
            if data.ignore is not None:
                cell = cell[truth != data.ignore]
            found, times = np.unique(cell, return_counts=True)
            cells.append(found)
            counts.append(times)
        offsets.append(offsets[-1] + (len(cells[-1]) if place >= 0 else 0))
    empty = np.zeros(0, np.int64)
    return (
        np.array(offsets),
        np.concatenate(cells) if cells else empty,
        np.concatenate(counts) if counts else empty,
    )


KIND = Semantic()
