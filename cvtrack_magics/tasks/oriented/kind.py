"""Oriented object detection as a kind of task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cvtrack_magics.tasks.detection.metrics import measure_oriented
from cvtrack_magics.tasks.kind import Placed, Rows
from cvtrack_magics.tasks.objects import Objects
from cvtrack_magics.text import utf8
from cvtrack_magics.vision.colours import colours
from cvtrack_magics.vision.columns import Json, exact

if TYPE_CHECKING:
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation


class Oriented(Objects):
    """Objects with boxes that are turned."""

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return average precisions, counts and curves of oriented boxes."""
        return measure_oriented(predictions, options)

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return the corners of an image's objects, in an order of their own."""
        truth, classes = predictions.boxes.truth, predictions.classes
        assert truth.corners is not None
        found = []
        for at in range(*truth.rows(row).indices(len(truth.labels))):
            corners = sorted(np.round(truth.corners[at], 3).tolist())
            uncounted = bool(truth.crowd[at]) if truth.crowd is not None else False
            ignored = "|ignored" if truth.ignored is not None and truth.ignored[at] else ""
            found.append(f"{classes[int(truth.labels[at])]}|{corners}|{uncounted}{ignored}")
        return utf8("\n".join(sorted(found)))

    def draw_on(self, pen: Any, predictions: Predictions, row: int, scale: float) -> None:
        """Draw the truth thin and light around, the prediction in the colour of its class."""
        data = predictions.boxes
        shades = colours(predictions.classes)
        assert data.truth.corners is not None
        assert data.prediction.corners is not None
        for quad in data.truth.corners[data.truth.rows(row)] * scale:
            _outline(pen, quad, (255, 255, 255), 3)
            _outline(pen, quad, (0, 0, 0), 1)
        part = data.prediction.rows(row)
        pairs = zip(data.prediction.corners[part], data.prediction.labels[part], strict=True)
        for quad, label in pairs:
            _outline(pen, quad * scale, shades[label], 2)

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return both sets of boxes with their corners."""
        data = predictions.boxes
        kept = rows[rows >= 0]
        truth, said = data.truth.take(kept), data.prediction.take(kept)
        assert truth.corners is not None
        assert said.corners is not None
        corners = {"truth": exact(truth.corners), "pred": exact(said.corners)}
        return {**super().frame(predictions, rows, placed), "corners": corners}


def _outline(pen: Any, quad: Any, colour: Any, width: int) -> None:
    spots = [tuple(map(float, spot)) for spot in quad]
    pen.line([*spots, spots[0]], fill=colour, width=width)


KIND = Oriented()
