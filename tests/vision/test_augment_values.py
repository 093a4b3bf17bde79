"""Augmentation samples: ranges, normalisations and values that have none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as pil
from torchvision import transforms as v1
from torchvision.transforms import v2

from cvtrack_magics.vision.augment import augment
from tests.vision.test_augment import PHOTOS

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ODD = ((0.1, 0.5, 0.9), (0.5, 0.1, 0.3))


@pytest.mark.parametrize(("mean", "std"), [(MEAN, STD), ODD, ((0.5,) * 3, (0.5,) * 3)])
@pytest.mark.parametrize("library", [v1, v2])
def test_a_normalisation_is_undone_for_the_picture(library: Any, mean: Any, std: Any) -> None:
    steps = [library.ToTensor(), library.Normalize(mean, std)]
    data = [(pil.fromarray(photo), 1) for photo in PHOTOS]
    result = augment(library.Compose(steps), data, draws=2)
    for photo, row in zip(PHOTOS, result.draws, strict=True):
        np.testing.assert_allclose(row[0].image, photo, atol=1)
    assert "the dtype is float32 instead of uint8 in 4 of 4 draws" in result.notes
    assert any("instead of 0..255" in note for note in result.notes)
    assert "the transform did nothing: all 4 draws equal their originals" in result.notes
    assert result.originals[0].label == "1"


def test_a_normalisation_without_scaling_is_named() -> None:
    transform = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32), v2.Normalize(MEAN, STD)])
    result = augment(transform, PHOTOS, draws=1)
    assert "Normalize was given values up to 255: its mean is for 0..1" in result.notes
    np.testing.assert_allclose(result.draws[0][0].image, PHOTOS[0], atol=1)


def test_nan_noise_and_no_known_range() -> None:
    def broken(image: Any) -> Any:
        out = image / 255
        out[0, 0] = np.nan
        return out

    assert "values are NaN or infinite in 8 of 8 draws" in augment(broken, PHOTOS).notes
    wide = augment(lambda image: image * 40.0 - 70, PHOTOS)
    assert any("of no known range: drawn stretched" in note for note in wide.notes)
    assert wide.draws[0][0].image.std() > 10
    brighter = augment(lambda image: image / np.float32(220), PHOTOS)
    assert not any("stretched" in note for note in brighter.notes)


def test_a_random_normalisation_is_not_undone() -> None:
    steps = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    maybe = v2.RandomApply([v2.Normalize((0.1,) * 3, (0.1,) * 3)], p=0.99)
    result = augment(v2.Compose([*steps, maybe]), PHOTOS, draws=1)
    assert any("drawn stretched" in note for note in result.notes)
