"""A few samples' inputs stay with predictions: few, spread, and never another sample's."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.given import LARGEST, MOST

X = np.random.default_rng(0).random((40, 3, 6, 5)).astype("float32")
LOGITS = np.random.default_rng(1).random((40, 3)) * 9


def made(rows: slice = slice(None), images: Any = X, **about: Any) -> Predictions:
    ids = [f"s{at}" for at in range(40)][rows]
    return Predictions.classification(
        images[rows], None, logits=LOGITS[rows], ids=about.pop("ids", ids), **about
    )


def inputs(predictions: Predictions) -> dict[str, Any]:
    return dict(predictions.given.inputs) if predictions.given is not None else {}


@pytest.mark.parametrize(
    "few",
    [
        made,
        lambda: made()[10:30],
        lambda: made()[::-1],
        lambda: made(slice(0, 20)) + made(slice(20, 40)),
        lambda: Predictions.join([made(slice(at, at + 5)) for at in range(0, 40, 5)]),
        lambda: made(images=torch.as_tensor(X)),
        lambda: made(images=list(X)),
        lambda: pickle.loads(pickle.dumps(made().with_pixels(None))),
    ],
)
def test_an_input_is_its_own_samples(few: Any) -> None:
    predictions = few()
    found = inputs(predictions)
    assert 0 < len(found) <= MOST
    assert set(found) <= set(predictions.ids)
    for name, value in found.items():
        assert np.array_equal(value, X[int(name[1:])])


def test_of_ids_that_occur_twice_only_the_first_are_certain() -> None:
    twice = made(slice(0, 20), ids=range(20)) + made(slice(20, 40), ids=range(20))
    found = inputs(twice)
    assert found
    for name, value in found.items():
        assert np.array_equal(value, X[int(name)])


def test_what_is_kept_is_a_copy_and_bounded() -> None:
    images = X.copy()
    found = inputs(made(images=images))
    images[:] = 0
    assert np.array_equal(found["s0"], X[0])
    large = np.zeros((8, LARGEST // 8 // 3, 3), np.uint8)[None].repeat(3, 0)
    few = Predictions.classification(large, None, logits=LOGITS[:3])
    assert few.given is None or sum(v.nbytes for v in inputs(few).values()) <= LARGEST
    assert inputs(Predictions.classification(None, None, logits=LOGITS)) == {}
    assert inputs(Predictions.classification(made().pixels, None, logits=LOGITS)) == {}


def test_a_picture_stays_one() -> None:
    images = [Image.fromarray((one.transpose(1, 2, 0) * 255).astype("uint8")) for one in X]
    assert inputs(made(images=images))["s0"].tobytes() == images[0].tobytes()


def test_a_long_loader_gives_a_few_from_the_whole() -> None:
    pairs = [(torch.as_tensor(X[:2]) + at, torch.zeros(2)) for at in range(300)]
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(90, 3))
    found = Predictions.collect(net, pairs, "classification", value_range=(0, 301))
    places = [int(name) for name in inputs(found)]
    assert len(places) == MOST
    assert max(places) > 400
    assert found.given is not None
    assert found.given.asked is not None
    assert found.given.asked.why_not(net) == ""
