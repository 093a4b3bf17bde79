"""From a detector's output to boxes in pixels of the picture that was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import layouts
from .preparing import Placing
from .rejected import Rejected

FORMATS = ("xyxy", "xywh", "cxcywh")


def detections(
    value: Any,
    fmt: str,
    relative: bool,
    sizes: Sequence[Any],
    *,
    layout: str = "rows",
    activation: str | None = None,
) -> list[dict[str, Any]]:
    """Return boxes of each picture, xyxy in pixels of the network's input.

    Parameters
    ----------
    value : list of dict, dict, tuple or tensor
        A list with ``boxes``, ``scores`` and ``labels`` for each picture; a dict or a tuple of
        batches (boxes B×Q×4, scores B×Q×K, or scores B×Q with labels B×Q); one tensor.
    fmt : {'xyxy', 'xywh', 'cxcywh'}
        What the four numbers are; c is the centre.
    relative : bool
        Whether they are shares of width and height and not pixels.
    sizes : sequence of (int, int)
        Height and width of each input of the network.
    layout : {'rows', 'columns', 'objectness', 'end2end'}
        Of one tensor; see ``layouts``.
    activation : {'', 'softmax', 'sigmoid'}, optional
        What makes probabilities of the scores. Without it, what is named logits has DETR's
        form: softmax, and the last class is no object.
    """
    import torch
    from torchvision.ops import box_convert

    found = []
    each = _each(value, layout, activation)
    for (given, scores, labels), (height, width) in zip(each, sizes, strict=True):
        boxes = given.float().reshape(-1, 4)
        if fmt != "xyxy":
            boxes = box_convert(boxes, fmt, "xyxy")
        scale = torch.tensor([width, height] * 2 if relative else [1.0] * 4)
        found.append({"boxes": boxes * scale, "scores": scores.float(), "labels": labels.long()})
    return found


def is_listed(value: Any) -> bool:
    """Whether a network's output has a dict for each picture, as torchvision's detectors do."""
    return (
        isinstance(value, (list, tuple))
        and bool(value)
        and all(isinstance(v, Mapping) for v in value)
    )


def _each(value: Any, layout: str, activation: str | None) -> list[tuple[Any, Any, Any]]:
    """Return (boxes Q×4, scores Q, labels Q) of each picture."""
    if is_listed(value):
        return [(v["boxes"], v["scores"], v["labels"]) for v in value]
    boxes, scores, labels, logits = layouts.parts(value)
    if scores is None:
        boxes, scores, labels = layouts.split(boxes, layout, activation or "")
    else:
        known = ("softmax" if logits else "") if activation is None else activation
        scores = layouts.activated(scores, known)
    if labels is None:
        scores, labels = scores.max(-1)
    return list(zip(boxes, scores, labels, strict=True))


def above(found: list[dict[str, Any]], least: float) -> list[dict[str, Any]]:
    """Return the boxes whose score is at least so high."""
    return [_take(one, one["scores"] >= least) for one in found]


def suppressed(found: list[dict[str, Any]], iou: float) -> list[dict[str, Any]]:
    """Return the boxes that non-maximum suppression leaves, class by class, best first."""
    from torchvision.ops import batched_nms

    return [_take(v, batched_nms(v["boxes"], v["scores"], v["labels"], iou)) for v in found]


def _take(one: dict[str, Any], rows: Any) -> dict[str, Any]:
    return {key: value[rows] for key, value in one.items()}


def placed_back(
    found: list[dict[str, Any]], placings: Sequence[Placing], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return ``boxes`` in pixels of the pictures sent, ``labels`` and ``scores``, as lists.

    A box is cut at the picture's border. Labels are names where there are any.
    """
    return [
        {
            "boxes": _back(one["boxes"], placing).tolist(),
            "labels": [_name(label, names) for label in one["labels"].tolist()],
            "scores": one["scores"].tolist(),
        }
        for one, placing in zip(found, placings, strict=True)
    ]


def _back(boxes: Any, placing: Placing) -> Any:
    import torch

    shift = torch.tensor([placing.left, placing.top] * 2)
    scale = torch.tensor([placing.scale_x, placing.scale_y] * 2)
    most = torch.tensor([placing.width, placing.height] * 2, dtype=torch.float32)
    return torch.minimum(((boxes - shift) / scale).clamp(min=0), most)


def _name(label: int, names: Sequence[str]) -> Any:
    if names and not 0 <= label < len(names):
        raise Rejected(f"class {label} has no name: there are {len(names)} names.")
    return names[label] if names else label
