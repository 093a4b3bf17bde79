"""Which layout a detector's output has, from the number of classes, the shape and the values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.release.model.serving import boxes, layouts
from cvtrack_magics.release.model.serving.rejected import Rejected
from cvtrack_magics.release.model.serving.steps import Batch

_FEW_TURNED = 0.25  # of what a network trained little gives
_NO_OBJECT = frozenset(("noobject", "background", "none", "nothing", "∅", "n/a"))


def proved_boxes(
    step: Mapping[str, Any], value: Any, batch: Batch, model: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the step ``boxes`` with the layout and what makes probabilities, and notes.

    Raises
    ------
    UsageProblem
        No layout fits, or more than one does and the step does not say which.
    """
    try:
        return _proved(step, value, batch, model)
    except Rejected as error:
        raise UsageProblem(f"post: boxes: {error}") from error


def _proved(
    step: Mapping[str, Any], value: Any, batch: Batch, model: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    names = batch.names
    if boxes.is_listed(value):
        for one in value:
            _named(one["labels"], names)
            _unit(step, one["boxes"], batch)
        _torchvision(model, names)
        return dict(step), ()
    found, scores, labels, logits = layouts.parts(value)
    if scores is None:
        layout = str(step.get("layout") or _layout(step, found, batch))
        step = {**step, "layout": layout, "activation": step.get("activation", "")}
        places, got, classes = layouts.split(found, layout, str(step["activation"]))
        _checked(got, f"boxes:{_said(step)}")
        if classes is not None:
            _named(classes, names)
        else:
            _count(got.shape[-1], names, tuple(found.shape))
        _unit(step, places, batch)
        _corners(step, places)
        return step, ()
    if found.shape[-1] != 4:
        raise Rejected(f"the boxes are {_shape(found.shape)}, expected B×Q×4.")
    _unit(step, found, batch)
    _corners(step, found)
    if labels is not None and scores.ndim == 2:
        step = {**step, "activation": step.get("activation", "")}
        _checked(layouts.activated(scores, str(step["activation"])), f"boxes:{_said(step)}")
        _named(labels, names)
        return step, ()
    activation = step.get("activation")
    if activation is None:
        activation = _activation(step, scores, names, logits)
    step = {**step, "activation": activation}
    notes: tuple[str, ...] = ()
    if activation and _probable(scores):
        notes = (f"The network's scores lie within 0..1 already: is {activation} the second one?",)
    final = layouts.activated(scores, activation)
    _count(final.shape[-1], names, tuple(scores.shape))
    _checked(final, f"boxes:{_said(step)}")
    return step, notes


def _activation(step: Mapping[str, Any], scores: Any, names: Sequence[str], logits: bool) -> str:
    """Return what makes probabilities of scores B×Q×C, where it is certain."""
    wide = int(scores.shape[-1])
    if not logits and _probable(scores):
        return ""
    ways = f"Say boxes:{_said(step)},softmax (the last class is no object) or ,sigmoid."
    if not names:
        raise UsageProblem(
            f"post: boxes: logits of {wide} classes have a softmax with a class for no object, "
            "or sigmoids.",
            f"Give --labels, or: {ways}",
        )
    if wide == len(names):
        if "".join(names[-1].lower().split()).replace("-", "").replace("_", "") in _NO_OBJECT:
            raise UsageProblem(f"post: boxes: the last class is named {names[-1]!r}.", ways)
        return "sigmoid"
    if wide != len(names) + 1:
        _count(wide, names, tuple(scores.shape))
    if bool((scores[..., -1] < 0).all()):
        raise UsageProblem(
            f"post: boxes: {wide} logits for {len(names)} names, and the last class, which would "
            "be no object, is never likely.",
            ways,
        )
    return "softmax"


def _layout(step: Mapping[str, Any], tensor: Any, batch: Batch) -> str:
    """Return the only layout that shape, names and values allow."""
    shape, names = _shape(tensor.shape), batch.names
    if not names:
        raise UsageProblem(
            f"post: boxes: an output {shape} can be read in several ways.",
            f"Give --labels, or say boxes:{_said(step)},columns (B×(4+K)×Q, YOLOv8 and 11), "
            "objectness (B×Q×(5+K), YOLOv5, v7, X), rows (B×Q×(4+K)) or end2end.",
        )
    count, wide, high = len(names), int(tensor.shape[-1]), int(tensor.shape[1])
    fits = [
        layout
        for layout, good in (
            ("rows", wide == 4 + count),
            ("objectness", wide == 5 + count),
            ("columns", high == 4 + count),
            ("end2end", wide == 6 and _is_class(tensor[..., 5], count)),
        )
        if good
    ]
    if not fits:
        raise UsageProblem(
            f"post: boxes: an output {shape} does not fit {count} names: none of its axes is "
            f"{4 + count} or {5 + count} long.",
            "--labels names each class, and no other; a function can stand before boxes.",
        )
    likely = [one for one in fits if step.get("activation") or _could_be(tensor, one)]
    if likely == ["objectness"] and not _has_anchors(tensor, batch):
        raise UsageProblem(
            f"post: boxes: an output {shape} has objectness and {count} classes, or "
            f"{count + 1} classes of which one has no name.",
            f"Say boxes:{_said(step)},objectness, or name each class with --labels.",
        )
    if len(likely) == 1:
        return likely[0]
    if not likely:
        raise UsageProblem(
            f"post: boxes: the scores of an output {shape} are not within 0..1.",
            f"Say boxes:{_said(step)},sigmoid where they are logits.",
        )
    ways = " or ".join(f"boxes:{_said(step)},{layout}" for layout in likely)
    raise UsageProblem(
        f"post: boxes: an output {shape} can be read in several ways.", f"Say {ways}."
    )


def _has_anchors(tensor: Any, batch: Batch) -> bool:
    """Whether there are three rows a cell, as only anchors, and with them objectness, give."""
    height, width = batch.sizes[0] if batch.sizes else (0, 0)
    cells = [(height // stride) * (width // stride) for stride in (8, 16, 32, 64)]
    return tensor.shape[1] > 0 and tensor.shape[1] in (3 * sum(cells[:3]), 3 * sum(cells))


def _could_be(tensor: Any, layout: str) -> bool:
    """Whether what would be scores are probabilities."""
    rest = (tensor.transpose(1, 2) if layout == "columns" else tensor)[..., 4:]
    return _probable(rest[..., 0] if layout == "end2end" else rest)


def _is_class(column: Any, count: int) -> bool:
    whole = (column == column.round()) & (column >= -1) & (column < count)
    return bool(whole.all())


def _probable(scores: Any) -> bool:
    return bool(((scores >= -1e-4) & (scores <= 1 + 1e-4)).all())


def _checked(scores: Any, said: str) -> None:
    if not _probable(scores):
        least, most = float(scores.min()), float(scores.max())
        raise UsageProblem(
            f"post: boxes: the scores are between {least:.3g} and {most:.3g}, not within 0..1.",
            f"Say another layout, or {said},sigmoid where they are logits.",
        )


def _count(wide: int, names: Sequence[str], shape: Sequence[int]) -> None:
    if names and wide != len(names):
        raise UsageProblem(
            f"post: boxes: {len(names)} names for {wide} classes (scores in {_shape(shape)}).",
            "--labels names each class, and no other; boxes:…,softmax or sigmoid says whether "
            "the last one is no object.",
        )


def _named(labels: Any, names: Sequence[str]) -> None:
    if names and labels.numel() and int(labels.max()) >= len(names):
        raise UsageProblem(
            f"post: boxes: class {int(labels.max())} has no name: there are {len(names)} names.",
            "--labels names each class, the background too where it is class 0.",
        )


def _torchvision(model: Any, names: Sequence[str]) -> None:
    """Compare the names with the classes of a torchvision detector, which has a background."""
    count = classes_of(model)
    if names and count and count != len(names):
        raise UsageProblem(
            f"post: boxes: {len(names)} names for a detector of {count} classes.",
            "Its classes count from 0, which is the background in most: "
            "--labels \"['background', *names]\".",
        )


def classes_of(model: Any) -> int:
    """Return how many classes a torchvision detector has, or 0."""
    if type(getattr(model, "transform", None)).__name__ != "GeneralizedRCNNTransform":
        return 0
    predictor = getattr(getattr(model, "roi_heads", None), "box_predictor", None)
    head = getattr(getattr(model, "head", None), "classification_head", None)
    found = getattr(getattr(predictor, "cls_score", None), "out_features", None)
    found = found or getattr(head, "num_classes", None) or getattr(head, "num_columns", None)
    return found if isinstance(found, int) else 0


def _unit(step: Mapping[str, Any], places: Any, batch: Batch) -> None:
    """Raise where boxes are shares and not pixels, or pixels and not shares."""
    if not places.numel() or not batch.sizes or min(batch.sizes[0]) < 8:
        return
    most = float(places.max())
    if step["relative"] and float(places.float().median()) > 2:
        raise UsageProblem(
            f"post: boxes: they reach to {most:.4g}: pixels, not shares of the picture.",
            "Leave out relative.",
        )
    if not step["relative"] and 0 < most <= 1 and float(places.min()) >= 0:
        raise UsageProblem(
            "post: boxes: they lie within 0..1: shares of the picture, not pixels.",
            f"Say boxes:{_said({**step, 'relative': True})}.",
        )


def _corners(step: Mapping[str, Any], places: Any) -> None:
    """Raise where boxes are said to be corners, and the second is before the first."""
    flat = places.reshape(-1, 4).float()
    if step["format"] != "xyxy" or not len(flat):
        return
    if float((flat[:, 2:] < flat[:, :2]).any(1).float().mean()) > _FEW_TURNED:
        others = [_said({**step, "format": form}) for form in ("cxcywh", "xywh")]
        raise UsageProblem(
            "post: boxes: they end before they begin: their last two numbers are no corner.",
            f"Say {' or '.join(f'boxes:{other}' for other in others)}.",
        )


def _said(step: Mapping[str, Any]) -> str:
    words = [step["format"], "relative" if step["relative"] else "", step.get("layout", "")]
    return ",".join(str(word) for word in words if word)


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape))
