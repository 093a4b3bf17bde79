"""Predictions to measure, made from a seed, and a call that must stay silent."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from cvtrack_magics.tasks.base import Anomalies, Classes, Depths, Detections, LabelSets, Segments
from cvtrack_magics.tasks.evaluate import measure
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.evaluation import Evaluation
from cvtrack_magics.vision.maps import Maps
from cvtrack_magics.vision.masks import boxes_of, encode

SIZE = 64
POSE_SIDE = 128


def measured(predictions: Predictions, **options: Any) -> Evaluation:
    """Measure without a warning and without a word on the terminal."""
    out = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(out):
        warnings.simplefilter("error")
        with contextlib.redirect_stderr(out):
            found = measure(predictions, **{"resamples": 0, **options})
    assert out.getvalue() == ""
    assert all(isinstance(value, float) for value in found.metrics.values())
    assert {len(column) for column in found.samples.values()} == {len(found.samples["id"])}
    return found


def predictions(task: Any, count: int, data: Any, classes: Sequence[str] = ()) -> Predictions:
    sizes = np.full((count, 2), SIZE)
    ids = tuple(f"s{i}" for i in range(count))
    return Predictions(task, tuple(classes), ids, sizes, None, data)


def names(count: int) -> list[str]:
    return [f"class {k}" for k in range(count)]


def softmax(logits: Any) -> Any:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def classified(truth: Any, probabilities: Any) -> Predictions:
    truth, probabilities = np.asarray(truth, np.int64), np.asarray(probabilities)
    classes = names(probabilities.shape[1])
    return predictions("classification", len(truth), Classes(truth, probabilities), classes)


def random_classes(seed: int, count: int, classes: int, strength: float = 1.5) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes))
    logits[np.arange(count), truth] += strength
    return classified(truth, softmax(logits))


def labelled(truth: Any, probabilities: Any) -> Predictions:
    truth, probabilities = np.asarray(truth, np.int8), np.asarray(probabilities)
    classes = names(probabilities.shape[1])
    return predictions("multilabel", len(truth), LabelSets(truth, probabilities), classes)


def random_label_sets(seed: int, count: int, classes: int, *, ties: bool = False) -> Predictions:
    """Labels of which each occurs, and does not in some sample."""
    rng = np.random.default_rng(seed)
    truth = rng.random((count, classes)) < rng.uniform(0.1, 0.6, classes)
    truth[0], truth[1] = True, False
    said = np.clip(0.35 * truth + 0.65 * rng.random(truth.shape), 0, 1)
    return labelled(truth, np.round(said, 1) if ties else said)


def boxes(images: Sequence[Any], **more: Any) -> Boxes:
    """Boxes from one list for each image of (label, x1, y1, x2, y2[, score])."""
    rows = [row for image in images for row in image]
    table = np.array([row[1:5] for row in rows], np.float64).reshape(-1, 4)
    offsets = np.concatenate(([0], np.cumsum([len(image) for image in images])))
    scores = np.array([row[5] for row in rows]) if rows and len(rows[0]) > 5 else None
    if more.pop("scored", False) and scores is None:
        scores = np.zeros(0)
    return Boxes(
        offsets.astype(np.int64),
        table,
        np.array([row[0] for row in rows], np.int64),
        scores,
        **more,
    )


def detected(truth: Sequence[Any], found: Sequence[Any], classes: int = 2, **more: Any) -> Any:
    data = Detections(boxes(truth, **more), boxes(found, scored=True))
    return predictions("detection", len(truth), data, names(classes))


def random_boxes(
    seed: int,
    images: int = 12,
    classes: int = 3,
    most: int = 6,
    *,
    ties: bool = False,
    crowd: bool = False,
    flat: bool = False,
) -> Predictions:
    """Objects, found more or less: shifted, relabelled, lost and invented."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(images):
        own, said = [], []
        for _ in range(rng.integers(0, most + 1)):
            label = int(rng.integers(classes))
            x, y = rng.uniform(0, SIZE - 20, 2)
            w, h = rng.uniform(4, 20, 2)
            if flat and rng.random() < 0.2:
                w = 0.0
            own.append((label, x, y, x + w, y + h))
            for _ in range(rng.choice([0, 1, 1, 1, 2])):
                dx, dy = rng.normal(0, 1.5, 2)
                other = label if rng.random() < 0.8 else int(rng.integers(classes))
                score = float(rng.random())
                said.append((other, x + dx, y + dy, x + dx + w, y + dy + h, score))
        for _ in range(rng.integers(0, 3)):
            x, y = rng.uniform(0, SIZE - 20, 2)
            said.append((int(rng.integers(classes)), x, y, x + 9, y + 9, float(rng.random())))
        if ties:
            said = [(*row[:5], round(row[5], 1)) for row in said]
        truth.append(own)
        found.append(said)
    count = sum(map(len, truth))
    more = {"crowd": rng.random(count) < 0.25} if crowd else {}
    return detected(truth, found, classes, **more)


def random_masks(seed: int, images: int = 8, classes: int = 3, *, empty: bool = False) -> Any:
    """Discs, found more or less."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[0:SIZE, 0:SIZE]

    def disc(x: float, y: float, r: float) -> Any:
        return encode((xs - x) ** 2 + (ys - y) ** 2 < r * r)

    parts: list[list[Any]] = [[], []]
    counts: list[list[int]] = [[], []]
    for _ in range(images):
        number = int(rng.integers(0, 5))
        made: list[list[Any]] = [[], []]
        for _ in range(number):
            label = int(rng.integers(classes))
            x, y, r = *rng.uniform(8, SIZE - 8, 2), rng.uniform(3, 12)
            if empty and rng.random() < 0.2:
                r = 0
            made[0].append((label, disc(x, y, r)))
            if rng.random() < 0.85:
                dx, dy, dr = rng.normal(0, 0.8, 3)
                other = label if rng.random() < 0.85 else int(rng.integers(classes))
                made[1].append((other, disc(x + dx, y + dy, max(0, r + dr))))
        for side in (0, 1):
            parts[side] += made[side]
            counts[side].append(len(made[side]))
    sides = []
    for side in (0, 1):
        masks = tuple(mask for _, mask in parts[side])
        offsets = np.concatenate(([0], np.cumsum(counts[side]))).astype(np.int64)
        labels = np.array([label for label, _ in parts[side]], np.int64)
        scores = rng.random(len(masks)) if side else None
        sides.append(Boxes(offsets, boxes_of(masks), labels, scores, None, masks))
    return predictions("instance", images, Detections(*sides), names(classes))


def segmented(
    truth: Sequence[Any], found: Sequence[Any], classes: int, ignore: int | None = None
) -> Predictions:
    data = Segments(
        Maps.of(np.asarray(t) for t in truth), Maps.of(np.asarray(p) for p in found), ignore
    )
    return predictions("semantic", len(truth), data, names(classes))


def random_segments(
    seed: int, images: int = 5, classes: int = 4, ignore: int | None = None, size: int = 24
) -> Predictions:
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(images):
        own = rng.integers(0, classes, (6, 6)).repeat(size // 6, 0).repeat(size // 6, 1)
        said = np.where(rng.random(own.shape) < 0.7, own, rng.integers(0, classes, own.shape))
        if ignore is not None:
            own = np.where(rng.random(own.shape) < 0.2, ignore, own)
        truth.append(own.astype(np.uint8 if ignore != -1 else np.int16))
        found.append(said.astype(np.int64))
    return segmented(truth, found, classes, ignore)


def scored(truth: Any, scores: Any, heat: Any = None, masks: Any = None) -> Predictions:
    data = Anomalies(
        np.asarray(truth, np.int64),
        np.asarray(scores, np.float64),
        None if heat is None else Maps.of(heat),
        None if masks is None else Maps.of(masks),
    )
    return predictions("anomaly", len(data.truth), data, ("normal", "anomalous"))


def random_scores(seed: int, count: int = 60, *, ties: bool = False) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, count)
    truth[:2] = 0, 1
    scores = truth + rng.normal(size=count)
    return scored(truth, scores.round(1) if ties else scores)


def measured_depth(truth: Sequence[Any], found: Sequence[Any]) -> Predictions:
    return predictions("depth", len(truth), Depths(Maps.of(truth), Maps.of(found)))


def random_depths(seed: int, images: int = 5, holes: float = 0.3) -> Predictions:
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(images):
        shape = tuple(rng.integers(5, 20, 2))
        own = np.exp(rng.normal(1, 0.5, shape))
        said = own * np.exp(rng.normal(0, 0.3, shape))
        lost = rng.random(shape) < holes
        own[lost] = rng.choice([0.0, -1.0, np.nan], lost.sum())
        truth.append(own.astype(np.float32))
        found.append(said.astype(np.float32))
    return measured_depth(truth, found)


def pose_files(
    seed: int,
    *,
    images: int = 8,
    most: int = 5,
    points: int = 17,
    classes: int = 1,
    unlabelled: float = 0.2,
    crowd: bool = False,
    ties: bool = False,
    boxed: bool = False,
) -> dict[str, Any]:
    """Return COCO's files: poses found more or less, some missed and some invented."""
    rng = np.random.default_rng(seed)
    truth, said = [], []
    for image in range(images):
        for _ in range(rng.integers(0, most + 1)):
            left, top = rng.uniform(0, POSE_SIDE - 60, 2)
            wide, high = rng.uniform(12, 60, 2)
            spots = np.stack(
                (rng.uniform(left, left + wide, points), rng.uniform(top, top + high, points))
            ).T
            seen = np.where(rng.random(points) < unlabelled, 0, rng.integers(1, 3, points))
            if rng.random() < 0.1:
                seen[:] = 0
            flat = np.concatenate((spots * (seen > 0)[:, None], seen[:, None]), axis=1)
            label = int(rng.integers(classes))
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": image,
                    "category_id": label,
                    "keypoints": flat.reshape(-1).tolist(),
                    "num_keypoints": int((seen > 0).sum()),
                    "bbox": [left, top, wide, high],
                    "area": float(wide * high * rng.uniform(0.4, 1)),
                    "iscrowd": int(crowd and rng.random() < 0.2),
                }
            )
            for _ in range(rng.choice([0, 1, 1, 1, 2])):
                moved = spots + rng.normal(0, rng.choice([0.5, 2, 5]), spots.shape)
                both = np.concatenate((moved, np.ones((points, 1))), axis=1)
                score = float(rng.random())
                said.append(
                    {
                        "image_id": image,
                        "category_id": label if rng.random() < 0.9 else int(rng.integers(classes)),
                        "keypoints": both.reshape(-1).tolist(),
                        "score": round(score, 1) if ties else score,
                        **({"bbox": [left - 3, top - 2, wide + 9, high + 7]} if boxed else {}),
                    }
                )
    files = [{"id": at, "height": POSE_SIDE, "width": POSE_SIDE} for at in range(images)]
    names = [{"id": k, "name": f"class {k}"} for k in range(classes)]
    return {"truth": {"images": files, "categories": names, "annotations": truth}, "said": said}


def posed(made: dict[str, Any], images: Any = None, **more: Any) -> Predictions:
    count = len(made["truth"]["images"])
    truth: list[Any] = [[] for _ in range(count)]
    said: list[Any] = [[] for _ in range(count)]
    for one in made["truth"]["annotations"]:
        truth[one["image_id"]].append(one)
    for one in made["said"]:
        said[one["image_id"]].append(one)
    sizes = None if images is not None else [(POSE_SIDE, POSE_SIDE)] * count
    classes = [one["name"] for one in made["truth"]["categories"]]
    return Predictions.keypoints(images, truth, said, classes=classes, sizes=sizes, **more)


def turned_boxes(
    seed: int, *, images: int = 8, most: int = 6, classes: int = 2, ties: bool = False
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return truth and predictions of oriented boxes, angles in radians."""
    rng = np.random.default_rng(seed)
    truth, said = [], []
    for _ in range(images):
        count = int(rng.integers(0, most + 1))
        places, sides = rng.uniform(20, POSE_SIDE - 20, (count, 2)), rng.uniform(6, 50, (count, 2))
        boxes = np.c_[places, sides, rng.uniform(-math.pi, math.pi, count)]
        labels = rng.integers(0, classes, count)
        often = rng.choice([0, 1, 1, 2], count)
        again = np.repeat(np.arange(count), often)
        moved = boxes[again] + rng.normal(0, 1, (len(again), 5)) * [2, 2, 1, 1, 0.1]
        moved[:, 2:4] = np.maximum(moved[:, 2:4], 1)
        free = np.c_[rng.uniform(0, POSE_SIDE, (2, 2)), rng.uniform(5, 30, (2, 3))]
        found = np.concatenate((moved, free))
        other = rng.random(len(again)) < 0.1
        called = np.where(other, rng.integers(0, classes, len(again)), labels[again])
        called = np.concatenate((called, rng.integers(0, classes, 2)))
        scores = rng.random(len(found))
        truth.append({"boxes": boxes, "labels": labels})
        said.append(
            {"boxes": found, "labels": called, "scores": np.round(scores, 1) if ties else scores}
        )
    return truth, said


def turned(
    made: tuple[list[dict[str, Any]], list[dict[str, Any]]], images: Any = None, **more: Any
) -> Predictions:
    """Return predictions of oriented boxes."""
    truth, said = made
    highest = max(int(one["labels"].max(initial=0)) for one in (*truth, *said))
    sizes = None if images is not None else [(POSE_SIDE, POSE_SIDE)] * len(truth)
    named = names(max(highest + 1, 1))
    return Predictions.oriented(
        images, truth, said, classes=named, sizes=sizes, angle="radians", **more
    )
