"""Key points as a kind of task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cvtrack_magics.tasks.base import Poses
from cvtrack_magics.tasks.detection.metrics import measure_keypoints
from cvtrack_magics.tasks.kind import Placed, Rows
from cvtrack_magics.tasks.npz_members import to_boxes
from cvtrack_magics.tasks.objects import Objects
from cvtrack_magics.text import utf8
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.colours import colours
from cvtrack_magics.vision.columns import Json, column, exact

if TYPE_CHECKING:
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation

_RADIUS = 2.5


class Keypoints(Objects):
    """Objects with key points."""

    # COCO has no small ones
    areas: ClassVar[Mapping[str, tuple[float, float]]] = {
        "medium": (32**2, 96**2),
        "large": (96**2, 1e10),
    }

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return average precisions, counts and curves by OKS."""
        return measure_keypoints(predictions, options)

    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return the objects of an image with their points, in an order of their own."""
        truth, classes = predictions.boxes.truth, predictions.classes
        assert truth.points is not None
        found = []
        for at in range(*truth.rows(row).indices(len(truth.labels))):
            points = np.round(truth.points[at], 3).tolist()
            area = round(float(truth.areas[at]), 3) if truth.areas is not None else ""
            uncounted = bool(truth.crowd[at]) if truth.crowd is not None else False
            ignored = "|ignored" if truth.ignored is not None and truth.ignored[at] else ""
            found.append(f"{classes[int(truth.labels[at])]}|{points}|{area}|{uncounted}{ignored}")
        return utf8("\n".join(sorted(found)))

    def facts(self, data: Any) -> dict[str, Any]:
        """Return the sigmas."""
        return {"sigmas": list(data.sigmas)}

    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> Poses:
        """Return both sets of objects, and the sigmas."""
        sigmas = tuple(map(float, facts["sigmas"]))
        return Poses(to_boxes("truth", members), to_boxes("prediction", members), sigmas)

    def draw_on(self, pen: Any, predictions: Predictions, row: int, scale: float) -> None:
        """Draw the truth as rings of white, the predictions as dots of their class's colour."""
        data = predictions.boxes
        shades = colours(predictions.classes)
        assert data.truth.points is not None
        assert data.prediction.points is not None
        for points in data.truth.points[data.truth.rows(row)]:
            for x, y in points[points[:, 2] > 0, :2] * scale:
                place = _around(x, y, _RADIUS + 1.5)
                pen.ellipse(place, outline=(0, 0, 0), width=3)
                pen.ellipse(place, outline=(255, 255, 255), width=1)
        part = data.prediction.rows(row)
        for points, label in zip(
            data.prediction.points[part], data.prediction.labels[part], strict=True
        ):
            for x, y in points[:, :2] * scale:
                pen.ellipse(_around(x, y, _RADIUS), fill=shades[label])

    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return both sets of objects with their points."""
        data = predictions.data
        assert isinstance(data, Poses)
        made = super().frame(predictions, rows, placed)
        kept = rows[rows >= 0]
        truth, said = data.truth.take(kept), data.prediction.take(kept)
        made["truth"]["crowd"] = _uncounted(truth)
        assert truth.points is not None
        assert said.points is not None
        assert truth.areas is not None
        made["points"] = {
            "truth": exact(truth.points.reshape(-1)),
            "pred": exact(said.points[..., :2].reshape(-1)),
            "areas": exact(truth.areas),
            "sigmas": list(data.sigmas),
        }
        return made


def _uncounted(truth: Boxes) -> Json | None:
    """Return what does not count: 1 crowds, 2 what is to be ignored, 3 what has no points."""
    assert truth.points is not None
    kinds = np.zeros(len(truth.labels), np.uint8)
    kinds[np.logical_not((truth.points[..., 2] > 0).any(axis=1))] = 3
    for flags, kind in ((truth.ignored, 2), (truth.crowd, 1)):
        if flags is not None:
            kinds[flags] = kind
    return column(kinds, "u1") if kinds.any() else None


def _around(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius


KIND = Keypoints()
