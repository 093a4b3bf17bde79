"""Augmentation samples: items of every form, errors in one line, and the panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as pil
from torchvision import tv_tensors
from torchvision.transforms import v2

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.augment import AugmentResult, augment, panel
from tests.vision.test_augment import BOXES, HEIGHT, PHOTOS, WIDTH, Objects, object_masks, only


@pytest.mark.parametrize(
    "item",
    [
        PHOTOS[0],
        (PHOTOS[0], "cat"),
        [PHOTOS[0], 3],
        (PHOTOS[0], torch.tensor(3)),
        (PHOTOS[0], None),
        (PHOTOS[0], np.array([0, 1, 0])),
        {"image": PHOTOS[0], "label": 3},
        {"image": PHOTOS[0], "bboxes": BOXES, "labels": [0, 1]},
        (PHOTOS[0], {"boxes": [], "labels": []}),
        (PHOTOS[0], {"masks": list(object_masks())}),
        pil.fromarray(PHOTOS[0]).convert("P"),
        tv_tensors.Image(torch.from_numpy(PHOTOS[0]).permute(2, 0, 1)),
    ],
)
def test_items_of_every_form(item: Any) -> None:
    result = augment(v2.RandomHorizontalFlip(1.0), only(item), draws=1)
    assert result.originals[0].image.shape == (HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(result.draws[0][0].image, result.originals[0].image[:, ::-1])
    assert panel(result, ["x"] * 4).ndim == 3


def raising(_image: Any) -> Any:
    raise RuntimeError("first\nsecond")


class Unsized:
    def __getitem__(self, index: int) -> Any:
        return PHOTOS[0]


FLIP = v2.RandomHorizontalFlip()
PROBLEMS: list[tuple[Any, Any, dict[str, Any], str]] = [
    (FLIP, ["text", "text"], {}, "sample 0: expected an image.*saw str"),
    (FLIP, [np.zeros(5)], {}, "sample 0: expected an image.*saw 5"),
    (FLIP, [()], {}, "saw an empty tuple"),
    (FLIP, [{"label": 1}], {}, "sample 0: no image among label"),
    (FLIP, [(PHOTOS[0], object())], {}, r"saw \(image, object\)"),
    (FLIP, [(PHOTOS[0], {"boxes": [[1, 2, 3]]})], {}, "sample 0: boxes: expected M×4, saw 1×3"),
    (FLIP, [(PHOTOS[0], {"boxes": [[50, 50, 3, 3]]})], {}, "is no xyxy box"),
    (raising, PHOTOS, {}, r"sample 0, draw 0 \(seed \d+\): the transform failed: RuntimeError: fi"),
    (lambda x: "text", PHOTOS, {}, r"sample 0, draw 0 \(seed \d+\): expected an image.*saw str"),
    (v2.RandomCrop, PHOTOS, {}, r"saw RandomCrop. Make one: RandomCrop\(\)"),
    (3, PHOTOS, {}, "expected a transform, saw int"),
    (FLIP, Unsized(), {}, "Unsized has no length"),
    (FLIP, [], {}, "list is empty"),
    (FLIP, PHOTOS, {"n": 0}, "n=0: expected a whole number from 1"),
    (FLIP, PHOTOS, {"draws": 1.5}, "draws=1.5"),
    (FLIP, PHOTOS, {"seed": -1}, "seed=-1"),
    (FLIP, PHOTOS, {"indices": [2]}, "indices: 2 is not within 0..1"),
    (FLIP, PHOTOS, {"indices": []}, "indices: none given"),
    (FLIP, torch.utils.data.DataLoader(Objects()), {}, "expected a Dataset or a list, saw DataLo"),
]


@pytest.mark.parametrize(("transform", "data", "options", "said"), PROBLEMS)
def test_errors_in_one_line(transform: Any, data: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageProblem, match=said) as caught:
        augment(transform, data, **options)
    assert "\n" not in str(caught.value)


def test_an_item_that_cannot_be_read() -> None:
    class Missing(Objects):
        def __getitem__(self, index: int) -> Any:
            raise FileNotFoundError("a.png")

    with pytest.raises(UsageProblem, match=r"Sample 0 of Missing .*FileNotFoundError: a\.png"):
        augment(FLIP, Missing())


def test_the_panel() -> None:
    result = augment(v2.RandomHorizontalFlip(), Objects(), draws=3)
    picture = panel(result, ["sky", "x\n\x00" * 500, "日本"])
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 4 * 236 + 12
    many = augment(v2.RandomHorizontalFlip(), PHOTOS * 10, n=20, draws=10)
    assert panel(many).shape[1] == 9 * 172 + 12
    assert panel(AugmentResult((), (), (), ())).ndim == 3
