"""From a picture to what the network takes, and the way back for boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .pictures import MODES, Picture
from .rejected import Rejected
from .transforms import rebuilt


@dataclass(frozen=True)
class Placing:
    """Where a picture's pixels went: ``x_network = x · scale_x + left``, and so for y.

    Attributes
    ----------
    height, width : int
        Of the picture as it was sent, in pixels.
    scale_x, scale_y : float
        How many pixels of the network one pixel became.
    left, top : float
        Pixels of the network; negative where the picture was cropped.
    """

    height: int
    width: int
    scale_x: float = 1.0
    scale_y: float = 1.0
    left: float = 0.0
    top: float = 0.0

    def then(self, name: str, step: Any, before: tuple[int, int], after: tuple[int, int]) -> Any:
        """Return the placing after one more step, which changed height × width."""
        if name == "CenterCrop":
            top, left = (_crop_offset(b, a) for b, a in zip(before, after, strict=True))
            return replace(self, left=self.left + left, top=self.top + top)
        if name == "Pad":
            left, top = _padding(step.padding)
            return replace(self, left=self.left + left, top=self.top + top)
        down, across = after[0] / before[0], after[1] / before[1]
        return replace(
            self,
            scale_x=self.scale_x * across,
            scale_y=self.scale_y * down,
            left=self.left * across,
            top=self.top * down,
        )


class Preparing:
    """Turns pictures into tensors, as it was done in training.

    Parameters
    ----------
    takes : {'pil', 'tensor', 'array'}
        What the first step is given: a PIL image, a tensor C×H×W or an array H×W×C, 8-bit.
    steps : sequence of dict
        Descriptions of transforms, or ``{"function": name}``.
    functions : mapping of str to callable
        The functions of the notebook, by name.
    """

    def __init__(
        self,
        takes: str,
        steps: Sequence[dict[str, Any]],
        functions: dict[str, Callable[..., Any]],
    ) -> None:
        self.takes = takes
        self.steps: list[tuple[str, Any]] = []
        for step in steps:
            if "function" in step:
                self.steps.append(("function", functions[step["function"]]))
            else:
                self.steps += _unfolded(step)

    def __call__(self, picture: Picture) -> tuple[Any, Placing]:
        """Return a tensor C×H×W and where the picture's pixels went."""
        height, width, _ = picture.shape
        value = first_value(self.takes, picture)
        placing, size = Placing(height, width), (height, width)
        for name, step in self.steps:
            value = step(value)
            after = _size(value)
            placing, size = placing.then(name, step, size, after), after
        return _tensor(value), placing


def _unfolded(step: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return a description's transforms; a preset as its parts, so that each can be followed."""
    name = str(step["class"]).partition(".")[2]
    if name not in ("ImageClassification", "SemanticSegmentation"):
        return [(name, rebuilt(step))]
    whole, args = rebuilt(step), step["args"]
    resize = {
        "size": args.get("resize_size"),
        "interpolation": args.get("interpolation", {"interpolation": "bilinear"}),
        "antialias": args.get("antialias", True),
    }
    parts: list[tuple[str, Any]] = []
    if resize["size"] is not None:
        parts.append(("Resize", rebuilt({"class": "v1.Resize", "args": resize})))
    if name == "ImageClassification":
        crop = {"size": [*args["crop_size"]] * (2 if len(args["crop_size"]) == 1 else 1)}
        parts.append(("CenterCrop", rebuilt({"class": "v1.CenterCrop", "args": crop})))
    rest: tuple[tuple[str, dict[str, Any]], ...] = (
        ("PILToTensor", {}),
        ("ConvertImageDtype", {"dtype": {"dtype": "float32"}}),
        ("Normalize", {"mean": list(whole.mean), "std": list(whole.std)}),
    )
    return parts + [(n, rebuilt({"class": f"v1.{n}", "args": a})) for n, a in rest]


def first_value(takes: str, picture: Picture) -> Any:
    """Return a picture as the first step takes it."""
    if takes == "tensor":
        import torch

        return torch.from_numpy(np.array(np.moveaxis(picture, -1, 0)))
    if takes == "pil":
        from PIL import Image

        flat = picture[..., 0] if picture.shape[-1] == 1 else picture
        return Image.fromarray(np.ascontiguousarray(flat))
    return picture


def _size(value: Any) -> tuple[int, int]:
    """Return height × width of a PIL image, a tensor …×H×W or an array H×W×C."""
    if hasattr(value, "getbands"):
        return int(value.size[1]), int(value.size[0])
    if isinstance(value, np.ndarray) and value.ndim == 3 and value.shape[-1] in MODES:
        return int(value.shape[0]), int(value.shape[1])
    if getattr(value, "ndim", 0) < 2:
        raise Rejected("pre: a step returned something that is not an image.")
    return int(value.shape[-2]), int(value.shape[-1])


def _tensor(value: Any) -> Any:
    import torch

    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    if not isinstance(value, torch.Tensor):
        raise Rejected(f"pre: expected a tensor C×H×W at the end, got {type(value).__name__}.")
    value = value.as_subclass(torch.Tensor)
    if value.ndim == 4 and len(value) == 1:
        value = value[0]
    if value.ndim != 3:
        raise Rejected(f"pre: expected C×H×W at the end, got {tuple(value.shape)}.")
    return value


def _crop_offset(before: int, after: int) -> float:
    """Return how far torchvision's centre crop moves a pixel along one axis."""
    if after > before:
        return (after - before) // 2
    return -float(round((before - after) / 2.0))


def _padding(padding: Any) -> tuple[float, float]:
    """Return left and top of a number, (sides, ends) or (left, top, right, bottom)."""
    several = list(padding) if isinstance(padding, (list, tuple)) else [padding]
    return float(several[0]), float(several[1] if len(several) > 1 else several[0])
