"""Pictures are kept once, compressed, and known by their content."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from PIL import Image

from cvtrack_magics.vision.pixels import Pixels
from tests.vision.examples import photos


def test_small_pictures_are_kept_without_loss() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, shape, np.uint8) for shape in ((64, 64, 3), (8, 8), (5, 9, 4))]
    pixels = Pixels(images)
    pixels.pack()
    for at, image in enumerate(images):
        assert (pixels.image(at) == image).all()
        assert pixels.tile(at) is pixels.full(at)
        assert (np.asarray(Image.open(io.BytesIO(pixels.full(at).data))) == image).all()


def test_large_pictures_lose_little_and_get_a_tile() -> None:
    from sklearn.datasets import load_sample_image

    image = load_sample_image("china.jpg")
    pixels = Pixels([image])
    pixels.pack()
    assert np.abs(pixels.image(0).astype(int) - image).mean() < 3
    assert pixels.full(0).width, pixels.full(0).height == (640, 427)
    assert (pixels.tile(0).width, pixels.tile(0).height) == (160, 107)
    assert len(pixels.full(0).data) < image.nbytes / 5


def test_digests_are_of_the_content_before_it_is_compressed() -> None:
    image = photos()[0]
    pixels = Pixels([image, image[:, ::-1], image])
    wanted = hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=8)
    first, second, third = pixels.digests()
    assert first == third == wanted.hexdigest() != second
    pixels.pack()
    assert pixels.digests() == [first, second, third]


def test_fifty_thousand_small_pictures_fit() -> None:
    rng = np.random.default_rng(0)
    images = list(rng.integers(0, 255, (50_000, 28, 28), np.uint8) // 64 * 64)
    pixels = Pixels(images)
    pixels.pack()
    size = sum(len(pixels.full(at).data) for at in range(len(pixels)))
    assert size < sum(image.nbytes for image in images)
    assert (pixels.image(49_999) == images[-1]).all()
