"""Whether what is served answers as what was measured: sample by sample, task by task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtrack_magics.release.model.comparing import Context, NotComparable, Other, lowest_of
from cvtrack_magics.release.model.measured_boxes import (
    same_boxes,
    same_instances,
    same_poses,
    same_turned,
)
from cvtrack_magics.release.model.measured_labels import main, same_classes, same_labels
from cvtrack_magics.tasks.base import Task
from cvtrack_magics.tasks.predictions import Predictions

AREA = 2e-3  # of a label map's pixels, at borders where two classes are equal
VALUE = 2e-3  # of maps and of scores without bounds, relative to the largest


@dataclass(frozen=True)
class Alike:
    """The answers are the same.

    Attributes
    ----------
    samples : int
        How many were compared.
    largest : float
        The largest difference of a score, a map's value or a share of pixels.
    """

    samples: int
    largest: float


@dataclass(frozen=True)
class Differs:
    """The answers are not the same; ``how`` says at which sample, and how."""

    how: str


@dataclass(frozen=True)
class Unlike:
    """Nothing could be compared; ``why`` says what is lacking."""

    why: str


Outcome = Alike | Differs | Unlike


def compared(
    answers: Sequence[Any], measured: Predictions, labels: Sequence[str], floor: float = 0.0
) -> Outcome:
    """Compare what a served model answers with what was measured of the same samples.

    Parameters
    ----------
    answers : sequence of object
        One for each sample: what serving gives for it alone.
    measured : Predictions
        Of these samples, in this order.
    labels : sequence of str
        The served model's names of classes.
    floor : float
        The score below which the served model drops a box.
    """
    match = _TASKS[measured.task]
    context = Context(measured, tuple(labels), floor, lowest_of(measured))
    largest, seen = 0.0, 0
    for row, answer in enumerate(answers):
        try:
            found = match(answer, row, context)
        except NotComparable as error:
            return Unlike(str(error))
        except Other as error:
            return Differs(f"sample {measured.ids[row]}: {error}")
        if found is not None:
            largest, seen = max(largest, found), seen + 1
    return Alike(seen, largest) if seen else Unlike("nothing was predicted in the samples kept")


# -- maps


def _segments(answer: Any, row: int, context: Context) -> float:
    wanted = np.asarray(context.measured.segments.prediction[row])
    got = np.asarray(main(answer))
    if got.ndim == wanted.ndim + 1:
        got = got.argmax(0) if got.shape[0] > 1 else got[0]
    if got.dtype.kind == "f":
        got = got > (0.5 if got.min() >= 0 and got.max() <= 1 else 0)
    _same_shape(got, wanted)
    known = wanted != context.measured.segments.lost
    apart = float((got[known] != wanted[known]).mean()) if known.any() else 0.0
    if apart > AREA:
        raise Other(f"{apart:.1%} of the pixels are served in another class than was measured")
    return apart


def _anomalies(answer: Any, row: int, context: Context) -> float:
    data = context.measured.anomalies
    score, heat = answer, None
    if isinstance(answer, Mapping):
        outputs = list(answer.values())
        score = answer.get("scores", answer.get("score", outputs[0] if outputs else None))
        heat = answer.get("heat", answer.get("output_1"))
        maps = [value for value in outputs if value is not score and np.ndim(value) > 1]
        heat = maps[0] if heat is None and len(maps) == 1 else heat
    value = np.asarray(score, float)
    if value.size != 1:
        raise NotComparable(f"the answer is {_shape(value)}, one score a sample was measured")
    off = _values(value.reshape(()), np.asarray(data.scores[row]), data.scores, "the score")
    if heat is not None and data.heat is not None:
        mine = np.asarray(data.heat[row])
        off = max(off, _values(np.asarray(heat).squeeze(), mine, mine, "the heat map"))
    return off


def _depths(answer: Any, row: int, context: Context) -> float:
    wanted = np.asarray(context.measured.depths.prediction[row])
    got = np.asarray(main(answer), float)
    got = got[0] if got.ndim == wanted.ndim + 1 and got.shape[0] == 1 else got
    return _values(got, wanted, wanted, "the depth")


def _values(got: Any, wanted: Any, all_of_it: Any, what: str) -> float:
    _same_shape(got, wanted)
    known = np.isfinite(wanted) & np.isfinite(got)
    if bool((np.isfinite(wanted) != np.isfinite(got)).any()):
        raise Other(f"{what} is NaN or infinite where it was measured otherwise")
    if not known.any():
        return 0.0
    off = float(np.abs(np.where(known, got - np.where(known, wanted, 0), 0)).max())
    finite = np.asarray(all_of_it)[np.isfinite(all_of_it)]
    if off > VALUE * max(float(np.abs(finite).max()), 1e-6):
        at = np.unravel_index(np.where(known, np.abs(got - wanted), 0).argmax(), got.shape)
        raise Other(f"{what} is served as {got[at]:.4g}, {wanted[at]:.4g} was measured")
    return off


def _same_shape(got: Any, wanted: Any) -> None:
    if got.shape != wanted.shape:
        raise NotComparable(
            f"the answer is {_shape(got)}, {_shape(wanted)} was measured; --post original gives "
            "masks the size of the picture"
        )


def _shape(value: Any) -> str:
    return "×".join(map(str, value.shape)) or "one number"


_TASKS: dict[Task, Callable[[Any, int, Context], float | None]] = {
    "classification": same_classes,
    "detection": same_boxes,
    "instance": same_instances,
    "semantic": _segments,
    "anomaly": _anomalies,
    "depth": _depths,
    "multilabel": same_labels,
    "keypoints": same_poses,
    "oriented": same_turned,
}
