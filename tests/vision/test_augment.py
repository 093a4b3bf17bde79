"""Augmentation samples of real photographs: boxes and masks against other computations."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as pil
from sklearn.datasets import load_digits, load_sample_images
from torch.utils.data import Dataset, Subset
from torchvision import transforms as v1
from torchvision import tv_tensors
from torchvision.transforms import v2

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.augment import augment, seeded

PHOTOS = [np.ascontiguousarray(image[100:300, 180:480]) for image in load_sample_images().images]
HEIGHT, WIDTH = 200, 300
BOXES = [[30.0, 20.0, 110.0, 90.0], [150.0, 60.0, 290.0, 190.0]]


def object_masks() -> Any:
    masks = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, np.array(BOXES, int), strict=True):
        mask[y1:y2, x1:x2] = 1
    return masks


class Objects(Dataset):  # type: ignore[type-arg]
    """Photographs as tensors, with boxes, labels and masks of objects."""

    def __init__(self, boxes: Any = None) -> None:
        self.boxes = BOXES if boxes is None else boxes

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        image = torch.from_numpy(PHOTOS[index]).permute(2, 0, 1)
        target = {
            "boxes": torch.tensor(self.boxes).reshape(-1, 4),
            "labels": torch.arange(len(self.boxes)) + 1,
            "masks": torch.from_numpy(object_masks())[: len(self.boxes)],
            "image_id": index,
        }
        return image, target


def only(value: Any) -> Any:
    """Return a dataset of one item."""
    return [value]


def test_a_flip_moves_boxes_and_masks() -> None:
    result = augment(v2.RandomHorizontalFlip(p=1), Objects(), draws=1)
    assert len(result) == 2
    for photo, original, (draw,) in zip(PHOTOS, result.originals, result.draws, strict=True):
        np.testing.assert_array_equal(original.image, photo)
        np.testing.assert_array_equal(draw.image, photo[:, ::-1])
        wanted = [[WIDTH - x2, y1, WIDTH - x1, y2] for x1, y1, x2, y2 in BOXES]
        np.testing.assert_allclose(draw.boxes, wanted)
        np.testing.assert_array_equal(draw.mask, object_masks()[:, :, ::-1])
        assert draw.labels is not None
        assert draw.labels.tolist() == [1, 2]
    assert result.notes == ()


def test_a_resize_moves_boxes_and_masks() -> None:
    result = augment(v2.Resize((100, 450)), Objects(), draws=2)
    draw = result.draws[0][0]
    assert draw.image.shape == (100, 450, 3)
    np.testing.assert_allclose(draw.boxes, np.array(BOXES) * [1.5, 0.5, 1.5, 0.5])
    assert draw.mask is not None
    assert draw.mask.shape == (2, 100, 450)
    assert result.notes == (
        "the draws of each sample are alike: the transform leaves nothing to chance",
    )


@pytest.mark.parametrize("form", ["XYXY", "XYWH", "CXCYWH"])
def test_boxes_that_know_their_format(form: str) -> None:
    image, target = Objects()[0]
    box = tv_tensors.BoundingBoxes(target["boxes"], format="XYXY", canvas_size=(HEIGHT, WIDTH))
    target["boxes"] = v2.functional.convert_bounding_box_format(box, new_format=form)
    result = augment(v2.RandomVerticalFlip(p=1), only((image, target)), draws=1)
    np.testing.assert_allclose(result.originals[0].boxes, BOXES)
    wanted = [[x1, HEIGHT - y2, x2, HEIGHT - y1] for x1, y1, x2, y2 in BOXES]
    np.testing.assert_allclose(result.draws[0][0].boxes, wanted)


def test_turned_boxes_are_drawn_as_the_upright_one_around() -> None:
    image, target = Objects()[0]
    centre = torch.tensor([[100.0, 100.0, 40.0, 20.0, 90.0]])
    target["boxes"] = tv_tensors.BoundingBoxes(
        centre, format="CXCYWHR", canvas_size=(HEIGHT, WIDTH)
    )
    result = augment(v2.RandomHorizontalFlip(p=1), only((image, target)), draws=1)
    np.testing.assert_allclose(result.originals[0].boxes, [[90, 80, 110, 120]], atol=1e-3)
    np.testing.assert_allclose(result.draws[0][0].boxes, [[190, 80, 210, 120]], atol=1e-3)


def test_boxes_in_a_named_format() -> None:
    boxes = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in BOXES]
    result = augment(v2.RandomHorizontalFlip(p=1), Objects(boxes), draws=1, box_format="xywh")
    wanted = [[WIDTH - x2, y1, WIDTH - x1, y2] for x1, y1, x2, y2 in BOXES]
    np.testing.assert_allclose(result.draws[0][0].boxes, wanted)


def test_a_crop_that_loses_boxes_warns() -> None:
    class Corner(v2.Transform):
        def transform(self, value: Any, _params: Any) -> Any:
            return v2.functional.crop(value, 0, 0, 40, 60)

    kept = augment(Corner(), Objects(), draws=2)
    assert "4 of 8 boxes lie outside the image or without area, in 4 of 4 draws" in kept.notes
    assert not any("all boxes" in note for note in kept.notes)
    lost = augment(Corner(), Objects([BOXES[1]]), draws=2)
    assert "all boxes are lost in 4 of 4 draws" in lost.notes
    clean = augment(v2.Compose([Corner(), v2.SanitizeBoundingBoxes()]), Objects(), draws=1)
    assert not any("boxes lie" in note for note in clean.notes)
    assert [len(draw.boxes) for row in clean.draws for draw in row] == [1, 1]  # type: ignore[arg-type]


def shifted(image: Any, target: Any) -> Any:
    target["boxes"] = target["boxes"] + torch.tensor([100.0, 0, 100, 0])
    target["labels"] = target["labels"][:1]
    return image, target


def test_a_function_of_image_and_target() -> None:
    data = Objects()
    result = augment(shifted, data, draws=1)
    assert "2 of 4 boxes lie partly outside the image, in 2 of 2 draws" in result.notes
    assert "boxes and labels differ in number in 2 of 2 draws" in result.notes
    np.testing.assert_allclose(result.originals[0].boxes, BOXES)


def test_a_draw_does_not_begin_where_the_last_ended() -> None:
    held = [Objects()[0]]  # the same objects at each reading
    result = augment(shifted, held, draws=3)
    for draw in result.draws[0]:
        np.testing.assert_allclose(draw.boxes, np.add(BOXES, [100, 0, 100, 0]))
    assert held[0][1]["boxes"].tolist() == BOXES


def test_boxes_wholly_outside_are_not_counted_as_partly() -> None:
    def far(image: Any, target: Any) -> Any:
        return image, {**target, "boxes": target["boxes"] + 400}

    notes = augment(far, Objects(), draws=1).notes
    assert "4 of 4 boxes lie outside the image or without area, in 2 of 2 draws" in notes
    assert not any("partly" in note for note in notes)


def test_boxes_outside_before_the_transform() -> None:
    data = Objects([[250.0, 20.0, 400.0, 90.0]])
    result = augment(v2.RandomHorizontalFlip(p=0), data, draws=1)
    assert "boxes reach outside the image already in 2 of 2 originals" in result.notes


RANDOM: list[Callable[[], Any]] = [
    lambda: v2.Compose([v2.RandomResizedCrop(64), v2.ColorJitter(0.5, 0.5)]),
    lambda: v1.Compose([v1.RandomResizedCrop(64), v1.ColorJitter(0.5, 0.5)]),
    lambda: lambda x: np.roll(np.asarray(x), random.randrange(99), 0),
    lambda: lambda x: np.roll(np.asarray(x), np.random.randint(99), 0),
    lambda: torch.nn.Sequential(v2.RandomHorizontalFlip(), v2.RandomResizedCrop(64)),
]


@pytest.mark.parametrize("make", RANDOM)
def test_the_same_seed_gives_the_same_draws(make: Callable[[], Any]) -> None:
    photos = [pil.fromarray(photo) for photo in PHOTOS]
    first = augment(make(), photos, seed=3)
    again = augment(make(), photos, seed=3)
    other = augment(make(), photos, seed=4)
    fewer = augment(make(), photos, seed=3, draws=2, indices=[1])
    assert first.seeds == again.seeds
    assert fewer.seeds[0] == first.seeds[1][:2]
    for row, other_row in zip(first.draws, again.draws, strict=True):
        for one, two in zip(row, other_row, strict=True):
            np.testing.assert_array_equal(one.image, two.image)
    np.testing.assert_array_equal(fewer.draws[0][1].image, first.draws[1][1].image)
    pictures = [draw.image.tobytes() for row in first.draws for draw in row]
    assert len(set(pictures)) == len(pictures)
    assert pictures[0] != other.draws[0][0].image.tobytes()
    assert len({seed for row in first.seeds for seed in row}) == 8


def test_a_recorded_seed_gives_its_draw_again() -> None:
    transform = v2.Compose([v2.RandomResizedCrop(64), v2.ColorJitter(0.5, 0.5)])
    photos = [pil.fromarray(photo) for photo in PHOTOS]
    result = augment(transform, photos)
    with seeded(result.seeds[1][2]):
        again = transform(photos[1])
    np.testing.assert_array_equal(np.asarray(again), result.draws[1][2].image)


def noisy(image: Any) -> Any:
    random.random()
    return image + np.random.rand() + float(torch.rand(()))


def test_the_generators_are_undisturbed() -> None:
    class Reading(Objects):
        def __getitem__(self, index: int) -> Any:
            return PHOTOS[index] / 255 + np.random.rand() + random.random()

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(5)
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    result = augment(noisy, Reading())
    after = random.getstate(), np.random.get_state(), torch.get_rng_state()
    assert before[0] == after[0]
    np.testing.assert_equal(before[1], after[1])
    assert torch.equal(before[2], after[2])
    np.testing.assert_array_equal(
        augment(noisy, Reading()).originals[0].image, result.originals[0].image
    )

    def failing(_image: Any) -> Any:
        np.random.rand()
        raise ValueError("no")

    with pytest.raises(UsageProblem):
        augment(failing, Reading())
    np.testing.assert_equal(before[1], np.random.get_state())


def test_torchvision_v1_with_boxes_says_they_are_unmoved() -> None:
    items = [(pil.fromarray(photo), {"boxes": BOXES, "labels": [0, 1]}) for photo in PHOTOS]
    result = augment(v1.RandomHorizontalFlip(1.0), items, draws=2)
    np.testing.assert_array_equal(result.draws[0][0].image, PHOTOS[0][:, ::-1])
    np.testing.assert_allclose(result.draws[0][0].boxes, BOXES)
    assert "boxes are drawn unmoved: the transform takes images only" in result.notes


def test_grey_digits() -> None:
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    data = torch.utils.data.TensorDataset(
        torch.from_numpy(images)[:, None], torch.from_numpy(digits.target)
    )
    result = augment(v2.RandomAffine(20), data, n=5, draws=3)
    assert result.indices == (0, 449, 898, 1347, 1796)
    np.testing.assert_array_equal(
        result.originals[1].image, np.floor(images[449] * 255 + 0.5).astype(np.uint8)
    )
    assert result.originals[1].label == str(digits.target[449])
    assert result.draws[0][0].image.shape == (8, 8)
    assert result.notes == ()


def test_semantic_masks() -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:90, 30:110] = 3
    for given in (pil.fromarray(mask), torch.from_numpy(mask), torch.from_numpy(mask)[None], mask):
        image: Any = pil.fromarray(PHOTOS[0])
        result = augment(v2.RandomHorizontalFlip(1.0), only((image, given)), draws=1)
        np.testing.assert_array_equal(result.originals[0].mask, mask)
        np.testing.assert_array_equal(result.draws[0][0].mask, mask[:, ::-1])
    with pytest.raises(UsageProblem, match="sample 0: the mask is 9×9, the image 200×300"):
        augment(v2.RandomHorizontalFlip(1.0), only((PHOTOS[0], np.zeros((9, 9)))))


def test_the_data_sets_own_transform_is_named() -> None:
    class Own(Objects):
        transform = staticmethod(noisy)

    notes = augment(v2.RandomHorizontalFlip(), Subset(Own(), [0, 1])).notes
    assert "the originals come out of the data set's own transform (noisy)" in notes
