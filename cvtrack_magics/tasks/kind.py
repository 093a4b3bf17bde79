"""What a task is: all in which one differs from another, behind one name.

Each task has a :class:`Kind` in its folder. Who measures, stores, draws or shows predictions asks
the kind of their task, and knows no task by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from cvtrack_magics.capture.data.schema import canonical_task
from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.tasks.base import Task
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.columns import Json
from cvtrack_magics.vision.images import Image

if TYPE_CHECKING:
    from cvtrack_magics.tasks.about import About
    from cvtrack_magics.tasks.base import TaskData
    from cvtrack_magics.tasks.counting import Options
    from cvtrack_magics.tasks.predictions import Predictions
    from cvtrack_magics.vision.evaluation import Evaluation

Rows: TypeAlias = npt.NDArray[np.int64]

_HOMES = {
    "classification": "classification.kind",
    "detection": "detection.kind",
    "instance": "segmentation.instance_kind",
    "semantic": "segmentation.semantic_kind",
    "anomaly": "anomaly.kind",
    "depth": "depth.kind",
    "multilabel": "multilabel.kind",
    "keypoints": "keypoints.kind",
    "oriented": "oriented.kind",
}
_LOGITS = ("out", "logits")
_PROBABLE = ("probabilities", "probs")
TASKS: tuple[Task, ...] = get_args(Task)
_GUIDE: Mapping[str, Task] = {
    "classification": "classification",
    "object-detection": "detection",
    "semantic-segmentation": "semantic",
    "instance-segmentation": "instance",
    "anomaly-detection": "anomaly",
    "depth-estimation": "depth",
    "multi-label-classification": "multilabel",
    "keypoint-detection": "keypoints",
    "oriented-object-detection": "oriented",
}
"""The tasks by the names that runs are tagged with."""


class Layers:
    """The maps that the viewer lays over the pictures: none, where a task has none.

    ``names`` are theirs, ``ranges`` what is dark and light in those that are numbers.
    """

    names: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.ranges: dict[str, tuple[float, float]] = {}

    def pictures(self, row: int) -> Sequence[tuple[str, bytes]]:
        """Return the maps of one sample as PNGs, by name."""
        del row
        return ()


class Placed(Protocol):
    """Layers whose pictures have been put into the packs of a sheet."""

    @property
    def layers(self) -> Layers:
        """Whose pictures they are."""

    def json(self, name: str) -> Json | None:
        """Return where the maps of a name lie, or None when the frame has none."""


class Kind(ABC):
    """One task."""

    worst: ClassVar[tuple[str, int]] = ("", 1)
    """The score that says how wrong a sample is, and -1 where higher is worse."""
    counts_from_threshold: ClassVar[bool] = False
    """Whether a threshold says which of its objects count."""
    takes_class_names: ClassVar[bool] = True
    may_end_in_softmax: ClassVar[bool] = False
    """Whether a network of the task is looked at for what its scores are."""
    has_mlflow_evaluation: ClassVar[bool] = False
    areas: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Sizes of objects by name, from and to which area in pixels."""

    @abstractmethod
    def measure(self, predictions: Predictions, options: Options) -> Evaluation:
        """Return the figures of the task."""

    def said(self, output: Any, *, softmax: bool) -> dict[str, Any]:
        """Return a model's output as the argument of the way predictions are made."""
        del softmax
        return {"predictions": output}

    def settings(self, predictions: Predictions) -> dict[str, Any]:
        """Return what the figures depend on beside the options."""
        del predictions
        return {}

    def columns(self, predictions: Predictions) -> About:
        """Return what the truth says of each sample that parts of them are told apart by."""
        del predictions
        return {}

    @abstractmethod
    def truth(self, predictions: Predictions, row: int) -> bytes:
        """Return the truth of a sample, the same bytes for the same truth on every machine."""

    @abstractmethod
    def members(self, data: Any) -> dict[str, Array]:
        """Return truth and prediction as the arrays of a file."""

    def facts(self, data: Any) -> dict[str, Any]:
        """Return what the file says beside its arrays."""
        del data
        return {}

    @abstractmethod
    def data(self, facts: Mapping[str, Any], members: Mapping[str, Array]) -> TaskData:
        """Return truth and prediction from the arrays of a file."""

    def scores_without_truth(self, predictions: Predictions) -> dict[str, Array]:
        """Return the scores of samples whose truth nobody knows."""
        del predictions
        return {}

    def suspicion(self, predictions: Predictions) -> Array | None:
        """Return by how much the model is surer of another label, NaN where it is not."""
        del predictions
        return None

    def worst_first(self, predictions: Predictions, scores: Mapping[str, Array]) -> Rows:
        """Return the places of the samples, the worst first, those without a figure last."""
        name, sign = self.worst
        if name not in scores:
            return np.arange(len(predictions))
        return np.argsort(scores[name] * sign, kind="stable")

    def counted(self, predictions: Predictions, threshold: float | None) -> Predictions:
        """Return what is drawn in a plain picture: without objects that do not count.

        ``threshold`` is the score from which on they do; None where none is best.
        """
        del threshold
        return predictions

    def views(self, predictions: Predictions, row: int, image: Image) -> list[Image]:
        """Return the picture, or truth and prediction side by side where they are maps."""
        del predictions, row
        return [image]

    def draw_on(self, pen: Any, predictions: Predictions, row: int, scale: float) -> None:
        """Draw over the picture, which is ``scale`` times its own size."""
        del pen, predictions, row, scale

    @abstractmethod
    def caption(self, predictions: Predictions, row: int) -> tuple[str, bool]:
        """Return what is said below a sample in a plain picture, and whether it is right."""

    def layers(self, predictions: Predictions, side: int) -> Layers:
        """Return the maps for the viewer, no longer than ``side`` pixels."""
        del predictions, side
        return Layers()

    @abstractmethod
    def frame(self, predictions: Predictions, rows: Rows, placed: Placed) -> Json:
        """Return truth and prediction as the viewer reads them, in the order of its samples.

        ``rows`` are the places of the samples, -1 where the frame does not have one.
        """


def task_named(word: str) -> Task:
    """Return the task of a name: its own, the one that runs are tagged with, or another usual one.

    Raises
    ------
    UsageProblem
        Naming the nearest.
    """
    found = word if word in TASKS else _GUIDE.get(canonical_task(word) or "", "")
    for task in TASKS:
        if task == found:
            return task
    names = [*TASKS, *_GUIDE]
    raise UsageProblem(f"Task {word!r} is none of {', '.join(TASKS)}.{did_you_mean(word, names)}")


@cache
def kind_of(task: str) -> Kind:
    """Return the kind of a task; its folder is imported when it is first asked for."""
    home = import_module(f"{__name__.rpartition('.')[0]}.{_HOMES[task]}")
    found: Kind = home.KIND
    return found


def scores_said(output: Any, task: Task, *, softmax: bool) -> dict[str, Any]:
    """Return the scores of classes that a model gave, by what they are."""
    if hasattr(output, "_asdict"):
        output = output._asdict()
    found = output
    if isinstance(output, Mapping):
        probable = next((output[key] for key in _PROBABLE if key in output), None)
        found = next((output[key] for key in _LOGITS if key in output), probable)
        softmax = softmax or (found is probable and kind_of(task).may_end_in_softmax)
    if found is None or not hasattr(found, "shape"):
        raise UsageProblem(
            f"collect: expected logits of a {task} model, saw no tensor but {_said_of(output)}.",
            "Give lambda x: model(x)[0], or the key that holds them.",
        )
    return {"probabilities" if softmax else "logits": found}


def _said_of(output: Any) -> str:
    if isinstance(output, Mapping):
        return f"the keys {', '.join(map(str, list(output)[:8])) or 'nothing'}"
    count = f" of {len(output)}" if isinstance(output, (tuple, list)) else ""
    return f"a {type(output).__name__}{count}"


def pick(values: Array, rows: Rows, missing: float) -> Array:
    """Return the rows of an array, and ``missing`` for those that are -1."""
    picked = np.full((len(rows), *values.shape[1:]), missing, values.dtype)
    picked[rows >= 0] = values[rows[rows >= 0]]
    return picked
