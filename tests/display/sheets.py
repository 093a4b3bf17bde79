"""Documents for the prediction viewer, written by hand: every figure in them is known."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

DTYPES = {"u1": "<u1", "i1": "<i1", "u2": "<u2", "u4": "<u4", "i4": "<i4", "f4": "<f4"}
COLOURS = ["#e6550d", "#3182bd", "#31a354", "#756bb1", "#d6b616", "#17becf", "#e377c2", "#8c564b"]


def column(dtype: str, values: Any) -> dict[str, str]:
    data = np.asarray(values).reshape(-1).astype(DTYPES[dtype]).tobytes()
    return {"dtype": dtype, "data": base64.b64encode(data).decode()}


def classes(*names: str) -> list[dict[str, str]]:
    return [{"name": n, "colour": COLOURS[i % len(COLOURS)]} for i, n in enumerate(names)]


class Packs:
    """Collects pictures; a new pack begins when one is full."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.limit = limit
        self.packs: list[bytearray] = [bytearray()]

    def add(self, blobs: Iterable[bytes | None]) -> dict[str, Any]:
        places = []
        for blob in blobs:
            if not blob:
                places.append((0, 0, 0))
                continue
            if len(self.packs[-1]) + len(blob) > self.limit and self.packs[-1]:
                self.packs.append(bytearray())
            places.append((len(self.packs) - 1, len(self.packs[-1]), len(blob)))
            self.packs[-1] += blob
        table = np.array(places, np.uint32).reshape(-1, 3)
        names = ("pack", "start", "size")
        return {name: column("u4", table[:, at]) for at, name in enumerate(names)}

    def bytes(self) -> list[bytes]:
        return [bytes(pack) for pack in self.packs]


def png(array: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(array, np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def jpeg(array: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(array, np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def scene(at: int, width: int = 160, height: int = 120) -> Image.Image:
    """Return a street-like picture, another one for each number."""
    rng = np.random.default_rng(at)
    sky = np.array([120 + at * 7 % 90, 150 + at * 13 % 70, 200], np.float64)
    rows = np.linspace(1.15, 0.55, height)[:, None, None]
    noise = rng.normal(0, 5, (height, width, 1))
    picture = Image.fromarray(np.clip(sky * rows + noise, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height * 0.62, width, height), fill=(92, 96, 90))
    for x in range(-20, width, 34):
        draw.line((x, height, x + 24, height * 0.62), fill=(128, 130, 122), width=2)
    for _ in range(4):
        left, tall = int(rng.integers(0, width - 20)), int(rng.integers(20, int(height * 0.5)))
        tone = tuple(int(one) for one in rng.integers(60, 170, 3))
        base = height * 0.62
        draw.rectangle((left, base - tall, left + 22, base), fill=tone)
    return picture


def sheet(
    task: str,
    names: Sequence[str],
    pictures: Sequence[Any],
    frames: list[dict[str, Any]],
    packs: Packs,
    tiles: Sequence[Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a document; a picture that is None is not in the file."""
    count = len(pictures)
    # What is not in the file is 160 × 120 pixels all the same.
    sizes = [
        (160, 120) if p is None else (np.asarray(p).shape[1], np.asarray(p).shape[0])
        for p in pictures
    ]
    small = list(pictures if tiles is None else tiles)
    tile_sizes = [
        (0, 0) if t is None else (np.asarray(t).shape[1], np.asarray(t).shape[0]) for t in small
    ]
    here = [None if one is None else png(one) for one in small]
    full = [None] * count if tiles is not None else here
    placed = packs.add(here)
    document = {
        "format": "cvtrack-sheet/1",
        "task": task,
        "title": f"{task} on the street",
        "classes": classes(*names),
        "count": count,
        "ids": [f"id-{at:04}" for at in range(count)],
        "names": [],
        "width": column("u4", [w for w, _ in sizes]),
        "height": column("u4", [h for _, h in sizes]),
        "tile": placed,
        "tile_width": column("u2", [w for w, _ in tile_sizes]),
        "tile_height": column("u2", [h for _, h in tile_sizes]),
        "full": placed if tiles is None else packs.add(full),
        "shown": {"tiles": count, "of": count, "note": ""},
        "metrics": {},
        "frames": frames,
        "compare": None,
        "settings": {},
    }
    document.update(more)
    document["packs"] = len(packs.packs)
    return document


def frame(
    data: dict[str, Any], scores: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    made = {"label": "epoch 3", "run": "r1", "step": 3, "present": None}
    made |= {"scores": {n: column("f4", v) for n, v in (scores or {}).items()}, "data": data}
    return made | more


# -- classification

ANIMALS = ("cat", "dog", "horse", "ship")


def class_data(truth: Any, probs: Any, k: int = 3, carry: bool = True) -> dict[str, Any]:
    probs = np.asarray(probs, np.float32)
    k = min(k, probs.shape[1])
    top = np.argsort(-probs, axis=1, kind="stable")[:, :k]
    return {
        "truth": column("i4", truth),
        "pred": column("i4", top[:, 0]),
        "top": {
            "k": k,
            "classes": column("i4", top),
            "probs": column("f4", np.take_along_axis(probs, top, 1)),
        },
        "probs": column("f4", probs) if carry else None,
    }


def class_numbers(
    count: int = 48, size: int = 4, seed: int = 1, hit: float = 0.75
) -> tuple[Any, Any]:
    """Return truth and probabilities of a classifier that is often right."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, size, count)
    logits = rng.normal(0, 1, (count, size))
    logits[np.arange(count), truth] += np.where(rng.random(count) < hit, 3.0, -1.0)
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return truth, probs.astype(np.float32)


def class_scores(truth: Any, probs: Any) -> dict[str, Any]:
    chosen = probs[np.arange(len(truth)), truth]
    return {"loss": -np.log(np.maximum(chosen, 1e-6)), "confidence": probs.max(1)}


def class_frame(truth: Any, probs: Any, carry: bool = True, **more: Any) -> dict[str, Any]:
    return frame(class_data(truth, probs, carry=carry), class_scores(truth, probs), **more)


def classification(
    count: int = 48, names: Sequence[str] = ANIMALS, **more: Any
) -> tuple[dict[str, Any], list[bytes]]:
    truth, probs = class_numbers(count, len(names))
    packs = Packs(64_000)
    pictures = [
        np.asarray(scene(at, *((160, 120) if at % 5 else (110, 150)))) for at in range(count)
    ]
    more = {"metrics": {"top1_acc": 0.7292, "f1_macro": 0.7251, "auroc": None}} | more
    made = sheet("classification", names, pictures, [class_frame(truth, probs)], packs, **more)
    return made, packs.bytes()


def binary(count: int = 40) -> tuple[dict[str, Any], list[bytes]]:
    truth, probs = class_numbers(count, 2, seed=5)
    packs = Packs()
    pictures = [np.asarray(scene(at)) for at in range(count)]
    made = sheet(
        "classification", ("benign", "malignant"), pictures, [class_frame(truth, probs)], packs
    )
    return made, packs.bytes()


STREET = ("car", "person", "bicycle", "a traffic light that is far away", "dog")


def set_lists(rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    offsets = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    labels = [one for row in rows for one in row]
    return {"offsets": column("u4", offsets), "labels": column("u4", labels)}


def set_data(truth: Sequence[Sequence[int]], scores: Any, unknown: Any = None) -> dict[str, Any]:
    scores = np.asarray(scores, np.float32)
    count, size = scores.shape
    return {
        "truth": set_lists(truth),
        "unknown": set_lists(unknown or [[]] * count),
        "scores": {**set_lists([range(size)] * count), "values": column("f4", scores)},
        "floor": 0.0,
    }


def multilabel(count: int = 30) -> tuple[dict[str, Any], list[bytes]]:
    """Four samples that are known, and more of the kind."""
    truth = [[0, 1], [], [2], [0]]
    scores = [
        [0.9, 0.8, 0.1, 0.2, 0.1],
        [0.1, 0.2, 0.3, 0.1, 0.1],
        [0.7, 0.1, 0.4, 0.2, 0.1],
        [0.6, 0.1, 0.1, 0.9, 0.1],
    ]
    rng = np.random.default_rng(4)
    more = rng.random((count - 4, 5)) < 0.35
    truth += [np.flatnonzero(row).tolist() for row in more]
    scores += np.clip(0.4 * more + 0.6 * rng.random(more.shape), 0, 1).tolist()
    packs = Packs()
    pictures = [np.asarray(scene(at)) for at in range(count)]
    loss = {"loss": rng.random(count), "f1": rng.random(count)}
    one = frame(set_data(truth, scores), loss)
    return sheet("multilabel", STREET, pictures, [one], packs), packs.bytes()


def steps(count: int = 24) -> tuple[dict[str, Any], list[bytes]]:
    """Three epochs of one run."""
    packs = Packs()
    frames = []
    for step, hit in ((1, 0.2), (2, 0.5), (3, 0.9)):
        truth, probs = class_numbers(count, 4, seed=1, hit=hit)
        frames.append(class_frame(truth, probs, label=f"epoch {step}", step=step))
    pictures = [np.asarray(scene(at)) for at in range(count)]
    return sheet("classification", ANIMALS, pictures, frames, packs), packs.bytes()


def compared() -> tuple[dict[str, Any], list[bytes]]:
    """Two runs of six samples: one fixed, two broken, one still wrong, one still right, one new."""
    packs = Packs()
    truth = np.array([0, 0, 0, 1, 1, 1])
    before = np.array([1, 0, 0, 0, 1, 1])
    after = np.array([0, 1, 1, 0, 1, 1])
    frames = []
    for name, pred in (("baseline", before), ("wider", after)):
        probs = np.full((6, 4), 0.1, np.float32)
        probs[np.arange(6), pred] = 0.7
        present = [1, 1, 1, 1, 1, int(name == "wider")]
        more = {"label": name, "run": name, "present": column("u1", present)}
        frames.append(class_frame(truth, probs, **more))
    pictures = [np.asarray(scene(at)) for at in range(6)]
    made = sheet("classification", ANIMALS, pictures, frames, packs, compare=[0, 1])
    return made, packs.bytes()


# -- detection and instance segmentation


def boxes(images: Sequence[Sequence[tuple[Any, ...]]], masks: Any = None) -> dict[str, Any]:
    """Return boxes; each is (x1, y1, x2, y2, label[, score[, crowd]])."""
    flat = [box for image in images for box in image]
    scored = any(len(box) > 5 and box[5] is not None for box in flat)
    crowd = any(len(box) > 6 for box in flat)
    made: dict[str, Any] = {
        "offsets": column("u4", np.cumsum([0, *(len(image) for image in images)])),
        "xyxy": column("f4", [box[:4] for box in flat]),
        "labels": column("i4", [box[4] for box in flat]),
        "scores": column("f4", [box[5] for box in flat]) if scored else None,
        "crowd": column("u1", [int(len(b) > 6 and b[6]) for b in flat]) if crowd else None,
        "runs": None,
    }
    if masks is not None:
        counts = [runs(mask) for mask in masks]
        made["runs"] = {
            "offsets": column("u4", np.cumsum([0, *(len(one) for one in counts)])),
            "counts": column("u4", [n for one in counts for n in one]),
        }
    return made


def runs(mask: Any) -> list[int]:
    """Return COCO run lengths, column by column, beginning with zeros."""
    flat = np.asarray(mask, bool).T.reshape(-1)
    lengths, value, since = [], False, 0
    for at, one in enumerate(flat):
        if one != value:
            lengths.append(at - since)
            value, since = bool(one), at
    return [*lengths, len(flat) - since]


# Six images whose outcome at each threshold is plain to see. Classes: car 0, bike 1, dog 2.
THINGS = ("car", "bike", "dog")
TRUTHS = [
    [(10, 60, 60, 100, 0), (90, 50, 130, 110, 1)],
    [(20, 20, 80, 80, 2)],
    [(30, 30, 90, 90, 0)],
    [(10, 10, 50, 50, 1), (60, 60, 110, 110, 1)],
    [(0, 0, 80, 100, 0, None, 1), (100, 60, 140, 100, 0, None, 0)],
    [],
]
FOUND = [
    [(12, 60, 60, 100, 0, 0.95), (90, 52, 130, 110, 1, 0.80)],  # both
    [(20, 20, 80, 78, 1, 0.70)],  # the dog is taken for a bike
    [(30, 30, 90, 90, 0, 0.90), (32, 30, 90, 90, 0, 0.60)],  # found twice
    [(10, 10, 50, 50, 1, 0.55)],  # one is missed
    [(10, 10, 60, 60, 0, 0.65), (100, 60, 140, 100, 0, 0.85)],  # one lies in the crowd
    [(50, 50, 70, 70, 2, 0.30)],  # nothing is there
]
IOU = [0.95, 0.0, 0.9, 0.5, 0.8, 0.0]


def street(at: int, things: Sequence[tuple[Any, ...]]) -> Any:
    picture = scene(at)
    draw = ImageDraw.Draw(picture)
    for x1, y1, x2, y2, label, *_ in things:
        draw.rounded_rectangle((x1, y1, x2, y2), 6, fill=COLOURS[(label + 4) % 8], outline="#222")
    return np.asarray(picture)


def detection(repeat: int = 1, **more: Any) -> tuple[dict[str, Any], list[bytes]]:
    packs = Packs()
    truths, found = TRUTHS * repeat, FOUND * repeat
    data = {"truth": boxes(truths), "pred": boxes(found), "iou": 0.5}
    pictures = [street(at, things) for at, things in enumerate(truths)]
    more = {"metrics": {"mAP50": 0.61, "mAP": 0.42}} | more
    made = sheet("detection", THINGS, pictures, [frame(data, {"iou": IOU * repeat})], packs, **more)
    return made, packs.bytes()


def disc(x: float, y: float, radius: float, width: int = 160, height: int = 120) -> Any:
    rows, columns = np.mgrid[:height, :width]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def instance() -> tuple[dict[str, Any], list[bytes]]:
    """Two images; one disc found, one found beside its place (boxes meet, masks hardly)."""
    packs = Packs()
    truth = [disc(50, 60, 30), disc(110, 60, 25), disc(60, 60, 35)]
    found = [disc(52, 60, 30), disc(60, 60, 35)]
    bar = np.zeros((120, 160), bool)
    bar[35:86, 85:92] = True
    bar[35:42, 85:136] = True  # the box of the second disc, but a corner of it only
    found.insert(1, bar)
    box = lambda mask: (  # noqa: E731
        int(np.flatnonzero(mask.any(0))[0]),
        int(np.flatnonzero(mask.any(1))[0]),
        int(np.flatnonzero(mask.any(0))[-1]) + 1,
        int(np.flatnonzero(mask.any(1))[-1]) + 1,
    )
    truths = [[(*box(truth[0]), 0), (*box(truth[1]), 1)], [(*box(truth[2]), 2)]]
    preds = [[(*box(found[0]), 0, 0.9), (*box(found[1]), 1, 0.8)], [(*box(found[2]), 2, 0.7)]]
    data = {"truth": boxes(truths, truth), "pred": boxes(preds, found), "iou": 0.5}
    pictures = []
    for at, things in enumerate((truth[:2], truth[2:])):
        picture = np.array(scene(at))
        for mask in things:
            picture[mask] = (205, 190, 160)
        pictures.append(picture)
    made = sheet("instance", THINGS, pictures, [frame(data, {"iou": [0.6, 1.0]})], packs)
    return made, packs.bytes()


# -- maps

LAND = ("road", "building", "sky")


def cells(truths: Sequence[Any], preds: Sequence[Any], size: int) -> dict[str, Any]:
    offsets, index, count = [0], [], []
    for truth, pred in zip(truths, preds, strict=True):
        known = truth != 255
        pairs, numbers = np.unique(
            truth[known].astype(np.int64) * size + pred[known], return_counts=True
        )
        index.extend(pairs)
        count.extend(numbers)
        offsets.append(len(index))
    return {
        "offsets": column("u4", offsets),
        "index": column("u4", index),
        "count": column("u4", count),
    }


def label_maps(count: int) -> tuple[list[Any], list[Any]]:
    truths, preds = [], []
    for at in range(count):
        truth = np.full((120, 160), 2, np.uint8)
        truth[40:75, 20 : 90 + at % 7 * 6] = 1
        truth[75:] = 0
        truth[:6, :20] = 255
        pred = np.roll(truth, at % 9, axis=1)
        pred[pred == 255] = 2
        pred[100:, : at % 5 * 14] = 1
        truths.append(truth)
        preds.append(pred)
    return truths, preds


def semantic(count: int = 12, wide: bool = False) -> tuple[dict[str, Any], list[bytes]]:
    packs = Packs()
    truths, preds = label_maps(count)

    def stored(label: Any) -> bytes:
        if not wide:
            return png(label)
        value = np.where(label == 255, 65535, label.astype(np.uint16) + 300)
        rgb = np.stack([value & 255, value >> 8, np.zeros_like(value)], -1)
        return png(rgb.astype(np.uint8))

    data = {
        "truth": packs.add(stored(one) for one in truths),
        "pred": packs.add(stored(one) for one in preds),
        "wide": wide,
        "cells": cells(truths, preds, 3),
    }
    names = LAND
    if wide:
        names = tuple(f"c{at}" for at in range(303))
        shifted = [np.where(t == 255, 255, t.astype(np.int64) + 300) for t in truths]
        data["cells"] = cells(shifted, [p.astype(np.int64) + 300 for p in preds], 303)
    ious = []
    for truth, pred in zip(truths, preds, strict=True):
        known = truth != 255
        t, p = truth[known], pred[known]
        ious.append(
            np.mean([((t == c) & (p == c)).sum() / ((t == c) | (p == c)).sum() for c in range(3)])
        )
    pictures = [np.asarray(scene(at)) for at in range(count)]
    made = sheet("semantic", names, pictures, [frame(data, {"iou": ious})], packs)
    made["metrics"] = {"miou": float(np.mean(ious))}
    made["packs"] = len(packs.packs)
    return made, packs.bytes()


def anomaly(count: int = 16) -> tuple[dict[str, Any], list[bytes]]:
    """Odd samples are anomalous; the last odd one scores as if it were normal."""
    packs = Packs()
    truth = np.arange(count) % 2
    score = np.where(truth, 0.7, 0.2) + np.arange(count) / 100
    score[count - 1] = 0.05
    rows, columns = np.mgrid[:120, :160]
    heats, masks, pictures = [], [], []
    for at in range(count):
        x, y = 40 + at * 5, 60
        away = np.hypot(columns - x, rows - y)
        heats.append(png(np.clip(255 * score[at] * np.exp(-((away / 28) ** 2)), 0, 255)))
        spot = (away < 14) & bool(truth[at])
        masks.append(png(np.where(spot, 255, 0)))
        picture = np.full((120, 160, 3), (168, 160, 150), np.uint8)
        picture[::6] = (150, 142, 134)
        picture[spot] = (60, 40, 40)
        pictures.append(picture)
    data = {
        "truth": column("i4", truth),
        "score": column("f4", score),
        "heat": packs.add(heats),
        "heat_range": [0.0, 1.0],
        "mask": packs.add(masks),
    }
    made = sheet(
        "anomaly", ("normal", "anomalous"), pictures, [frame(data, {"score": score})], packs
    )
    return made, packs.bytes()


def depth(count: int = 8) -> tuple[dict[str, Any], list[bytes]]:
    packs = Packs()
    truths, preds, errors, rel = [], [], [], []
    for at in range(count):
        truth = np.tile(np.linspace(255, 40, 120)[:, None], (1, 160))
        truth[30:70, 40 : 70 + at * 4] = 120
        truth[:10, :30] = 0
        pred = np.clip(truth + 10 * np.sin(np.arange(160) / 9) + at * 3, 1, 255)
        error = np.where(truth > 0, np.clip(np.abs(pred - truth) * 6, 1, 255), 0)
        truths.append(png(truth))
        preds.append(png(pred))
        errors.append(png(error))
        rel.append(float(np.mean(np.abs(pred - truth)[truth > 0] / truth[truth > 0])))
    data = {
        "truth": packs.add(truths),
        "pred": packs.add(preds),
        "error": packs.add(errors),
        "range": [0.5, 10.0],
        "error_range": [0.0, 2.0],
    }
    pictures = [np.asarray(scene(at)) for at in range(count)]
    made = sheet("depth", (), pictures, [frame(data, {"abs_rel": rel})], packs)
    made["metrics"] = {"abs_rel": float(np.mean(rel))}
    return made, packs.bytes()


# -- edges

HOSTILE = (
    "<script>alert(1)</script>",
    "W" * 300,
    "🦊 fox 👩‍👩‍👧",
    "\u202eevil\u202c שלום",
    "</script><!--",
    "a&b \"quoted\" 'x'",
)


def hostile() -> tuple[dict[str, Any], list[bytes]]:
    made, packs = classification(24, HOSTILE)
    made["title"] = "</title><script>alert(2)</script>" + "T" * 300
    made["ids"][0] = "<img src=x onerror=alert(3)>"
    made["frames"][0]["label"] = "<b>label</b>"
    return made, packs


def empty() -> tuple[dict[str, Any], list[bytes]]:
    packs = Packs()
    data = class_data(np.zeros(0), np.zeros((0, 4)))
    return sheet("classification", ANIMALS, [], [frame(data, {"loss": []})], packs), packs.bytes()


def partly(count: int = 30, here: int = 10) -> tuple[dict[str, Any], list[bytes]]:
    """Only tiles, and not all of them."""
    truth, probs = class_numbers(count)
    packs = Packs()
    pictures = [np.asarray(scene(at, 320, 240)) for at in range(count)]
    tiles = [p[::4, ::4] if at < here else None for at, p in enumerate(pictures)]
    note = f"{here} of {count} pictures are in this file: 20 MB at most"
    made = sheet("classification", ANIMALS, pictures, [class_frame(truth, probs)], packs, tiles)
    made["shown"] = {"tiles": here, "of": count, "note": note}
    return made, packs.bytes()


def many(count: int = 10_000, size: int = 100) -> tuple[dict[str, Any], list[bytes]]:
    """Many samples of many classes; 200 pictures take turns, each stored again and again."""
    truth, probs = class_numbers(count, size, seed=3)
    packs = Packs()
    blobs = [jpeg(scene(at, 128, 96)) for at in range(200)]
    placed = packs.add(blobs[at % 200] for at in range(count))
    none = np.zeros(count)
    made = {
        "format": "cvtrack-sheet/1",
        "task": "classification",
        "title": "ten thousand",
        "classes": classes(*(f"class {at}" for at in range(size))),
        "count": count,
        "ids": [f"id-{at:05}" for at in range(count)],
        "names": [],
        "width": column("u4", none + 128),
        "height": column("u4", none + 96),
        "tile": placed,
        "tile_width": column("u2", none + 128),
        "tile_height": column("u2", none + 96),
        "full": placed,
        "packs": len(packs.packs),
        "shown": {"tiles": count, "of": count, "note": ""},
        "metrics": {"top1_acc": 0.75},
        "frames": [class_frame(truth, probs)],
        "compare": None,
        "settings": {},
    }
    return made, packs.bytes()
