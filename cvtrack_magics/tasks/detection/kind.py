"""Object detection as a kind of task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvtrack_magics.tasks.detection.metrics import measure_detection
from cvtrack_magics.tasks.objects import Objects

if TYPE_CHECKING:
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation


class Detection(Objects):
    """Objects with boxes."""

    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return average precisions, counts and curves of boxes."""
        return measure_detection(predictions, options)


KIND = Detection()
