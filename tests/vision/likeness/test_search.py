"""The same picture is found whatever was done to it, and different pictures are not the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from cvtrack_magics.vision.likeness.search import same_pictures
from cvtrack_magics.vision.likeness.sketches import Sketch, is_plain, sketch_of
from tests.pictures import pictures, stored


def _darker(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(0.8)


def _deep(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 200)


CHANGES: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "as it is": ("near", lambda one: one),
    "jpeg": ("near", lambda one: stored(one, "JPEG", 60)),
    "webp": ("near", lambda one: stored(one, "WEBP", 70)),
    "half the size": ("near", lambda one: one.resize((64, 64), Image.Resampling.BICUBIC)),
    "twice the size": ("near", lambda one: one.resize((256, 256), Image.Resampling.BICUBIC)),
    "stretched": ("near", lambda one: one.resize((160, 100), Image.Resampling.BICUBIC)),
    "brighter": ("near", lambda one: ImageEnhance.Brightness(one).enhance(1.25)),
    "darker": ("near", lambda one: ImageEnhance.Brightness(one).enhance(0.7)),
    "grey": ("near", lambda one: one.convert("L")),
    "16 bits": ("near", _deep),
    "a palette": ("near", lambda one: one.quantize(64)),
    "mirrored": ("mirrored", ImageOps.mirror),
    "upside down": ("mirrored", ImageOps.flip),
    "turned by half": ("mirrored", lambda one: one.rotate(180)),
    "cropped at a corner": ("cropped", lambda one: one.crop((0, 0, 115, 115))),
    "cropped in the middle": ("cropped", lambda one: one.crop((7, 5, 122, 120))),
    "cropped and darker": ("cropped", lambda one: _darker(one.crop((13, 13, 128, 128)))),
}


ORIGINALS = pictures(24)


def sketches(images: list[Any]) -> Any:
    return [sketch_of(image) for image in images]


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_found_for_what_it_is(change: str) -> None:
    kind, made = CHANGES[change]
    links = same_pictures(sketches([*ORIGINALS, *map(made, ORIGINALS)]))
    count = len(ORIGINALS)
    found = {link.first % count for link in links if link.kind == kind}
    assert {link.first % count for link in links} == {link.second % count for link in links}
    assert all(link.first % count == link.second % count for link in links)
    assert len(found) >= count - 1  # a picture may be its own mirror image


def test_different_pictures_are_not_the_same() -> None:
    assert same_pictures(sketches(pictures(200))) == []


def test_a_picture_in_other_colours_is_another() -> None:
    redder = Image.merge("RGB", (ORIGINALS[0].convert("L"), *[Image.new("L", (128, 128))] * 2))
    bluer = Image.merge("RGB", (*[Image.new("L", (128, 128))] * 2, ORIGINALS[0].convert("L")))
    assert same_pictures(sketches([redder, bluer])) == []


def test_the_crop_of_a_picture_is_named_after_the_whole() -> None:
    (link,) = same_pictures(sketches([ORIGINALS[2].crop((3, 3, 118, 118)), ORIGINALS[2]]))
    assert (link.first, link.second, link.kind) == (1, 0, "cropped")


def test_hundreds_of_copies_of_one_picture_are_all_linked() -> None:
    rng = np.random.default_rng(0)
    one = sketch_of(ORIGINALS[0])
    noisy = one.grey + rng.integers(-2, 3, (300, 64, 64))
    many = [Sketch(grey, one.colours) for grey in noisy.clip(0, 255).astype(np.uint8)]
    linked = {end for link in same_pictures(many) for end in (link.first, link.second)}
    assert linked == set(range(300))


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_plain_picture_is_known_as_plain(grey: int) -> None:
    whole = Image.new("RGB", (100, 80), (grey,) * 3)
    assert is_plain(sketch_of(whole))
    ImageDraw.Draw(whole).rectangle((10, 10, 60, 60), (255 - grey // 2,) * 3)
    assert not is_plain(sketch_of(whole)) or grey == 128
