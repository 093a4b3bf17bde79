"""The items of image data sets: an image, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.arrays import Array, shape_of, to_array
from cvtrack_magics.vision.boxes import to_xyxy

EXPECTED = (
    "expected an image, (image, label), (image, mask) or (image, target) with boxes, labels "
    "or masks"
)
IMAGE_KEYS = ("image", "img", "pixel_values")


@dataclass(frozen=True, slots=True)
class Item:
    """One sample.

    Attributes
    ----------
    image, target : object
        As the data set gave them.
    pixels : array, H × W or H × W × C
        The image in its own dtype and range.
    boxes : float array, M × 4, or None
        xyxy in pixels.
    labels : int64 array, M, or None
        Of the boxes or the object masks.
    mask : array, H × W (label map) or M × H × W (one for each object), or None
        The mask.
    label : str
        Of the whole image, or ``""``.
    """

    image: Any
    target: Any
    pixels: Array
    boxes: Array | None = None
    labels: npt.NDArray[np.int64] | None = None
    mask: Array | None = None
    label: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])


def read(value: Any, what: str, box_format: str = "xyxy") -> Item:
    """Return an item of a data set, or what a transform made of it.

    Parameters
    ----------
    value : object
        See `EXPECTED`; a dict with the key ``image`` goes as well.
    what : str
        Which it is, for errors.
    box_format : str
        Of boxes that are no ``tv_tensors.BoundingBoxes``, which know their own.

    Raises
    ------
    UsageProblem
        It is none of these.
    """
    image, target = _split(value, what)
    item = Item(image, target, pixels_of(image, what))
    if target is None or isinstance(target, str):
        return replace(item, label=target or "")
    if isinstance(target, Mapping):
        return _with_target(item, target, what, box_format)
    if np.ndim(target) == 0 and _is_number(target):
        return replace(item, label=f"{_plain(target)}")
    if is_image(target):
        return replace(item, mask=_label_map(target, item.size, what))
    if hasattr(target, "shape") and len(target.shape) <= 1:
        return item  # one-hot and multi-label vectors have nothing to be drawn
    raise UsageProblem(f"{what}: {EXPECTED}, saw (image, {type(target).__name__}).")


def is_image(value: Any) -> bool:
    """Say whether a value is a PIL image, or a tensor or array of two or three axes."""
    if hasattr(value, "convert") and hasattr(value, "mode"):
        return True
    return hasattr(value, "dtype") and len(getattr(value, "shape", ())) in (2, 3)


def is_channels_first(image: Any) -> bool:
    """Say whether an image is laid out C × H × W, as tensors are."""
    return hasattr(image, "detach") and len(image.shape) == 3


def pixels_of(image: Any, what: str) -> Array:
    """Return an image's values with the channels last, one channel without its axis."""
    if hasattr(image, "detach") and len(image.shape) == 4 and image.shape[0] == 1:
        image = image[0]  # as Kornia's transforms return it
    if not is_image(image):
        shape = getattr(image, "shape", None)
        seen = "×".join(map(str, shape)) if shape is not None else type(image).__name__
        raise UsageProblem(f"{what}: {EXPECTED}, saw {seen}.")
    if hasattr(image, "convert"):
        if image.mode not in ("L", "RGB", "RGBA", "I", "I;16", "F"):
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        return np.asarray(image)
    array = to_array(image, what)
    if is_channels_first(image) or (array.ndim == 3 and _only_first(array)):
        array = np.moveaxis(array, 0, -1)
    if 0 in array.shape:
        raise UsageProblem(f"{what}: an image of {shape_of(array)} has no pixels.")
    return array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array


def _only_first(array: Array) -> bool:
    return array.shape[0] in (1, 3, 4) and array.shape[-1] not in (1, 3, 4)


def _split(value: Any, what: str) -> tuple[Any, Any]:
    if isinstance(value, Mapping):
        key = next((key for key in IMAGE_KEYS if key in value), None)
        if key is None:
            raise UsageProblem(f"{what}: no image among {', '.join(map(str, list(value)[:6]))}.")
        rest = {name: part for name, part in value.items() if name != key}
        if set(rest) == {"label"}:
            return value[key], rest["label"]
        return value[key], rest or None
    if isinstance(value, (tuple, list)):
        if not value:
            raise UsageProblem(f"{what}: {EXPECTED}, saw an empty {type(value).__name__}.")
        return value[0], value[1] if len(value) > 1 else None
    return value, None


def _with_target(item: Item, target: Mapping[Any, Any], what: str, box_format: str) -> Item:
    boxes = target.get("boxes", target.get("bboxes"))
    labels = target.get("labels", target.get("label"))
    masks = target.get("masks", target.get("mask"))
    if boxes is not None:
        item = replace(item, boxes=boxes_of(boxes, item.size, what, box_format))
    if labels is not None and np.ndim(labels) == 0:
        item = replace(item, label=str(_plain(labels)))
    elif labels is not None:
        item = replace(item, labels=to_array(labels, f"{what}: labels").reshape(-1).astype(int))
    if masks is not None:
        array = _mask_array(masks, f"{what}: masks")
        if array.ndim == 3 and "masks" not in target:
            array = _label_map(masks, item.size, what)
        item = replace(item, mask=array)
    return item


def boxes_of(boxes: Any, size: tuple[int, int], what: str, box_format: str) -> Array:
    """Return boxes as xyxy in pixels, float32 or float64, M × 4."""
    if type(boxes).__name__ == "BoundingBoxes" and hasattr(boxes, "format"):
        return _of_tv_tensor(boxes, f"{what}: boxes")
    array = to_array(boxes, f"{what}: boxes")
    if array.size == 0:
        return np.zeros((0, 4), np.float32)
    if array.ndim != 2 or array.shape[1] != 4:
        raise UsageProblem(f"{what}: boxes: expected M×4, saw {shape_of(array)}.")
    return to_xyxy(array, box_format, *size, what)


def _of_tv_tensor(boxes: Any, what: str) -> Array:
    import torch
    from torchvision.transforms.v2 import functional

    turned = boxes.format.value not in ("XYXY", "XYWH", "CXCYWH")
    array = to_array(
        functional.convert_bounding_box_format(
            boxes.as_subclass(torch.Tensor).float(),
            old_format=boxes.format.value,
            new_format="XYXYXYXY" if turned else "XYXY",
        ),
        what,
    )
    if turned:  # a turned box is drawn as the upright one around it
        corners = array.reshape(-1, 4, 2)
        array = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
    return array.reshape(-1, 4)


def _mask_array(mask: Any, what: str) -> Array:
    if isinstance(mask, (list, tuple)):
        if not len(mask):
            return np.zeros((0, 1, 1), np.uint8)
        return np.stack([_mask_array(part, what) for part in mask])
    if hasattr(mask, "convert"):
        return np.asarray(mask)
    return to_array(mask, what)


def _label_map(mask: Any, size: tuple[int, int], what: str) -> Array:
    array = _mask_array(mask, f"{what}: mask")
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[-1]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    if array.ndim != 2:
        raise UsageProblem(f"{what}: mask: expected H×W, saw {shape_of(array)}.")
    if array.shape != size:
        raise UsageProblem(
            f"{what}: the mask is {shape_of(array)}, the image {size[0]}×{size[1]}.",
            "They need one size.",
        )
    return array


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) or hasattr(value, "item")


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
