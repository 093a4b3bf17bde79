"""Two evaluations of the same names are compared only where their pictures are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtrack_magics import Predictions
from cvtrack_magics.tasks.picture_sketch import MOST, sketch
from cvtrack_magics.vision.likeness.same_names import other_pictures


def scenes(seed: int, count: int = 40, like: Any = None) -> list[Any]:
    """Return smooth pictures of 64 × 80; each has ``like`` in common with all others."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        own = Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8))
        picture = np.asarray(own.resize((80, 64), Image.Resampling.BICUBIC), float)
        made.append((picture if like is None else 0.2 * picture + 0.8 * like).astype(np.uint8))
    return made


def drawn(pictures: Any, ids: Any = None) -> dict[str, str]:
    count = len(pictures)
    scores = np.full((count, 2), 0.5)
    names = range(count) if ids is None else ids
    made = Predictions.classification(pictures, [0] * count, probabilities=scores, ids=names)
    return sketch(made)


def cropped(picture: Any) -> Any:
    return np.asarray(Image.fromarray(picture[4:60, 6:76]).resize((48, 48)))


def resized(picture: Any) -> Any:
    return np.asarray(Image.fromarray(picture).resize((224, 224)))


def grey(picture: Any) -> Any:
    return picture.mean(axis=2).astype(np.uint8)


def darker(picture: Any) -> Any:
    return (picture * 0.6).astype(np.uint8)


COMMON = scenes(99, 1)[0].astype(float)


@pytest.mark.parametrize("like", [None, COMMON], ids=["photographs", "radiographs"])
@pytest.mark.parametrize("change", [cropped, resized, grey, darker], ids=lambda one: one.__name__)
def test_the_same_pictures_in_another_size_are_the_same(change: Any, like: Any) -> None:
    mine = scenes(1, like=like)
    assert not other_pictures(drawn(mine), drawn([change(picture) for picture in mine]))


@pytest.mark.parametrize("like", [None, COMMON], ids=["photographs", "radiographs"])
def test_other_pictures_under_the_same_names_are_told(like: Any) -> None:
    mine, other = scenes(1, like=like), scenes(2, like=like)
    assert other_pictures(drawn(mine), drawn(other))
    assert other_pictures(drawn(mine), drawn(mine[1:] + mine[:1]))


@pytest.mark.parametrize(
    "theirs",
    [None, {}, [], "x", {"0": 3}, {"0": "zz"}, drawn([np.full((9, 9, 3), 7, np.uint8)] * 40)],
    ids=["none", "empty", "list", "text", "number", "no hexadecimal", "one grey"],
)
def test_what_says_nothing_of_pictures_refuses_nothing(theirs: Any) -> None:
    assert not other_pictures(drawn(scenes(1)), theirs)
    assert not other_pictures(theirs, drawn(scenes(1)))


def test_frames_of_a_video_are_the_same_pictures() -> None:
    still = scenes(1, 1)[0]
    frames = [
        np.clip(still + np.random.default_rng(at).normal(0, 3, still.shape), 0, 255)
        for at in range(20)
    ]
    mine = [frame.astype(np.uint8) for frame in frames]
    assert not other_pictures(drawn(mine), drawn([resized(frame) for frame in mine]))


def test_a_sketch_has_the_same_samples_whatever_their_order() -> None:
    pictures, names = scenes(1, 100), [f"n{at}" for at in range(100)]
    found = drawn(pictures, names)
    assert len(found) == MOST
    assert drawn(pictures[::-1], names[::-1]) == found
    bare = Predictions.classification(None, [0], probabilities=np.array([[0.5, 0.5]]))
    assert sketch(bare) == {}
