"""Whether the boxes and masks that are served are those that were measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cvtrack_magics.release.model.comparing import SCORE, Context, NotComparable, Other
from cvtrack_magics.vision.quads import convex

PIXELS = 1.0  # of a box's sides, or
SHARE = 5e-3  # of the picture's
OVERLAP = 0.99  # of masks


def same_boxes(answer: Any, row: int, context: Context) -> float | None:
    """Return the largest difference of a score; None where no box was measured."""
    return _paired(answer, row, context)[0]


def _paired(
    answer: Any,
    row: int,
    context: Context,
    alike: Callable[[int, int], float] = lambda *_: 0.0,
) -> tuple[float | None, dict[int, int]]:
    """Return the largest difference of a score, and which box is served for each measured one.

    Boxes below what either side kept are left out of account. Where several fit, that one is
    taken which is most alike. The difference is None where no box was measured.
    """
    if not isinstance(answer, Mapping) or not {"boxes", "scores", "labels"} <= set(answer):
        raise NotComparable("the answer has no boxes, scores and labels; --post boxes:… makes them")
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
    free, off, pairs = set(range(len(got))), 0.0, {}
    for at in map(int, np.argsort(-sure)):
        label, score = int(wanted[1][at]), float(sure[at])
        fitting = [
            other
            for other in free
            if context.same_class(names[other], label)
            and np.abs(got[other] - wanted[0][at]).max() <= near
            and (scores is None or abs(given[other] - score) <= SCORE)
        ]
        if fitting:
            apart = {other: abs(float(given[other]) - score) for other in fitting}
            pairs[at] = min(fitting, key=lambda other: (-alike(at, other), apart[other]))
            free.discard(pairs[at])
            off = max(off, 0.0 if scores is None else apart[pairs[at]])
        elif scores is None or score >= least:
            box = np.round(wanted[0][at], 1).tolist()
            raise Other(
                f"{context.said(label)} at {box} with {score:.3f} was measured and is not served"
                f"{_nearest(got, given, names, wanted[0][at])}"
            )
    if scores is not None and len(scores):  # a picture of none counts where others have some
        for other in sorted(free, key=lambda one: -given[one]):
            if given[other] >= least:
                box = np.round(got[other], 1).tolist()
                raise Other(
                    f"{names[other]} at {box} with {given[other]:.3f} is served, not measured"
                )
    return off if len(sure) else None, pairs


def _nearest(boxes: Any, scores: Any, names: Sequence[Any], wanted: Any) -> str:
    if not len(boxes):
        return ": no box is"
    at = int(np.abs(boxes - wanted).max(1).argmin())
    return (
        f"; the nearest is {names[at]} at {np.round(boxes[at], 1).tolist()} with {scores[at]:.3f}"
    )


def same_instances(answer: Any, row: int, context: Context) -> float | None:
    """Compare the mask of each box with that of the box which is served for it."""
    masks = context.measured.boxes.prediction.masks
    if masks is None or not isinstance(answer, Mapping):
        return same_boxes(answer, row, context)
    start = context.measured.boxes.prediction.rows(row).start
    served = [np.asarray(mask).squeeze() for mask in answer.get("masks", ())]
    served = [mask > 0.5 if mask.dtype.kind == "f" else mask > 0 for mask in served]

    def alike(at: int, other: int) -> float:
        return _overlap(masks[start + at].array(), served[other]) if other < len(served) else 0.0

    off, pairs = _paired(answer, row, context, alike)
    if off is not None and "masks" not in answer:
        raise NotComparable("masks were measured, and the served answer has boxes only")
    for at, other in pairs.items():
        if alike(at, other) < OVERLAP:
            label = int(context.measured.boxes.prediction.labels[start + at])
            raise Other(
                f"the mask of {context.said(label)} is served as another than was measured "
                f"(overlap {alike(at, other):.3f})"
            )
        off = max(off or 0.0, 1 - alike(at, other))
    return off


def same_poses(answer: Any, row: int, context: Context) -> float | None:
    """Compare the key points of each object with those of the one which is served for it."""
    wanted = context.measured.boxes.prediction.points
    assert wanted is not None
    served = answer.get("keypoints") if isinstance(answer, Mapping) else None
    spots = None if served is None else np.asarray(served, float)[..., :2]
    return _same_spots(answer, row, context, ("key points", spots, wanted[..., :2]))


def same_turned(answer: Any, row: int, context: Context) -> float | None:
    """Compare the corners of each oriented box with those of the one which is served for it."""
    wanted = context.measured.boxes.prediction.corners
    assert wanted is not None
    served = answer.get("corners") if isinstance(answer, Mapping) else None
    spots = None if served is None else convex(np.asarray(served, float))
    return _same_spots(answer, row, context, ("corners", spots, wanted))


def _same_spots(
    answer: Any, row: int, context: Context, sides: tuple[str, Any, Any]
) -> float | None:
    name, served, wanted = sides
    prediction = context.measured.boxes.prediction
    start = prediction.rows(row).start
    near = max(PIXELS, SHARE * max(int(side) for side in context.measured.sizes[row]))

    def alike(at: int, other: int) -> float:
        if served is None or other >= len(served):
            return -np.inf
        if served[other].shape != wanted[start + at].shape:
            return -np.inf
        return -float(np.abs(served[other] - wanted[start + at]).max())

    off, pairs = _paired(answer, row, context, alike)
    if off is not None and served is None:
        raise NotComparable(f"{name} were measured, and the served answer has boxes only")
    for at, other in pairs.items():
        if -alike(at, other) > near:
            label = int(prediction.labels[start + at])
            raise Other(
                f"the {name} of {context.said(label)} are served elsewhere than was measured "
                f"({-alike(at, other):.1f} pixels)"
            )
    return off


def _overlap(mine: Any, other: Any) -> float:
    if mine.shape != other.shape:
        return 0.0
    both = int((mine | other).sum())
    return float((mine & other).sum() / both) if both else 1.0
