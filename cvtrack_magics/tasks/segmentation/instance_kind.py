"""Instance segmentation as a kind of task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cvtrack_magics.tasks.detection.metrics import measure_instance
from cvtrack_magics.tasks.objects import Objects
from cvtrack_magics.vision.blending import mix, shades
from cvtrack_magics.vision.images import Image

if TYPE_CHECKING:
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation


class Instance(Objects):
    """Objects with boxes and masks."""

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return average precisions, counts and curves of boxes and masks."""
        return measure_instance(predictions, options)

    def views(self, predictions: Predictions, row: int, image: Image) -> list[Image]:
        """Return the picture with the masks that were found."""
        found = predictions.boxes.prediction
        colours = shades(predictions.classes)
        drawn = image
        for at in range(*found.rows(row).indices(len(found.labels))):
            if found.masks is None:
                continue
            mask = found.masks[at].array()
            if mask.shape == drawn.shape[:2]:
                drawn = np.where(mask[..., None], mix(drawn, colours[found.labels[at]]), drawn)
        return [drawn]


KIND = Instance()
