"""Whether the classes that are served of a picture are those that were measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cvtrack_magics.release.model.comparing import SCORE, Context, NotComparable, Other
from cvtrack_magics.release.model.serving.steps import MAIN


def same_classes(answer: Any, row: int, context: Context) -> float:
    """Return by how much the scores differ; the likeliest class is the same.

    Raises
    ------
    Other, NotComparable
        It is another answer, or of another kind.
    """
    wanted = np.asarray(context.measured.labels.probabilities[row], float)
    best = int(wanted.argmax())
    if isinstance(answer, Mapping) and "label" in answer:
        answer = [answer]
    if isinstance(answer, list):
        return _by_label(answer, wanted, best, context)
    value = np.asarray(main(answer))
    if value.dtype.kind in "iub" and value.size == 1:
        if int(value.item()) != best and not _tied(wanted, int(value.item())):
            raise Other(f"class {value.item()} is served, {context.said(best)} was measured")
        return 0.0
    if value.dtype.kind != "f" or value.size not in (1, wanted.size):
        raise Other(
            f"{value.size} scores are served, {wanted.size} classes were measured"
            if value.dtype.kind == "f"
            else f"an answer of {value.dtype} is served, probabilities were measured"
        )
    got = min(_readings(value.ravel().astype(float), wanted.size), key=_from(wanted))
    served, off = int(got.argmax()), float(np.abs(got - wanted).max())
    if served != best and not _tied(wanted, served):
        raise Other(
            f"{context.said(served)} ({got[served]:.3f}) is served, "
            f"{context.said(best)} ({wanted[best]:.3f}) was measured"
        )
    if not off <= SCORE:
        at = int(np.abs(got - wanted).argmax())
        raise Other(
            f"the score of {context.said(at)} is served as {got[at]:.4g}, "
            f"{wanted[at]:.4g} was measured"
        )
    return off


def _by_label(answer: list[Any], wanted: Any, best: int, context: Context) -> float:
    """Compare the class that is named first, and the score of each that is named."""
    entries = [one for one in answer if isinstance(one, Mapping) and "label" in one]
    if len(entries) != len(answer):
        raise NotComparable("the answer is no list of labels and scores")
    if not entries:
        raise NotComparable("no class is above the threshold of --post")
    off = 0.0
    for place, one in enumerate(entries):
        hits = [k for k in range(len(wanted)) if context.same_class(one["label"], k)]
        if not hits:
            raise Other(f"{one['label']!r} is served, which is no class that was measured")
        if place == 0 and hits[0] != best and not _tied(wanted, hits[0]):
            raise Other(f"{one['label']!r} is served, {context.said(best)!r} was measured")
        if "score" in one:
            apart = abs(float(one["score"]) - float(wanted[hits[0]]))
            if not apart <= SCORE:
                raise Other(
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


def main(answer: Any) -> Any:
    """Return the output that counts among several."""
    if not isinstance(answer, Mapping):
        return answer
    for name in MAIN:
        if name in answer:
            return answer[name]
    if len(answer) == 1:
        return next(iter(answer.values()))
    raise NotComparable(f"the model answers with {', '.join(map(str, answer))}")


def same_labels(answer: Any, row: int, context: Context) -> float:
    """Return by how much the scores of several labels differ.

    Raises
    ------
    Other, NotComparable
        It is another answer, or of another kind.
    """
    wanted = np.asarray(context.measured.label_sets.probabilities[row], float)
    if isinstance(answer, list):
        return _above(answer, wanted, context)
    value = np.asarray(main(answer))
    if value.dtype.kind != "f" or value.size != wanted.size:
        raise Other(
            f"{value.size} values of {value.dtype} are served, {wanted.size} scores were measured"
        )
    scores = value.ravel().astype(float)
    with np.errstate(over="ignore"):
        readings = [scores, 1 / (1 + np.exp(-scores))]
    got = min(readings, key=_from(wanted))
    off = np.abs(got - wanted)
    if not off.max() <= SCORE:
        at = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        raise Other(
            f"the score of {context.said(at)} is served as {got[at]:.4g}, "
            f"{wanted[at]:.4g} was measured"
        )
    return float(off.max())


def _above(answer: list[Any], wanted: Any, context: Context) -> float:
    """Compare the scores of all that is named; what is not named has lower ones."""
    scores: dict[int, float] = {}
    for one in answer:
        if not isinstance(one, Mapping) or "label" not in one or "score" not in one:
            raise NotComparable("the answer is no list of labels and scores")
        hits = [k for k in range(len(wanted)) if context.same_class(one["label"], k)]
        if not hits:
            raise Other(f"{one['label']!r} is served, which is no class that was measured")
        scores[hits[0]] = float(one["score"])
    if not scores and not context.floor:
        raise NotComparable("no class is above the threshold of --post")
    off = {k: abs(score - float(wanted[k])) for k, score in scores.items()}
    for k, apart in off.items():
        if not apart <= SCORE:
            raise Other(
                f"the score of {context.said(k)} is served as {scores[k]:.4g}, "
                f"{wanted[k]:.4g} was measured"
            )
    least = context.floor or min(scores.values())
    for k, score in enumerate(wanted):
        if k not in scores and score > least + SCORE:
            raise Other(f"{context.said(k)} ({score:.3f}) was measured and is not served")
    return max(off.values(), default=0.0)
