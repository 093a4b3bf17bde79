"""Depth estimation as a kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtrack_magics.tasks.base import Depths
from cvtrack_magics.tasks.depth.metrics import measure_depth
from cvtrack_magics.tasks.kind import Kind, Layers, Placed, Rows
from cvtrack_magics.tasks.npz_members import of_maps, to_maps
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.blending import fit, ramp
from cvtrack_magics.vision.columns import Json
from cvtrack_magics.vision.images import Image
from cvtrack_magics.vision.map_png import grey_png
from cvtrack_magics.vision.maps import range_of

if TYPE_CHECKING:
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation


class DepthMaps(Layers):
    """Truth, prediction, and how far they are apart."""

    names = ("truth", "pred", "error")

    def __init__(self, predictions: Predictions, side: int) -> None:
        super().__init__()
        self._data, self._side = predictions.depths, side
        self.ranges["depth"] = range_of(self._data.truth, positive=True)
        pairs = zip(self._data.truth, self._data.prediction, strict=True)
        errors = [_error(truth, said) for truth, said in pairs]
        known = [float(np.nanpercentile(e, 99)) for e in errors if np.isfinite(e).any()]
        self.ranges["error"] = (0.0, max(known, default=1.0) or 1.0)

    def pictures(self, row: int) -> Sequence[tuple[str, bytes]]:
        """Return the three maps of a sample."""
        truth, said = self._data.truth[row], self._data.prediction[row]
        (low, high), side = self.ranges["depth"], self._side
        true_png = grey_png(np.where(truth > 0, truth, np.nan), low, high, side=side, gaps=True)
        said_png = grey_png(said, low, high, side=side, gaps=True)
        wrong = grey_png(_error(truth, said), *self.ranges["error"], side=side, gaps=True)
        return [("truth", true_png), ("pred", said_png), ("error", wrong)]


class Depth(Kind):
    """A distance for each pixel."""

    worst = ("AbsRel", -1)
    takes_class_names = False

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return relative and absolute errors over pixels that were measured."""
        return measure_depth(predictions, options)

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return shape and distances."""
        plane = predictions.depths.truth[row]
        return f"{plane.shape}".encode() + np.ascontiguousarray(plane, "<f4").tobytes()

    def members(self, data: Depths) -> dict[str, Array]:
        """Return both maps."""
        return {**of_maps("truth", data.truth), **of_maps("prediction", data.prediction)}

    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> Depths:
        """Return both maps."""
        del facts
        truth, said = to_maps("truth", members), to_maps("prediction", members)
        if truth is None or said is None:
            raise KeyError("truth")
        return Depths(truth, said)

    def views(self, predictions: Predictions, row: int, image: Image) -> list[Image]:
        """Return the picture, truth and prediction, both in the colours of the truth's range."""
        truth, said = predictions.depths.truth[row], predictions.depths.prediction[row]
        known = truth[np.isfinite(truth) & (truth > 0)]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        return [image, *(ramp(fit(plane, image), low, high) for plane in (truth, said))]

    def caption(self, predictions: Predictions, row: int) -> tuple[str, bool]:
        """Return the name, or what stands where."""
        name = predictions.names[row] if predictions.names else ""
        return name or "image | truth | prediction", True

    def layers(self, predictions: Predictions, side: int) -> DepthMaps:
        """Return truth, prediction and error."""
        return DepthMaps(predictions, side)

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return where the maps lie, and their ranges."""
        del predictions, rows
        return {
            "truth": placed.json("truth"),
            "pred": placed.json("pred"),
            "error": placed.json("error"),
            "range": list(placed.layers.ranges["depth"]),
            "error_range": list(placed.layers.ranges["error"]),
        }


def _error(truth: Array, prediction: Array) -> Array:
    """Return |prediction − truth| where there is a measurement, NaN elsewhere."""
    with np.errstate(invalid="ignore"):
        return np.where(truth > 0, np.abs(prediction - truth), np.nan)


KIND = Depth()
