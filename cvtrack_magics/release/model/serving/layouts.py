"""How a detector lays out its boxes and scores in tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .rejected import Rejected

LAYOUTS = ("rows", "columns", "objectness", "end2end")
ACTIVATIONS = ("softmax", "sigmoid")
_BOXES, _SCORES, _LOGITS = ("boxes", "pred_boxes"), ("scores",), ("pred_logits", "logits")
_EXPECTED = "expected dicts with boxes and scores, or one tensor B×Q×(4+K)."


def parts(value: Any) -> tuple[Any, Any, Any, bool]:
    """Return (boxes, scores, labels or None, whether the scores are named logits) of a batch.

    Where boxes and scores are one tensor, it is returned as (tensor, None, None, False).

    Parameters
    ----------
    value : dict, tuple or tensor
        What the network returns for a batch; a detector's one tensor may stand before its
        feature maps, as YOLO has it.
    """
    if isinstance(value, Mapping):
        boxes, scores = _first(value, _BOXES), _first(value, _SCORES)
        logits = _first(value, _LOGITS) if scores is None else None
        if boxes is None and len(value) == 1:
            return parts(next(iter(value.values())))
        if boxes is None or (scores is None and logits is None):
            keys = ", ".join(map(str, value))
            raise Rejected(f"expected 'boxes' and 'scores' or 'logits', got {keys}.")
        return boxes, logits if scores is None else scores, value.get("labels"), scores is None
    if isinstance(value, (list, tuple)) and value:
        one = _dimensions(value[0]) == 3 and value[0].shape[-1] != 4
        several = len(value) in (2, 3) and all(_dimensions(v) in (2, 3) for v in value)
        if several and not one:
            return value[0], value[1], value[2] if len(value) == 3 else None, False
        if several and value[1].shape[-1] == 4:
            raise Rejected("the boxes are the second output, expected (boxes, scores).")
        value = value[0]
    if _dimensions(value) != 3:
        raise Rejected(_EXPECTED)
    return value, None, None, False


def split(tensor: Any, layout: str, activation: str) -> tuple[Any, Any, Any]:
    """Return (boxes B×Q×4, scores B×Q×K, None), or scores and labels B×Q of ``end2end``.

    Parameters
    ----------
    tensor : tensor
        ``rows`` B×Q×(4+K), ``columns`` B×(4+K)×Q, ``objectness`` B×Q×(5+K), ``end2end``
        B×Q×6 with score and class behind the box.
    activation : {'', 'softmax', 'sigmoid'}
        What makes probabilities of the scores; softmax's last class is no object.
    """
    if layout == "columns":
        tensor = tensor.transpose(1, 2)
    if tensor.shape[-1] < 5 + (layout in ("objectness", "end2end")):
        raise Rejected(_EXPECTED)
    boxes, rest = tensor[..., :4], tensor[..., 4:]
    if layout == "end2end":
        return boxes, rest[..., 0], rest[..., 1]
    if layout == "objectness":
        return (
            boxes,
            activated(rest[..., :1], activation) * activated(rest[..., 1:], activation),
            None,
        )
    return boxes, activated(rest, activation), None


def activated(scores: Any, activation: str) -> Any:
    """Return probabilities; of a softmax without the last class, which is no object."""
    if activation == "softmax":
        return scores.float().softmax(-1)[..., :-1]
    return scores.float().sigmoid() if activation == "sigmoid" else scores


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((value[key] for key in keys if key in value), None)


def _dimensions(value: Any) -> int:
    return int(getattr(value, "ndim", 0))
