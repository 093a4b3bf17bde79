"""The truth of each sample as bytes: what says that two evaluations are about the same data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.boxes import Boxes


def truths(predictions: Predictions) -> Iterator[bytes]:
    """Yield the truth of each sample, the same bytes for the same truth on every machine."""
    task, classes = predictions.task, predictions.classes
    for at in range(len(predictions)):
        if task == "classification":
            label = int(predictions.labels.truth[at])
            yield (classes[label] if label >= 0 else "").encode()
        elif task == "anomaly":
            yield str(int(predictions.anomalies.truth[at])).encode()
        elif task in ("detection", "instance"):
            yield _objects(predictions.boxes.truth, at, classes)
        else:
            maps = predictions.segments if task == "semantic" else predictions.depths
            plane = maps.truth[at]
            kind = "<u2" if task == "semantic" else "<f4"
            yield f"{plane.shape}".encode() + np.ascontiguousarray(plane, kind).tobytes()


def _objects(truth: Boxes, at: int, classes: tuple[str, ...]) -> bytes:
    """Return the objects of an image in an order of their own, whatever order they came in."""
    found = []
    for row in range(*truth.rows(at).indices(len(truth.labels))):
        corners = np.round(truth.xyxy[row].astype(np.float64), 3).tolist()
        mask = truth.masks[row].counts.tolist() if truth.masks is not None else ""
        crowd = bool(truth.crowd[row]) if truth.crowd is not None else False
        # Nothing is added for an object that counts, so that older digests stay the same.
        ignored = "|ignored" if truth.ignored is not None and truth.ignored[row] else ""
        found.append(f"{classes[int(truth.labels[row])]}|{corners}|{crowd}|{mask}{ignored}")
    return "\n".join(sorted(found)).encode()
