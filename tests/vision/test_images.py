"""Layouts and ranges: recognised where one reading is possible, else one clear line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.vision.images import to_images
from cvtrack_magics.vision.normalisation import KNOWN
from tests.vision.examples import photos


def test_the_same_picture_in_any_form() -> None:
    wanted = photos()[:2]
    chw = torch.tensor(wanted).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in KNOWN["imagenet"])
    forms: list[Any] = [
        wanted,
        list(wanted),
        [Image.fromarray(one) for one in wanted],
        chw,
        chw / 255.0,
        chw.double(),
        (chw / 255.0).half(),
        (chw / 255.0).bfloat16().float(),
        (chw / 255.0 - mean) / std,
        chw.to(torch.int64),
        wanted.astype(np.uint16),
    ]
    for form in forms[:7] + forms[8:]:
        found = to_images(form)
        assert [one.dtype for one in found] == [np.uint8] * 2
        worst = max(np.abs(a.astype(int) - b).max() for a, b in zip(found, wanted, strict=True))
        assert worst <= 1, type(form)
    rounded = to_images(forms[7])  # bfloat16 has 8 bits
    assert np.abs(rounded[0].astype(int) - wanted[0]).max() <= 2


def test_grey_and_alpha_stay() -> None:
    grey, clear = photos()[0, :, :, 0], np.dstack((photos()[0], photos()[0, :, :, 1]))
    assert to_images([grey, clear, grey[..., None], grey[None]])[0].shape == (48, 64)
    assert [one.shape for one in to_images([grey, clear, grey[..., None]])] == [
        (48, 64),
        (48, 64, 4),
        (48, 64),
    ]
    assert to_images(np.stack([grey] * 5))[4].shape == (48, 64)


def test_the_caller_may_write_into_the_images_afterwards() -> None:
    batch = photos()[:1].copy()
    kept = to_images(batch)[0]
    batch[:] = 0
    assert kept.any()


def test_nan_is_black_and_what_is_beyond_the_range_is_cut() -> None:
    image = np.full((1, 4, 4), 0.5, np.float32)
    image[0, 0] = [np.nan, np.inf, -np.inf, 1.0]
    assert to_images(image)[0][0].tolist() == [0, 255, 0, 255]
    assert to_images(image * 4, value_range=(0, 1))[0][1].tolist() == [255] * 4
    assert to_images(np.full((1, 4, 4), np.nan))[0].max() == 0


@pytest.mark.parametrize(
    ("value", "options", "said"),
    [
        (np.zeros((2, 3, 8, 3)), {}, "3×8×3 can be channels first or last. Say layout='CHW'"),
        (np.zeros((2, 5, 8, 8)), {}, "expected 1, 3 or 4 channels, saw 5×8×8"),
        (np.zeros((8, 8)), {}, "expected N×C×H×W, N×H×W×C or N×H×W, saw 8×8"),
        (np.zeros((2, 1, 0, 8)), {"layout": "CHW"}, "has no pixels"),
        (np.linspace(-1, 1, 150).reshape(2, 3, 5, 5), {}, "can be normalised in several ways"),
        (np.linspace(0, 16, 32).reshape(2, 4, 4), {}, "from 0 to 16 are neither"),
        (np.linspace(-9, 9, 150).reshape(2, 3, 5, 5), {}, "from -9 to 9 are neither"),
        (np.zeros((2, 4, 4), np.int64), {}, "int64 values from 0 to 0 have no known range"),
        (np.full((2, 4, 4), 4000, np.uint16), {}, "Say value_range=(black, white)"),
        (np.zeros((2, 4, 4), complex), {}, "expected numbers, saw ndarray of complex128"),
        (np.zeros((2, 4, 4)), {"value_range": (1, 1)}, "black and white must differ"),
        (np.zeros((2, 4, 4)), {"value_range": 255}, "Say (black, white), such as (0, 255)"),
        (np.zeros((2, 4, 4)), {"value_range": (0, 1, 2)}, "is neither two values nor a name"),
        (np.zeros((2, 4, 4)), {"value_range": "imagenet"}, "has 3 channels, saw 4×4"),
        (np.zeros((2, 4, 4)), {"value_range": "lsun"}, "There are 'imagenet', 'clip'"),
        (np.zeros((2, 4, 4)), {"value_range": ((0.1,), (0,))}, "or (means, deviations)"),
        (np.zeros((2, 4, 4)), {"value_range": ((0.1,), ("a",))}, "or (means, deviations)"),
        (np.zeros((2, 4, 4)), {"value_range": ((0.1, 0.2), (1,))}, "or (means, deviations)"),
        (np.zeros((3, 8, 8)), {"layout": "CHW"}, "is one CHW image, expected a batch"),
        ("cat.png", {}, "expected a batch or a list of images, saw str"),
        (7, {}, "expected a batch or a list of images, saw int"),
        ([[1, 2], [3]], {}, "images: expected C×H×W, H×W×C or H×W, saw 2"),
    ],
)
def test_what_cannot_be_read_is_one_line(value: Any, options: Any, said: str) -> None:
    with pytest.raises(UsageProblem) as error:
        to_images(value, **options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_saying_it_decides() -> None:
    ambiguous = np.linspace(0, 1, 2 * 3 * 8 * 3).reshape(2, 3, 8, 3)
    assert to_images(ambiguous, layout="CHW")[0].shape == (8, 3, 3)
    assert to_images(ambiguous, layout="HWC")[0].shape == (3, 8, 3)
    signed = np.linspace(-1, 1, 150).reshape(2, 3, 5, 5)
    assert to_images(signed, value_range=(-1, 1))[0].min() == 0
    assert to_images(signed, value_range=(-1, 1))[1].max() == 255
    assert to_images(np.array([[[0.0, 16.0]]]), value_range=(16, 0))[0].tolist() == [[255, 0]]


def normalised(images: Any, name: str, kind: Any) -> Any:
    mean, deviation = (np.array(part, np.float32) for part in KNOWN[name])
    return np.moveaxis(((images - mean) / deviation).astype(kind), -1, 1)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("name", KNOWN)
def test_what_8_bits_became_tells_its_normalisation(name: str, kind: Any) -> None:
    wanted = photos()[:3]
    found = to_images(normalised(wanted / 255.0, name, kind))
    worst = max(np.abs(a.astype(int) - b).max() for a, b in zip(found, wanted, strict=True))
    assert worst <= 1


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "imagenet"])
def test_what_can_be_several_is_asked_for_and_never_guessed(name: str) -> None:
    wanted = np.random.default_rng(0).random((4, 32, 32, 3)).astype(np.float32)  # on no levels
    batch = normalised(wanted, name, np.float32)
    with pytest.raises(UsageProblem, match="several ways") as refused:
        to_images(batch)
    assert repr(name) in str(refused.value)
    for said in (name, KNOWN[name]):
        found = np.stack(to_images(batch, value_range=said))
        assert np.abs(found - wanted * 255).max() <= 0.51


def test_a_grey_normalisation_can_be_said() -> None:
    wanted = photos()[:2, :, :, 0]
    batch = (wanted[:, None] / 255.0 - 0.1307) / 0.3081
    found = np.stack(to_images(batch, value_range=((0.1307,), (0.3081,))))
    assert np.abs(found.astype(int) - wanted).max() <= 1
