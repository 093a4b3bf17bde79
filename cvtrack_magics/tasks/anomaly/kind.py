"""Anomaly detection as a kind of task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtrack_magics.tasks.anomaly.metrics import measure_anomaly
from cvtrack_magics.tasks.base import Anomalies
from cvtrack_magics.tasks.kind import Kind, Layers, Placed, Rows, pick
from cvtrack_magics.tasks.npz_members import of_maps, to_maps
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.blending import fit, mix, ramp
from cvtrack_magics.vision.columns import Json, column, exact
from cvtrack_magics.vision.images import Image
from cvtrack_magics.vision.map_png import grey_png
from cvtrack_magics.vision.maps import range_of

if TYPE_CHECKING:
    from cvtrack_magics.tasks.about import About
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation

_WORDS = {1: ", anomalous", 0: ", normal"}


class HeatMaps(Layers):
    """Where the model sees something, and where something is, as far as there are maps."""

    def __init__(self, predictions: Predictions, side: int) -> None:
        super().__init__()
        self._data, self._side = predictions.anomalies, side
        maps = {"heat": self._data.heat, "mask": self._data.masks}
        self.names = tuple(name for name, found in maps.items() if found is not None)
        if self._data.heat is not None:
            self.ranges["heat"] = range_of(self._data.heat)

    def pictures(self, row: int) -> Sequence[tuple[str, bytes]]:
        """Return the maps there are."""
        found = []
        heat, masks = self._data.heat, self._data.masks
        if heat is not None:
            low, high = self.ranges["heat"]
            found.append(("heat", grey_png(heat[row], low, high, side=self._side, gaps=False)))
        if masks is not None:
            found.append(("mask", grey_png(masks[row], 0, 1, side=self._side, gaps=False)))
        return found


class Anomaly(Kind):
    """A score a sample; higher is more anomalous."""

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return AUROC, PRO and counts at the best threshold."""
        return measure_anomaly(predictions, options)

    def said(self, output: Any, *, softmax: bool) -> dict[str, Any]:
        """Return scores, and heat maps where there are any."""
        del softmax
        if isinstance(output, Mapping):
            return {"scores": output["scores"], "heat": output.get("heat")}
        if isinstance(output, (tuple, list)) and len(output) == 2:
            return {"scores": output[0], "heat": output[1]}
        return {"scores": output}

    def columns(self, predictions: Predictions) -> About:
        """Return the true class of each sample."""
        truth = predictions.anomalies.truth.tolist()
        return {"class": tuple(predictions.classes[k] if k >= 0 else None for k in truth)}

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return 1, 0 or -1."""
        return str(int(predictions.anomalies.truth[row])).encode()

    def members(self, data: Anomalies) -> dict[str, Array]:
        """Return labels, scores and maps."""
        return {
            "truth": data.truth,
            "scores": data.scores,
            **of_maps("heat", data.heat),
            **of_maps("masks", data.masks),
        }

    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> Anomalies:
        """Return labels, scores and maps."""
        del facts
        heat, masks = to_maps("heat", members), to_maps("masks", members)
        return Anomalies(members["truth"], members["scores"], heat, masks)

    def scores_without_truth(self, predictions: Predictions) -> dict[str, Array]:
        """Return the scores."""
        return {"score": predictions.anomalies.scores.astype(np.float64)}

    def worst_first(self, predictions: Predictions, scores: Mapping[str, Array]) -> Rows:
        """Return anomalous samples of low scores and normal ones of high scores first."""
        del scores
        data = predictions.anomalies
        wrongness = np.where(data.truth == 1, -data.scores, data.scores).astype(np.float64)
        wrongness[data.truth == -1] = np.nan
        return np.argsort(-wrongness, kind="stable")

    def views(self, predictions: Predictions, row: int, image: Image) -> list[Image]:
        """Return the picture, and once more with the heat over it."""
        if predictions.anomalies.heat is None:
            return [image]
        return [image, mix(image, ramp(fit(predictions.anomalies.heat[row], image)))]

    def caption(self, predictions: Predictions, row: int) -> tuple[str, bool]:
        """Return the score, and what the sample is."""
        found = predictions.anomalies
        return f"score {found.scores[row]:.3g}{_WORDS.get(int(found.truth[row]), '')}", True

    def layers(self, predictions: Predictions, side: int) -> HeatMaps:
        """Return heat and masks."""
        return HeatMaps(predictions, side)

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return labels, scores, and where the maps lie."""
        found = predictions.anomalies
        return {
            "truth": column(pick(found.truth, rows, -1), "i4"),
            "score": exact(pick(found.scores, rows, np.nan)),
            "heat": placed.json("heat"),
            "heat_range": list(placed.layers.ranges.get("heat", (0.0, 1.0))),
            "mask": placed.json("mask"),
        }


KIND = Anomaly()
