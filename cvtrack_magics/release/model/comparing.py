"""What a comparison of a served answer with a measured one knows, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions

SCORE = 5e-3  # probabilities, which another device or precision may shift a little


class Other(Exception):
    """A sample's answer is another one."""


class NotComparable(Exception):
    """The answer is of a kind that was not measured."""


@dataclass(frozen=True)
class Context:
    """What was measured, the served model's names of classes, and the least score of each."""

    measured: Predictions
    labels: tuple[str, ...]
    floor: float
    lowest: float

    def named(self, label: Any) -> tuple[int, str]:
        """Return a served label's index, -1 for a name that nothing has, and its name."""
        text = str(label)
        if isinstance(label, (int, np.integer)):
            index = int(label)
            return index, self.labels[index] if 0 <= index < len(self.labels) else text
        if text in self.labels:
            return self.labels.index(text), text
        return int(text) if text.isdigit() else -1, text

    def same_class(self, label: Any, index: int) -> bool:
        """Whether a served label is a measured class: by name where both have real names."""
        served, name = self.named(label)
        classes = self.measured.classes
        mine = classes[index] if index < len(classes) else str(index)
        real = self.labels and any(not one.isdigit() for one in classes)
        return name == mine if real and not mine.isdigit() else served == index

    def said(self, index: int) -> str:
        """Return a measured class in words."""
        classes = self.measured.classes
        return classes[index] if 0 <= index < len(classes) else str(index)


def lowest_of(measured: Predictions) -> float:
    """Return the lowest score of a box that was measured; nobody knows what lies below."""
    if not kind_of(measured.task).counts_from_threshold:
        return 0.0
    scores = measured.boxes.prediction.scores
    return float(scores.min()) if scores is not None and len(scores) else 0.0
