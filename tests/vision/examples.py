"""Predictions of each task on real pictures, small and known."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from cvtrack_magics.tasks.predictions import Predictions

TASKS = (
    *("classification", "detection", "semantic", "instance", "anomaly", "depth", "multilabel"),
    *("keypoints", "oriented"),
)
NAMES = ["cat", "dog", "bird"]


@lru_cache(maxsize=1)
def photos() -> Any:
    """Return crops of real photographs, uint8 6 × 48 × 64 × 3."""
    from sklearn.datasets import load_sample_images

    images = load_sample_images().images
    return np.stack(
        [images[at % 2][40 * at : 40 * at + 48, 60 * at : 60 * at + 64] for at in range(6)]
    )


def example(task: str, count: int = 4, seed: int = 0, **about: Any) -> Predictions:
    """Return predictions of a task for some of the crops; ids are their places."""
    rng = np.random.default_rng(seed)
    images = photos()[:count]
    about = {"ids": range(count), **about}
    if task == "classification":
        logits = rng.normal(size=(count, 3))
        truth = rng.integers(0, 3, count)
        return Predictions.classification(images, truth, logits=logits, classes=NAMES, **about)
    if task == "multilabel":
        truth = np.add.outer(np.arange(count), np.arange(3)) % 2  # each in half of the samples
        logits = rng.normal(size=(count, 3))
        return Predictions.multilabel(images, truth, logits=logits, classes=NAMES, **about)
    if task in ("detection", "instance"):
        truth = [objects(rng, 2, scored=False) for _ in range(count)]
        said = [objects(rng, 3, scored=True) for _ in range(count)]
        make = Predictions.detection if task == "detection" else Predictions.instance
        return make(images, truth, said, classes=NAMES, **about)
    if task == "keypoints":
        truth, said = ([poses(rng, n, scored=n == 3) for _ in range(count)] for n in (2, 3))
        sigmas = [0.1, 0.2, 0.1, 0.2]
        return Predictions.keypoints(images, truth, said, classes=NAMES, sigmas=sigmas, **about)
    if task == "oriented":
        truth, said = ([leaning(rng, n, scored=n == 3) for _ in range(count)] for n in (2, 3))
        return Predictions.oriented(images, truth, said, classes=NAMES, angle="radians", **about)
    if task == "semantic":
        truth = rng.integers(0, 3, (count, 48, 64))
        said = np.where(rng.random(truth.shape) < 0.7, truth, 0)
        return Predictions.semantic(images, truth, said, classes=NAMES, **about)
    if task == "anomaly":
        heat = rng.random((count, 24, 32))
        truth = np.arange(count) % 2
        scores = truth + rng.normal(scale=0.4, size=count)
        return Predictions.anomaly(images, truth, scores, heat=heat, masks=heat > 0.9, **about)
    truth = rng.uniform(1, 5, (count, 48, 64)).astype(np.float32)
    truth[:, :4] = 0
    said = truth * rng.uniform(0.8, 1.3, truth.shape).astype(np.float32)
    return Predictions.depth(images, truth, said, **about)


def leaning(rng: Any, count: int, *, scored: bool) -> dict[str, Any]:
    """Return oriented boxes within 48 x 64 pixels, angles in radians."""
    found = objects(rng, count, scored=scored)
    low, high = found["boxes"][:, :2], found["boxes"][:, 2:]
    boxes = np.c_[(low + high) / 2, (high - low) * 0.7, rng.uniform(-1, 1, count)]
    made = {"boxes": boxes, "labels": np.arange(count) % 3}
    return {**made, "scores": found["scores"]} if scored else made


def poses(rng: Any, count: int, *, scored: bool) -> dict[str, Any]:
    """Return objects of four key points as torchvision's dict."""
    found = objects(rng, count, scored=scored)
    left, top, right, bottom = found["boxes"].T
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    spots = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
    seen = np.ones((count, 4, 1)) if scored else rng.integers(0, 3, (count, 4, 1))
    del found["masks"]
    found["labels"] = np.arange(count) % 3  # each class in many pictures, for an interval
    return {**found, "keypoints": np.concatenate((spots, seen), axis=2)}


def objects(rng: Any, count: int, *, scored: bool) -> dict[str, Any]:
    """Return boxes within 48 × 64 pixels as torchvision's dict, with masks that fill them."""
    corners = np.stack((rng.integers(0, 40, count), rng.integers(0, 30, count)), axis=1)
    boxes = np.concatenate((corners, corners + rng.integers(6, 18, (count, 2))), axis=1)
    masks = np.zeros((count, 48, 64), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    found = {"boxes": boxes.astype(np.float32), "labels": rng.integers(0, 3, count), "masks": masks}
    return {**found, "scores": rng.random(count).astype(np.float32)} if scored else found
