"""Whether what is served answers as what was measured: sample by sample, task by task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtrack_magics.release.model.serving.steps import MAIN
from cvtrack_magics.tasks.base import Task
from cvtrack_magics.tasks.kind import kind_of
from cvtrack_magics.tasks.predictions import Predictions

SCORE = 5e-3  # probabilities, which another device or precision may shift a little
PIXELS = 1.0  # of a box's sides, or
SHARE = 5e-3  # of the picture's
OVERLAP = 0.99  # of masks
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


class _Other(Exception):
    """A sample's answer is another one."""


class _NotComparable(Exception):
    """The answer is of a kind that was not measured."""


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
    context = _Context(measured, tuple(labels), floor, _lowest(measured))
    largest, seen = 0.0, 0
    for row, answer in enumerate(answers):
        try:
            found = match(answer, row, context)
        except _NotComparable as error:
            return Unlike(str(error))
        except _Other as error:
            return Differs(f"sample {measured.ids[row]}: {error}")
        if found is not None:
            largest, seen = max(largest, found), seen + 1
    return Alike(seen, largest) if seen else Unlike("nothing was predicted in the samples kept")


@dataclass(frozen=True)
class _Context:
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


def _lowest(measured: Predictions) -> float:
    """Return the lowest score of a box that was measured; nobody knows what lies below."""
    if not kind_of(measured.task).counts_from_threshold:
        return 0.0
    scores = measured.boxes.prediction.scores
    return float(scores.min()) if scores is not None and len(scores) else 0.0


# -- classification


def _classes(answer: Any, row: int, context: _Context) -> float:
    wanted = np.asarray(context.measured.labels.probabilities[row], float)
    best = int(wanted.argmax())
    if isinstance(answer, Mapping) and "label" in answer:
        answer = [answer]
    if isinstance(answer, list):
        return _by_label(answer, wanted, best, context)
    value = np.asarray(_main(answer))
    if value.dtype.kind in "iub" and value.size == 1:
        if int(value.item()) != best and not _tied(wanted, int(value.item())):
            raise _Other(f"class {value.item()} is served, {context.said(best)} was measured")
        return 0.0
    if value.dtype.kind != "f" or value.size not in (1, wanted.size):
        raise _Other(
            f"{value.size} scores are served, {wanted.size} classes were measured"
            if value.dtype.kind == "f"
            else f"an answer of {value.dtype} is served, probabilities were measured"
        )
    got = min(_readings(value.ravel().astype(float), wanted.size), key=_from(wanted))
    served, off = int(got.argmax()), float(np.abs(got - wanted).max())
    if served != best and not _tied(wanted, served):
        raise _Other(
            f"{context.said(served)} ({got[served]:.3f}) is served, "
            f"{context.said(best)} ({wanted[best]:.3f}) was measured"
        )
    if not off <= SCORE:
        at = int(np.abs(got - wanted).argmax())
        raise _Other(
            f"the score of {context.said(at)} is served as {got[at]:.4g}, "
            f"{wanted[at]:.4g} was measured"
        )
    return off


def _by_label(answer: list[Any], wanted: Any, best: int, context: _Context) -> float:
    """Compare the class that is named first, and the score of each that is named."""
    entries = [one for one in answer if isinstance(one, Mapping) and "label" in one]
    if len(entries) != len(answer):
        raise _NotComparable("the answer is no list of labels and scores")
    if not entries:
        raise _NotComparable("no class is above the threshold of --post")
    off = 0.0
    for place, one in enumerate(entries):
        hits = [k for k in range(len(wanted)) if context.same_class(one["label"], k)]
        if not hits:
            raise _Other(f"{one['label']!r} is served, which is no class that was measured")
        if place == 0 and hits[0] != best and not _tied(wanted, hits[0]):
            raise _Other(f"{one['label']!r} is served, {context.said(best)!r} was measured")
        if "score" in one:
            apart = abs(float(one["score"]) - float(wanted[hits[0]]))
            if not apart <= SCORE:
                raise _Other(
                    f"the score of {one['label']!r} is served as {float(one['score']):.4g}, "
                    f"{wanted[hits[0]]:.4g} was measured"
                )
            off = max(off, apart)
    return off


def _readings(value: Any, count: int) -> list[Any]:
    """Return what scores may be as probabilities: as they are, or logits."""
    if value.size == 1 and count == 2:
        second = [value[0], 1 / (1 + np.exp(-value[0]))]
        return [np.array([1 - p, p]) for p in second]
    shifted = np.exp(value - value.max())
    return [value, shifted / shifted.sum()] if not _sums_to_one(value) else [value]


def _sums_to_one(value: Any) -> bool:
    return bool((value >= 0).all() and abs(value.sum() - 1) < 1e-3)


def _from(wanted: Any) -> Callable[[Any], float]:
    def apart(value: Any) -> float:
        found = float(np.abs(value - wanted).max())
        return found if np.isfinite(found) else np.inf

    return apart


def _tied(wanted: Any, served: int) -> bool:
    """Whether another class is as likely as the best, as far as can be told."""
    return 0 <= served < len(wanted) and float(wanted.max() - wanted[served]) <= SCORE


def _main(answer: Any) -> Any:
    """Return the output that counts among several."""
    if not isinstance(answer, Mapping):
        return answer
    for name in MAIN:
        if name in answer:
            return answer[name]
    if len(answer) == 1:
        return next(iter(answer.values()))
    raise _NotComparable(f"the model answers with {', '.join(map(str, answer))}")


# -- detection


def _boxes(answer: Any, row: int, context: _Context) -> float | None:
    """Pair the boxes; those below what either side kept are left out of account."""
    if not isinstance(answer, Mapping) or not {"boxes", "scores", "labels"} <= set(answer):
        raise _NotComparable(
            "the answer has no boxes, scores and labels; --post boxes:… makes them"
        )
    prediction = context.measured.boxes.prediction
    rows = prediction.rows(row)
    wanted = prediction.xyxy[rows], prediction.labels[rows]
    scores = prediction.scores
    sure = np.ones(len(wanted[1])) if scores is None else np.asarray(scores[rows], float)
    got = np.asarray(answer["boxes"], float).reshape(-1, 4)
    given = np.asarray(answer["scores"], float).reshape(-1)
    names = list(np.asarray(answer["labels"]).reshape(-1).tolist())
    height, width = (int(side) for side in context.measured.sizes[row])
    near = max(PIXELS, SHARE * max(height, width))
    least = max(context.floor, context.lowest) + SCORE
    free, off = set(range(len(got))), 0.0
    for at in np.argsort(-sure):
        label, score = int(wanted[1][at]), float(sure[at])
        pairs = [
            other
            for other in free
            if context.same_class(names[other], label)
            and np.abs(got[other] - wanted[0][at]).max() <= near
            and (scores is None or abs(given[other] - score) <= SCORE)
        ]
        if pairs:
            best = min(pairs, key=lambda other: abs(given[other] - score))
            free.discard(best)
            off = max(off, 0.0 if scores is None else abs(float(given[best]) - score))
        elif scores is None or score >= least:
            box = np.round(wanted[0][at], 1).tolist()
            raise _Other(
                f"{context.said(label)} at {box} with {score:.3f} was measured and is not served"
                f"{_nearest(got, given, names, wanted[0][at])}"
            )
    if scores is not None:
        for other in sorted(free, key=lambda one: -given[one]):
            if given[other] >= least and len(sure):
                box = np.round(got[other], 1).tolist()
                raise _Other(
                    f"{names[other]} at {box} with {given[other]:.3f} is served, not measured"
                )
    return off if len(sure) else None


def _nearest(boxes: Any, scores: Any, names: Sequence[Any], wanted: Any) -> str:
    if not len(boxes):
        return ": no box is"
    at = int(np.abs(boxes - wanted).max(1).argmin())
    return (
        f"; the nearest is {names[at]} at {np.round(boxes[at], 1).tolist()} with {scores[at]:.3f}"
    )


def _instances(answer: Any, row: int, context: _Context) -> float | None:
    off = _boxes(answer, row, context)
    masks = context.measured.boxes.prediction.masks
    if masks is None or off is None:
        return off
    if "masks" not in answer:
        raise _NotComparable("masks were measured, and the served answer has boxes only")
    rows = context.measured.boxes.prediction.rows(row)
    served = [np.asarray(mask).squeeze() for mask in answer["masks"]]
    served = [mask > 0.5 if mask.dtype.kind == "f" else mask > 0 for mask in served]
    least = max(context.floor, context.lowest) + SCORE
    scores = context.measured.boxes.prediction.scores
    for at in range(rows.start, rows.stop):
        mine = masks[at].array()
        best = max((_overlap(mine, other) for other in served), default=0.0)
        if best < OVERLAP and (scores is None or float(scores[at]) >= least):
            raise _Other(f"a mask was measured that none is served like (overlap {best:.3f})")
        off = max(off, 1 - best) if best >= OVERLAP else off
    return off


def _overlap(mine: Any, other: Any) -> float:
    if mine.shape != other.shape:
        return 0.0
    both = int((mine | other).sum())
    return float((mine & other).sum() / both) if both else 1.0


# -- maps


def _segments(answer: Any, row: int, context: _Context) -> float:
    wanted = np.asarray(context.measured.segments.prediction[row])
    got = np.asarray(_main(answer))
    if got.ndim == wanted.ndim + 1:
        got = got.argmax(0) if got.shape[0] > 1 else got[0]
    if got.dtype.kind == "f":
        got = got > (0.5 if got.min() >= 0 and got.max() <= 1 else 0)
    _same_shape(got, wanted)
    known = wanted != context.measured.segments.lost
    apart = float((got[known] != wanted[known]).mean()) if known.any() else 0.0
    if apart > AREA:
        raise _Other(f"{apart:.1%} of the pixels are served in another class than was measured")
    return apart


def _anomalies(answer: Any, row: int, context: _Context) -> float:
    data = context.measured.anomalies
    score, heat = answer, None
    if isinstance(answer, Mapping):
        outputs = list(answer.values())
        score = answer.get("scores", answer.get("score", outputs[0] if outputs else None))
        heat = answer.get("heat", answer.get("output_1"))
    value = np.asarray(score, float)
    if value.size != 1:
        raise _NotComparable(f"the answer is {_shape(value)}, one score a sample was measured")
    off = _values(value.reshape(()), np.asarray(data.scores[row]), data.scores, "the score")
    if heat is not None and data.heat is not None:
        mine = np.asarray(data.heat[row])
        off = max(off, _values(np.asarray(heat).squeeze(), mine, mine, "the heat map"))
    return off


def _depths(answer: Any, row: int, context: _Context) -> float:
    wanted = np.asarray(context.measured.depths.prediction[row])
    got = np.asarray(_main(answer), float)
    got = got[0] if got.ndim == wanted.ndim + 1 and got.shape[0] == 1 else got
    return _values(got, wanted, wanted, "the depth")


def _values(got: Any, wanted: Any, all_of_it: Any, what: str) -> float:
    _same_shape(got, wanted)
    known = np.isfinite(wanted) & np.isfinite(got)
    if bool((np.isfinite(wanted) != np.isfinite(got)).any()):
        raise _Other(f"{what} is NaN or infinite where it was measured otherwise")
    if not known.any():
        return 0.0
    off = float(np.abs(np.where(known, got - np.where(known, wanted, 0), 0)).max())
    finite = np.asarray(all_of_it)[np.isfinite(all_of_it)]
    if off > VALUE * max(float(np.abs(finite).max()), 1e-6):
        at = np.unravel_index(np.where(known, np.abs(got - wanted), 0).argmax(), got.shape)
        raise _Other(f"{what} is served as {got[at]:.4g}, {wanted[at]:.4g} was measured")
    return off


def _same_shape(got: Any, wanted: Any) -> None:
    if got.shape != wanted.shape:
        raise _NotComparable(
            f"the answer is {_shape(got)}, {_shape(wanted)} was measured; --post original gives "
            "masks the size of the picture"
        )


def _shape(value: Any) -> str:
    return "×".join(map(str, value.shape)) or "one number"


_TASKS: dict[Task, Callable[[Any, int, _Context], float | None]] = {
    "classification": _classes,
    "detection": _boxes,
    "instance": _instances,
    "semantic": _segments,
    "anomaly": _anomalies,
    "depth": _depths,
}
