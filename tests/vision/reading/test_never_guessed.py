"""What an input may be besides what it was read as is said, asked for or refused, in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from cvtrack_magics import Predictions, UsageProblem

PICK = np.random.default_rng(11)
TRUTH, SCORES = [0, 1], np.eye(2) * 3.0
SIZE = (100, 80)
BOXES = [[10.0, 10, 30, 40]]
MASK = np.zeros((1, *SIZE), bool)
MASK[0, 10:40, 10:30] = True


def classified(images: Any) -> Predictions:
    return Predictions.classification(images, TRUTH, SCORES)


def turned(orientation: int) -> Image.Image:
    image = Image.new("RGB", (24, 16), (200, 30, 30))
    image.getexif()[0x0112] = orientation
    return image


def band(values: Any) -> Any:
    images = PICK.integers(0, 255, (2, 4, 16, 24), dtype=np.uint8)
    images[:, 3] = values
    return images


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([turned(1), turned(6)], "1 of 2 pictures are stored turned"),
        ([turned(3), turned(8)], "2 of 2 pictures are stored turned"),
        ([turned(1), turned(1)], ""),
        ([Image.new("RGBA", (24, 16), (9, 9, 9, 20))] * 2, ""),  # it says what its bands are
        (band(PICK.integers(0, 255, (16, 24))), "2 of 2 pictures have a fourth channel"),
        (torch.from_numpy(band(7) / np.float32(255)), "2 of 2 pictures have a fourth channel"),
        (list(np.moveaxis(band(7), 1, -1)), "2 of 2 pictures have a fourth channel"),
        (band(255), ""),
        (band(7)[:, :3], ""),
    ],
)
def test_pictures_that_may_be_others_are_said(images: Any, said: str) -> None:
    notes = classified(images).notes
    assert any(note.startswith(said) for note in notes) if said else notes == ()


@pytest.mark.parametrize(
    ("value", "asks"),
    [
        ({"scores": [0.2, 0.9]}, True),
        ({"scores": torch.tensor([[0.2], [0.9]])}, True),
        ({"scores": [-0.2, 0.9]}, False),
        ({"probabilities": [0.2, 0.9]}, False),
        ({"scores": np.array([[0.2, 0.8], [0.1, 0.9]])}, False),
    ],
)
def test_one_value_a_sample_within_0_and_1_is_said(value: dict[str, Any], asks: bool) -> None:
    notes = Predictions.classification(None, TRUTH, **value).notes
    assert any("if they are logits, say logits=" in note for note in notes) is asks


WHITE = np.zeros((2, 8, 8), int)
WHITE[:, :3] = 255
ONES = WHITE // 255


@pytest.mark.parametrize(
    ("truth", "said", "options"),
    [
        (WHITE, ONES, {}),
        (WHITE, WHITE, {}),
        (WHITE, ONES, {"classes": ["wall", "crack"]}),
        (ONES, WHITE, {}),
    ],
)
def test_white_masks_are_neither_a_class_255_nor_void(
    truth: Any, said: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageProblem, match=r"0 and 255 alone.*mask > 0"):
        Predictions.semantic(None, truth, said, **options)
    Predictions.semantic(None, truth, said, ignore=255, **options)
    Predictions.semantic(None, truth > 0, said > 0, **options)


@pytest.mark.parametrize(
    ("shape", "said"),
    [((80, 80), False), ((40, 40), False), ((27, 27), False), ((80, 60), True), ((40, 30), True)],
)
@pytest.mark.parametrize("task", ["semantic", "depth", "anomaly"])
def test_maps_of_another_shape_than_their_picture_are_said(
    task: str, shape: tuple[int, int], said: bool
) -> None:
    images, maps = np.zeros((2, 3, 80, 80), np.uint8), np.ones((2, *shape), int)
    if task == "anomaly":
        found = Predictions.anomaly(images, TRUTH, [0.1, 0.9], heat=maps)
    else:
        found = getattr(Predictions, task)(images, maps, maps)
    assert any("another shape than their picture" in note for note in found.notes) is said


def objects(task: str, truth: dict[str, Any], found: dict[str, Any], **about: Any) -> Predictions:
    plain = {"boxes": BOXES, "labels": [1]}
    make: Callable[..., Predictions] = getattr(Predictions, task)
    about = {"classes": ["a", "b"], "sizes": [SIZE], **about}
    return make(None, [{**plain, **truth}], [{**plain, "scores": [0.9], **found}], **about)


class Supervised:
    """What is read of ``supervision.Detections``."""

    def __init__(self, class_id: Any, **data: Any) -> None:
        self.xyxy, self.class_id, self.data = np.array(BOXES), class_id, data
        self.confidence, self.mask = np.array([0.9]), None


@pytest.mark.parametrize(
    ("truth", "found", "said"),
    [
        ({}, {"keypoints": np.zeros((1, 17, 3))}, "predictions: keypoints not read"),
        ({"keypoints": torch.ones(1, 17, 3)}, {}, "truth: keypoints not read"),
        ({}, {"angles": [0.5]}, "predictions: angles not read"),
        ({}, {"keypoints": np.zeros((0, 17, 3))}, ""),
        ({}, {"keypoints": None}, ""),
        ({}, {"track_ids": [4]}, ""),
    ],
)
@pytest.mark.parametrize("task", ["detection", "instance"])
def test_what_objects_have_beside_their_boxes_is_said(
    task: str, truth: dict[str, Any], found: dict[str, Any], said: str
) -> None:
    masks = {"masks": MASK} if task == "instance" else {}
    notes = objects(task, {**truth, **masks}, {**found, **masks}).notes
    assert any(note.startswith(said) for note in notes) if said else notes == ()


def test_an_oriented_box_of_supervision_is_said() -> None:
    found = Supervised(np.array([1]), xyxyxyxy=np.zeros((1, 4, 2)))
    made = Predictions.detection(None, [Supervised(np.array([1]))], [found], sizes=[SIZE])
    assert made.notes == ("predictions: xyxyxyxy not read; objects are compared without them.",)


@pytest.mark.parametrize(
    "found", [{"boxes": BOXES, "scores": [0.9]}, Supervised(None), {"masks": MASK, "scores": [0.9]}]
)
@pytest.mark.parametrize("classes", [None, ["a", "b"]])
def test_objects_without_a_class_are_not_of_the_first(found: Any, classes: Any) -> None:
    truth = [{"boxes": BOXES, "masks": MASK, "labels": [1]}]
    make = Predictions.instance if "masks" in getattr(found, "keys", list)() else None
    make = make or Predictions.detection
    with pytest.raises(UsageProblem, match="predictions of image 0: its objects have no labels"):
        make(None, truth, [found], classes=classes, sizes=[SIZE])


def test_objects_of_one_class_need_no_label() -> None:
    made = Predictions.detection(
        None, [{"boxes": BOXES}], [{"boxes": BOXES, "scores": [0.9]}], sizes=[SIZE]
    )
    assert made.classes == ("0",)


@pytest.mark.parametrize("sizes", [[(50, 40)], [(80, 100)], [SIZE, SIZE], []])
def test_sizes_other_than_the_pictures_are_refused(sizes: Any) -> None:
    images = [np.zeros((*SIZE, 3), np.uint8)]
    none = [{"boxes": np.zeros((0, 4)), "labels": []}]
    with pytest.raises(UsageProblem, match="sizes: "):
        Predictions.detection(images, none, [{**none[0], "scores": []}], sizes=sizes)


@pytest.mark.parametrize(("canvas", "said"), [(SIZE, False), ((50, 40), True), ((80, 100), True)])
def test_boxes_of_another_canvas_are_said(canvas: tuple[int, int], said: bool) -> None:
    boxes = tv_tensors.BoundingBoxes(torch.tensor(BOXES), format="XYXY", canvas_size=canvas)  # type: ignore[call-overload]
    notes = objects("detection", {"boxes": boxes}, {}).notes
    assert any("another size" in note for note in notes) is said


EMPTY = MASK & False


@pytest.mark.parametrize(
    ("truth", "found", "said"),
    [
        (EMPTY, MASK, "truth: 1 of 1 masks have no pixel"),
        (MASK, EMPTY, "predictions: 1 of 1 masks have no pixel"),
        (MASK, [{"size": SIZE, "counts": [8000]}], "predictions: 1 of 1 masks have no pixel"),
        ([{"size": SIZE, "counts": [8000]}], MASK, "truth: 1 of 1 masks have no pixel"),
        (MASK, np.full((1, *SIZE), 0.4), "predictions: 1 of 1 masks have no pixel"),
        (MASK, MASK, ""),
    ],
)
def test_empty_masks_are_said(truth: Any, found: Any, said: str) -> None:
    notes = objects("instance", {"masks": truth}, {"masks": found}).notes
    assert any(note.startswith(said) for note in notes) if said else notes == ()


@pytest.mark.parametrize("side", ["truth", "predictions"])
def test_a_mask_of_another_size_is_refused_with_its_picture(side: str) -> None:
    other = {"masks": [{"size": [50, 50], "counts": [2500]}]}
    both = [other, {"masks": MASK}]
    with pytest.raises(UsageProblem, match=f"^{side} of image 0: the mask is 50 × 50"):
        objects("instance", *(both if side == "truth" else both[::-1]))
