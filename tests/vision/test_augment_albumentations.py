"""Albumentations' pipelines, where the package is installed."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from cvtrack_magics.vision.augment import augment

os.environ.setdefault("ALBUMENTATIONS_NO_TELEMETRY", "1")
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
A = pytest.importorskip("albumentations", exc_type=ImportError)

PHOTO = np.ascontiguousarray(load_sample_images().images[0][100:300, 180:480])
HEIGHT, WIDTH = PHOTO.shape[:2]
BOXES = np.array([[30.0, 20.0, 110.0, 90.0], [150.0, 60.0, 290.0, 190.0]])
FLIPPED = np.stack([WIDTH - BOXES[:, 2], BOXES[:, 1], WIDTH - BOXES[:, 0], BOXES[:, 3]], axis=1)


def masks() -> Any:
    stack = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    stack[0, 20:90, 30:110] = 1
    stack[1, 60:190, 150:290] = 1
    return stack


def data() -> Any:
    return [(PHOTO, {"boxes": BOXES, "labels": [4, 7], "masks": masks()})] * 2


def params(form: str, **options: Any) -> Any:
    try:
        return A.BboxParams(coord_format=form, **options)
    except TypeError:
        return A.BboxParams(format=form, **options)


@pytest.mark.parametrize("form", ["pascal_voc", "coco", "yolo", "albumentations"])
@pytest.mark.parametrize("fields", [["names"], None])
def test_boxes_and_masks_move(form: str, fields: Any) -> None:
    box_params = params(form, label_fields=fields)
    result = augment(A.Compose([A.HorizontalFlip(p=1)], bbox_params=box_params), data(), draws=1)
    draw = result.draws[0][0]
    np.testing.assert_array_equal(draw.image, PHOTO[:, ::-1])
    np.testing.assert_allclose(draw.boxes, FLIPPED, atol=1e-3)
    np.testing.assert_array_equal(draw.mask, masks()[:, :, ::-1])
    assert draw.labels is not None
    assert draw.labels.tolist() == [4, 7]
    assert result.notes == ()


def test_a_crop_drops_boxes_and_a_resize_scales_them() -> None:
    crop = A.Compose(
        [A.Crop(0, 0, 120, 100, p=1), A.Resize(50, 240, p=1)],
        bbox_params=params("pascal_voc", label_fields=["labels"]),
    )
    draw = augment(crop, data(), draws=1).draws[0][0]
    assert draw.labels is not None
    assert draw.labels.tolist() == [4]
    np.testing.assert_allclose(draw.boxes, BOXES[:1] * [2, 0.5, 2, 0.5], atol=1e-3)
    far = A.Compose([A.Crop(0, 0, 20, 15, p=1)], bbox_params=params("coco", label_fields=["l"]))
    assert "all boxes are lost in 4 of 4 draws" in augment(far, data(), draws=2).notes


def pipeline(seed: int | None = None) -> Any:
    steps = [
        A.HorizontalFlip(p=0.5),
        A.RandomBrightnessContrast(p=1),
        A.Affine(rotate=(-20, 20), p=1),
    ]
    return A.Compose(steps, bbox_params=params("pascal_voc", label_fields=["labels"]), seed=seed)


def call(transform: Any) -> Any:
    return transform(image=PHOTO, bboxes=BOXES, labels=[4, 7])["image"]


def test_seeds_repeat_and_leave_the_pipeline_alone() -> None:
    mine, untouched = pipeline(11), pipeline(11)
    np.testing.assert_array_equal(call(mine), call(untouched))
    first = augment(mine, data())
    np.testing.assert_array_equal(call(mine), call(untouched))
    again = augment(mine, data())
    for row, other in zip(first.draws, again.draws, strict=True):
        for one, two in zip(row, other, strict=True):
            np.testing.assert_array_equal(one.image, two.image)
            np.testing.assert_array_equal(one.boxes, two.boxes)
    assert len({draw.image.tobytes() for row in first.draws for draw in row}) == 8
    mine.set_random_seed(first.seeds[1][2])
    np.testing.assert_array_equal(call(mine), first.draws[1][2].image)


def test_a_normalisation_is_undone() -> None:
    result = augment(A.Compose([A.HorizontalFlip(p=1), A.Normalize()]), [PHOTO], draws=1)
    np.testing.assert_allclose(result.draws[0][0].image, PHOTO[:, ::-1], atol=1)
    assert "the dtype is float32 instead of uint8 in 1 of 1 draws" in result.notes


def test_without_bbox_params_boxes_are_unmoved() -> None:
    result = augment(A.Compose([A.HorizontalFlip(p=1)]), data(), draws=1)
    assert "boxes are drawn unmoved: the pipeline has no bbox_params" in result.notes
    np.testing.assert_array_equal(result.draws[0][0].mask, masks()[:, :, ::-1])


def test_a_single_transform_and_a_label_map() -> None:
    label_map = masks()[0] * 3
    result = augment(A.VerticalFlip(p=1), [(PHOTO, label_map)], draws=1)
    np.testing.assert_array_equal(result.draws[0][0].mask, label_map[::-1])
    grey = augment(A.VerticalFlip(p=1), [PHOTO[..., 0]], draws=1)
    np.testing.assert_array_equal(grey.draws[0][0].image, PHOTO[::-1, :, 0])
