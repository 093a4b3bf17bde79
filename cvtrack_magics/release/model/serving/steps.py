"""The built-in steps behind a network, each ``{"step": name, …}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import boxes
from .preparing import Placing
from .rejected import Rejected

MAIN = ("logits", "out", "output", "scores")


@dataclass(frozen=True)
class Batch:
    """What the steps may want to know of a batch.

    Attributes
    ----------
    placings : tuple of Placing
        Where each picture's pixels went.
    sizes : tuple of (int, int)
        Height and width of each input of the network.
    names : tuple of str
        Names of the classes, or nothing.
    """

    placings: tuple[Placing, ...]
    sizes: tuple[tuple[int, int], ...]
    names: tuple[str, ...]


def main(value: Any) -> Any:
    """Return the output that a step works on: the only tensor, or the one of a known name."""
    if isinstance(value, Mapping):
        for name in MAIN:
            if name in value:
                return value[name]
        if len(value) == 1:
            return next(iter(value.values()))
        raise Rejected(f"the network has outputs {', '.join(map(str, value))}: none is {MAIN}.")
    if isinstance(value, (list, tuple)) and value and hasattr(value[0], "softmax"):
        return value[0]
    if not hasattr(value, "softmax"):
        raise Rejected(f"expected a tensor, got {type(value).__name__}.")
    return value


def apply(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return what a built-in step makes of a batch; ``Rejected`` where it cannot."""
    name = str(step["step"])
    if name not in STEPS:
        raise Rejected(f"there is no step {name!r}.")
    try:
        return STEPS[name](step, value, batch)
    except Rejected as error:
        raise Rejected(f"{name}: {error}") from None
    except (RuntimeError, IndexError, KeyError, TypeError, ValueError) as error:
        line = str(error).strip().split("\n", 1)[0][:200]
        raise Rejected(f"{name}: {line}") from error


def _softmax(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    del step, batch
    return _several(main(value)).float().softmax(1)


def _sigmoid(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    del step, batch
    return main(value).float().sigmoid()


def _exp(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return the probabilities that a LogSoftmax took the logarithm of."""
    del step, batch
    return main(value).float().exp()


def _probability(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return both classes' probabilities N×2×… where the network gives the second one's."""
    import torch

    del batch
    second = main(value).float()
    if step.get("bare") or second.ndim == 1:
        second = second.unsqueeze(1)
    if second.shape[1] != 1:
        raise Rejected(f"expected one number a sample or pixel, got {tuple(second.shape)}.")
    return torch.cat((1 - second, second), 1)


def _argmax(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    del step, batch
    return _several(main(value)).argmax(1)


def _several(scores: Any) -> Any:
    """Return scores; of one class alone there is no best one, and its softmax is always 1."""
    if scores.ndim < 2 or scores.shape[1] == 1:
        raise Rejected("there is one number a sample: write sigmoid|probability before it.")
    return scores


def _ordinal(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return classes N of logits N×(K-1), each of "the class is higher than this one"."""
    del batch
    logits = main(value).float()
    if logits.ndim != 2:
        raise Rejected(f"expected logits N × (K-1), got {tuple(logits.shape)}.")
    higher = logits.sigmoid()
    if step.get("conditional"):
        higher = higher.cumprod(1)
    return (higher > 0.5).sum(1)


def _multilabel(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return every class of each picture whose score is above a threshold, best first."""
    scores = main(value).float()
    if scores.ndim != 2:
        raise Rejected(f"expected scores N × K, got {tuple(scores.shape)}.")
    every = _top({**step, "count": scores.shape[1]}, scores, batch)
    return [[one for one in row if one["score"] > float(step["value"])] for row in every]


def _labels(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return the best class of each picture, by name."""
    scores = main(value)
    if scores.ndim == 1:
        if scores.dtype.is_floating_point:
            _several(scores)
        return [{"label": _named(index, step, batch)} for index in scores.tolist()]
    _several(scores)
    return [rows[0] for rows in _top({**step, "count": 1}, scores, batch)]


def _top(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return the best classes of each picture, best first."""
    scores = main(value).float()
    if scores.ndim != 2:
        raise Rejected(f"expected scores N × K, got {tuple(scores.shape)}.")
    best, indices = scores.topk(min(int(step["count"]), scores.shape[1]), dim=1)
    return [
        [
            {"label": _named(index, step, batch), "score": score}
            for score, index in zip(row, places, strict=True)
        ]
        for row, places in zip(best.tolist(), indices.tolist(), strict=True)
    ]


def _named(index: int, step: Mapping[str, Any], batch: Batch) -> str:
    names = step.get("names") or batch.names
    if names and index >= len(names):
        raise Rejected(f"class {index} has no name: there are {len(names)} names.")
    return str(names[index]) if names else str(index)


def _threshold(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return where a score is above a threshold, uint8; an axis of one channel is dropped."""
    import torch

    del batch
    over = (main(value) > float(step["value"])).to(torch.uint8)
    return over[:, 0] if over.ndim == 4 and over.shape[1] == 1 else over


def _original(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    """Return masks N×H×W at the size of the pictures sent, by the nearest pixel."""
    import torch

    del step
    masks = main(value)
    if masks.ndim != 3:
        raise Rejected(f"expected masks N × H × W, got {tuple(masks.shape)}.")
    out = []
    for mask, placing in zip(masks, batch.placings, strict=True):
        if placing.left or placing.top:
            raise Rejected("a mask of a cropped or padded picture cannot be scaled back.")
        scaled = torch.nn.functional.interpolate(
            mask[None, None].float(), size=(placing.height, placing.width), mode="nearest-exact"
        )
        out.append(scaled[0, 0].to(mask.dtype))
    return out


def _boxes(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    return boxes.detections(
        value,
        step["format"],
        bool(step["relative"]),
        batch.sizes,
        layout=str(step.get("layout", "rows")),
        activation=step.get("activation"),
    )


def _score(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    del batch
    return boxes.above(value, float(step["value"]))


def _nms(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    del batch
    return boxes.suppressed(value, float(step["value"]))


def _place(step: Mapping[str, Any], value: Any, batch: Batch) -> Any:
    return boxes.placed_back(value, batch.placings, step.get("names") or batch.names)


STEPS: dict[str, Callable[[Mapping[str, Any], Any, Batch], Any]] = {
    "softmax": _softmax,
    "sigmoid": _sigmoid,
    "exp": _exp,
    "probability": _probability,
    "argmax": _argmax,
    "ordinal": _ordinal,
    "multilabel": _multilabel,
    "labels": _labels,
    "top": _top,
    "threshold": _threshold,
    "original": _original,
    "boxes": _boxes,
    "score": _score,
    "nms": _nms,
    "place": _place,
}
