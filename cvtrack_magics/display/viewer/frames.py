"""Truth and prediction of one frame, by task, in the order of the sheet's samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cvtrack_magics.display.viewer.columns import Json, Packs, Places, column
from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.tasks.segmentation.viewer import grey_png, label_png
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes, counted_objects
from cvtrack_magics.vision.maps import Maps

PROBABILITIES = 2_000_000
"""More numbers than these are not carried; the top three of each sample are."""

_TOP = 3

Rows = npt.NDArray[np.int64]


class Layers:
    """The maps of a frame, put into the packs sample by sample."""

    def __init__(self, predictions: Predictions, rows: Rows, packs: Packs, side: int) -> None:
        self._rows, self._packs, self._side = rows, packs, side
        self._predictions = predictions
        self.places: dict[str, Places] = {}
        self.wide = predictions.task == "semantic" and len(predictions.classes) > 254
        self.ranges: dict[str, tuple[float, float]] = {}
        if predictions.task == "semantic":
            self._expect("truth", "pred")
        elif predictions.task == "anomaly":
            data = predictions.anomalies
            if data.heat is not None:
                self._expect("heat")
                self.ranges["heat"] = _range(data.heat)
            if data.masks is not None:
                self._expect("mask")
        elif predictions.task == "depth":
            self._expect("truth", "pred", "error")
            depths = predictions.depths
            self.ranges["depth"] = _range(depths.truth, positive=True)
            errors = [
                _depth_error(t, p) for t, p in zip(depths.truth, depths.prediction, strict=True)
            ]
            high = max(
                (float(np.nanpercentile(e, 99)) for e in errors if np.isfinite(e).any()),
                default=1.0,
            )
            self.ranges["error"] = (0.0, high or 1.0)

    def _expect(self, *names: str) -> None:
        self.places.update({name: Places(len(self._rows)) for name in names})

    def add(self, at: int) -> None:
        """Put the maps of one sample into the packs."""
        place = int(self._rows[at])
        if place < 0 or not self.places:
            return
        for name, data in self._pictures(place):
            self.places[name].put(at, self._packs.add(data))

    def _pictures(self, place: int) -> Sequence[tuple[str, bytes]]:
        one, side = self._predictions, self._side
        if one.task == "semantic":
            data, wide = one.segments, self.wide
            return [
                ("truth", label_png(data.truth[place], wide=wide, ignore=data.ignore, side=side)),
                ("pred", label_png(data.prediction[place], wide=wide, ignore=data.lost, side=side)),
            ]
        if one.task == "anomaly":
            found = []
            heat, masks = one.anomalies.heat, one.anomalies.masks
            if heat is not None:
                low, high = self.ranges["heat"]
                found.append(("heat", grey_png(heat[place], low, high, side=side, gaps=False)))
            if masks is not None:
                found.append(("mask", grey_png(masks[place], 0, 1, side=side, gaps=False)))
            return found
        truth, said = one.depths.truth[place], one.depths.prediction[place]
        low, high = self.ranges["depth"]
        true_png = grey_png(np.where(truth > 0, truth, np.nan), low, high, side=side, gaps=True)
        said_png = grey_png(said, low, high, side=side, gaps=True)
        wrong = grey_png(_depth_error(truth, said), *self.ranges["error"], side=side, gaps=True)
        return [("truth", true_png), ("pred", said_png), ("error", wrong)]

    def json(self, name: str) -> Json | None:
        """Return where the maps of a kind lie, or None when the frame has none."""
        return self.places[name].json() if name in self.places else None


def frame_data(predictions: Predictions, rows: Rows, layers: Layers) -> Json:
    """Return truth and prediction of a frame; see the format in the package."""
    if predictions.task == "classification":
        return _classification(predictions, rows)
    if predictions.task in ("detection", "instance"):
        data = predictions.boxes
        return {
            "truth": _boxes(data.truth, rows),
            "pred": _boxes(data.prediction, rows),
            "iou": 0.5,
        }
    if predictions.task == "semantic":
        offsets, index, counts = _cells(predictions, rows)
        return {
            "truth": layers.json("truth"),
            "pred": layers.json("pred"),
            "wide": layers.wide,
            "cells": {
                "offsets": column(offsets, "u4"),
                "index": column(index, "u4"),
                "count": column(counts, "u4"),
            },
        }
    if predictions.task == "anomaly":
        found = predictions.anomalies
        return {
            "truth": column(_pick(found.truth, rows, -1), "i4"),
            "score": column(_pick(found.scores, rows, np.nan), "f4"),
            "heat": layers.json("heat"),
            "heat_range": list(layers.ranges.get("heat", (0.0, 1.0))),
            "mask": layers.json("mask"),
        }
    return {
        "truth": layers.json("truth"),
        "pred": layers.json("pred"),
        "error": layers.json("error"),
        "range": list(layers.ranges["depth"]),
        "error_range": list(layers.ranges["error"]),
    }


def _pick(values: Array, rows: Rows, missing: float) -> Array:
    picked = np.full((len(rows), *values.shape[1:]), missing, values.dtype)
    picked[rows >= 0] = values[rows[rows >= 0]]
    return picked


def _classification(predictions: Predictions, rows: Rows) -> Json:
    data = predictions.labels
    probs = _pick(data.probabilities, rows, np.nan)
    known = np.nan_to_num(probs, nan=-1.0)
    top = min(_TOP, probs.shape[1])
    best = np.argsort(-known, axis=1, kind="stable")[:, :top]
    return {
        "truth": column(_pick(data.truth, rows, -1), "i4"),
        "pred": column(best[:, 0], "i4"),
        "top": {
            "k": top,
            "classes": column(best, "i4"),
            "probs": column(np.take_along_axis(probs, best, axis=1), "f4"),
        },
        "probs": column(probs, "f4") if probs.size <= PROBABILITIES else None,
    }


def _boxes(boxes: Boxes, rows: Rows) -> Json:
    sizes = np.diff(boxes.offsets)
    counts = np.where(rows >= 0, sizes[np.maximum(rows, 0)], 0)
    part = boxes.take(rows[rows >= 0])
    # The viewer knows one kind of object that does not count.
    uncounted = part.crowd if part.ignored is None else ~counted_objects(part)
    runs = None
    if part.masks is not None:
        lengths = [len(mask.counts) for mask in part.masks]
        every = [mask.counts for mask in part.masks] or [np.zeros(0, np.uint32)]
        runs = {
            "offsets": column(np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))), "u4"),
            "counts": column(np.concatenate(every), "u4"),
        }
    return {
        "offsets": column(np.concatenate(([0], np.cumsum(counts))), "u4"),
        "xyxy": column(part.xyxy, "f4"),
        "labels": column(part.labels, "i4"),
        "scores": None if part.scores is None else column(part.scores, "f4"),
        "crowd": None if uncounted is None else column(uncounted, "u1"),
        "runs": runs,
    }


def _range(maps: Maps, *, positive: bool = False) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for plane in maps:
        known = plane[np.isfinite(plane) & (plane > 0)] if positive else plane[np.isfinite(plane)]
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return (low, high) if low < high else (0.0, 1.0) if low > high else (low, low + 1.0)


def _depth_error(truth: Array, prediction: Array) -> Array:
    """Return |prediction − truth| where there is a measurement, NaN elsewhere."""
    with np.errstate(invalid="ignore"):
        return np.where(truth > 0, np.abs(prediction - truth), np.nan)


def _cells(predictions: Predictions, rows: npt.NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Return the pixel confusion of each sample: offsets, cells (truth · K + predicted), counts."""
    data, count = predictions.segments, len(predictions.classes)
    offsets, cells, counts = [0], [], []
    for place in rows:
        if place >= 0:
            truth, said = data.truth[int(place)], data.prediction[int(place)]
            cell = truth.astype(np.int64) * count + said
            shown = np.ones(truth.shape, bool)
            if data.ignore is not None:
                shown &= truth != data.ignore
            if data.lost is not None:
                shown &= said != data.lost
            cell = cell[shown]
            found, times = np.unique(cell, return_counts=True)
            cells.append(found)
            counts.append(times)
        offsets.append(offsets[-1] + (len(cells[-1]) if place >= 0 else 0))
    empty = np.zeros(0, np.int64)
    return (
        np.array(offsets),
        np.concatenate(cells) if cells else empty,
        np.concatenate(counts) if counts else empty,
    )
