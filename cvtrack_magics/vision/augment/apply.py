"""Applies a transform of any library to one sample, and what moves with the image."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import numpy as np

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.augment import items as augment_items
from cvtrack_magics.vision.augment.items import Item

Kind: TypeAlias = Literal["albumentations", "v2", "pair", "image"]

_TAKES_ARRAYS = {"ToImage", "ToTensor", "ToPILImage", "Lambda"}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python, NumPy and torch, and put all generators back afterwards.

    Parameters
    ----------
    seed : int
        0 to 2**32 - 1; those that `AugmentResult` records give its draws again.
    """
    import torch

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    # Seeding CUDA before it runs would be remembered, and done when the user starts it.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        if cuda is not None:
            torch.cuda.manual_seed_all(seed)
        if mps is not None:
            torch.mps.manual_seed(seed)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
        if mps is not None:
            torch.mps.set_rng_state(mps)


class Applied:
    """A transform, and how it wants to be called.

    Parameters
    ----------
    transform : callable
        Of torchvision v1 or v2, of Albumentations, or any function of an image.

    Raises
    ------
    UsageProblem
        It cannot be called.
    """

    def __init__(self, transform: Callable[..., Any]) -> None:
        if not callable(transform) or isinstance(transform, type):
            name = getattr(transform, "__name__", type(transform).__name__)
            raise UsageProblem(
                f"transform: expected a transform, saw {name}.",
                f"Make one: {name}()." if isinstance(transform, type) else "",
            )
        self.kind: Kind = kind_of(transform)
        if self.kind == "v2" and find_spec("torchvision.tv_tensors") is None:
            raise UsageProblem(
                "transform: torchvision before 0.16 has no tensors for v2's boxes and masks.",
                "pip install --upgrade torch torchvision",
            )
        if self.kind == "albumentations":
            # It has generators of its own; seeding a copy leaves the user's alone.
            transform = copy.deepcopy(transform)
        self.transform = transform
        self.steps = list(steps(transform))

    def moves_boxes(self) -> bool:
        """Say whether boxes go with the image."""
        if self.kind == "albumentations":
            return self._box_params() is not None
        return self.kind != "image"

    def moves_masks(self) -> bool:
        """Say whether masks go with the image."""
        return self.kind != "image"

    def __call__(self, item: Item, seed: int, what: str) -> Item:
        """Draw once; the item is not changed."""
        with seeded(seed):
            if self.kind == "albumentations":
                if hasattr(self.transform, "set_random_seed"):
                    self.transform.set_random_seed(seed)
                return self._albumentations(item, what)
            # a transform may write into what it is given
            image, target = _copied(item.image), copy.deepcopy(item.target)
            if self.kind == "image":
                return self._unmoved(self.transform(image), item, what)
            if self.kind == "pair":
                return augment_items.read(self.transform(image, target), what)
            return self._v2(item, image, target, what)

    def _unmoved(self, image: Any, item: Item, what: str) -> Item:
        pixels = augment_items.pixels_of(image, what)
        return Item(image, None, pixels, item.boxes, item.labels, item.mask, item.label)

    def _v2(self, item: Item, image: Any, target: Any, what: str) -> Item:
        from torchvision import tv_tensors

        if hasattr(image, "shape") and not isinstance(image, tv_tensors.TVTensor):
            first = type(self.steps[0][0]).__name__ if self.steps else ""
            if not isinstance(image, np.ndarray):
                image = tv_tensors.Image(image)
            elif first not in _TAKES_ARRAYS:
                pixels = item.pixels if item.pixels.ndim == 3 else item.pixels[..., None]
                image = tv_tensors.Image(np.ascontiguousarray(np.moveaxis(pixels, -1, 0)))
        if isinstance(target, Mapping):
            target = self._v2_target(item, dict(target))
        elif item.mask is not None:
            target = tv_tensors.Mask(np.array(item.mask))
        else:
            return self._unmoved(self.transform(image), item, what)
        pair = (image, target)
        outer = type(self.transform).__module__
        made = self.transform(*pair) if ".v2" in outer else self.transform(pair)
        return augment_items.read(made, what)

    def _v2_target(self, item: Item, target: dict[Any, Any]) -> dict[Any, Any]:
        import torch
        from torchvision import tv_tensors

        key = "bboxes" if "boxes" not in target and "bboxes" in target else "boxes"
        if item.boxes is not None and not isinstance(target[key], tv_tensors.BoundingBoxes):
            target[key] = tv_tensors.BoundingBoxes(
                torch.as_tensor(item.boxes), format="XYXY", canvas_size=item.size
            )
        if item.labels is not None and "labels" in target:
            target["labels"] = torch.as_tensor(item.labels)
        name = "masks" if "masks" in target else "mask"
        if item.mask is not None and not isinstance(target[name], tv_tensors.Mask):
            target[name] = tv_tensors.Mask(np.array(item.mask))
        return target

    def _box_params(self) -> Any:
        processor = (getattr(self.transform, "processors", None) or {}).get("bboxes")
        return getattr(processor, "params", None)

    def _albumentations(self, item: Item, what: str) -> Item:
        given: dict[str, Any] = {"image": np.array(item.pixels)}
        params = self._box_params()
        fields: list[str] = []
        if params is not None:
            # the name of the format differs between Albumentations and AlbumentationsX
            form = getattr(params, "format", None) or params.coord_format
            before = np.zeros((0, 4), np.float32) if item.boxes is None else item.boxes
            names = np.zeros(len(before), int) if item.labels is None else item.labels
            rows = _to_format(before, form, item.size)
            fields = list(params.label_fields or [])
            if not fields:
                rows = np.concatenate((rows, names[:, None]), axis=1)
            given["bboxes"] = rows
            given.update(dict.fromkeys(fields, names))
        if item.mask is not None and (item.mask.ndim == 2 or len(item.mask)):
            given["mask" if item.mask.ndim == 2 else "masks"] = np.array(item.mask)
        made = self.transform(**given)
        drawn = self._unmoved(made["image"], item, what)
        boxes, labels, mask = item.boxes, item.labels, item.mask
        if params is not None and item.boxes is not None:
            rows = np.asarray(made["bboxes"], np.float32)
            rows = rows.reshape(len(rows), -1) if len(rows) else np.zeros((0, 5), np.float32)
            boxes = _from_format(rows[:, :4], form, drawn.size)
            if item.labels is not None:
                labels = np.asarray(made[fields[0]] if fields else rows[:, 4]).astype(int)
        if mask is not None and ("mask" in given or "masks" in given):
            moved = made["mask" if mask.ndim == 2 else "masks"]
            moved = np.stack([np.asarray(m) for m in moved]) if mask.ndim == 3 else moved
            mask = np.asarray(moved)
        return Item(drawn.image, None, drawn.pixels, boxes, labels, mask, item.label)


def kind_of(transform: Any) -> Kind:
    """Say how a transform is to be called."""
    if _from(transform, "albumentations"):
        return "albumentations"
    if _from(transform, "torchvision.transforms.v2"):
        return "v2"
    parts = [step for step, _ in steps(transform)]
    if parts and parts[0] is not transform:  # a sequence made by something else
        every = all(_from(step, "torchvision.transforms.v2") for step in parts)
        return "v2" if every else "image"
    if _from(transform, "torchvision.transforms"):
        return "image"
    try:
        taken = inspect.signature(transform).parameters.values()
    except (TypeError, ValueError):
        return "image"
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in taken if p.default is p.empty and p.kind in positional]
    return "pair" if len(needed) == 2 else "image"


def steps(transform: Any, sure: bool = True) -> Iterator[tuple[Any, bool]]:
    """Yield the steps of a transform, and whether each is taken in every draw."""
    members = getattr(transform, "transforms", None)
    name = type(transform).__name__
    if members is None and name == "Sequential":
        members = list(transform)
    if members is None or isinstance(members, (str, bytes)) or not hasattr(members, "__iter__"):
        share = getattr(transform, "p", 1.0)
        yield transform, sure and (not isinstance(share, (int, float)) or share >= 1)
        return
    share = getattr(transform, "p", 1.0)
    plain = name in {"Compose", "Sequential"} and (not isinstance(share, float) or share >= 1)
    for member in members:
        yield from steps(member, sure and plain)


def _copied(image: Any) -> Any:
    # a PIL image that is read from a file holds the file open, which deepcopy refuses
    return image.copy() if hasattr(image, "convert") else copy.deepcopy(image)


def _from(value: Any, package: str) -> bool:
    return any(base.__module__.startswith(package) for base in type(value).__mro__)


def _to_format(boxes: Array, form: str, size: tuple[int, int]) -> Array:
    """Return xyxy boxes in one of Albumentations' formats."""
    scale = np.array([size[1], size[0]] * 2, np.float32)
    if form in ("albumentations", "yolo"):
        boxes = boxes / scale
    if form in ("pascal_voc", "albumentations"):
        return boxes
    extent = boxes[:, 2:] - boxes[:, :2]
    corner = boxes[:, :2] if form == "coco" else boxes[:, :2] + extent / 2
    return np.concatenate((corner, extent), axis=1)


def _from_format(boxes: Array, form: str, size: tuple[int, int]) -> Array:
    if form not in ("pascal_voc", "albumentations"):
        corner = boxes[:, :2] if form == "coco" else boxes[:, :2] - boxes[:, 2:] / 2
        boxes = np.concatenate((corner, corner + boxes[:, 2:]), axis=1)
    if form in ("albumentations", "yolo"):
        boxes = boxes * np.array([size[1], size[0]] * 2, np.float32)
    return boxes
