"""Detection measured by others: faster_coco_eval, torchmetrics and plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvtrack_magics.tasks.predictions import Predictions
from cvtrack_magics.vision.boxes import Boxes


def faster_coco(data: Predictions, kind: str = "bbox") -> Any:
    """Return the precisions, T × 101 × K with -1 for a class without truth."""
    from faster_coco_eval import COCO, COCOeval_faster

    def side(boxes: Boxes) -> Any:
        rows = []
        for row, (image, label, box) in enumerate(
            zip(boxes.images.tolist(), boxes.labels.tolist(), boxes.xyxy, strict=True)
        ):
            x1, y1, x2, y2 = map(float, box)
            made = {"id": row + 1, "image_id": image, "category_id": label, "ignore": 0}
            made |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            made["iscrowd"] = 0 if boxes.crowd is None else int(boxes.crowd[row])
            if boxes.scores is not None:
                made["score"] = float(boxes.scores[row])
            if kind == "segm":
                made["segmentation"] = boxes.masks[row].coco()
                made["area"] = boxes.masks[row].area
            rows.append(made)
        coco = COCO()
        coco.dataset = {
            "images": [
                {"id": i, "height": int(h), "width": int(w)} for i, (h, w) in enumerate(data.sizes)
            ],
            "categories": [{"id": k, "name": name} for k, name in enumerate(data.classes)],
            "annotations": rows,
        }
        coco.createIndex()
        return coco

    run = COCOeval_faster(side(data.boxes.truth), side(data.boxes.prediction), kind)
    run.params.maxDets = [1, 10, 100]
    run.evaluate()
    run.accumulate()
    return run.eval["precision"][:, :, :, 0, -1]


def torch_map(data: Predictions, kind: str = "bbox") -> dict[str, float]:
    import torch
    from torchmetrics.detection import MeanAveragePrecision

    # Its own thresholds are of 32 bits: a recall of 3 in 10 does not reach its 0.3000000119.
    metric = MeanAveragePrecision(
        iou_type=kind,
        iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(),
        rec_thresholds=np.linspace(0, 1, 101).tolist(),
    )
    metric.warn_on_many_detections = False

    def side(boxes: Boxes) -> list[dict[str, Any]]:
        made = []
        for image in range(len(boxes)):
            rows = boxes.rows(image)
            one = {
                "boxes": torch.tensor(boxes.xyxy[rows], dtype=torch.float32).reshape(-1, 4),
                "labels": torch.tensor(boxes.labels[rows]),
            }
            if boxes.scores is not None:
                one["scores"] = torch.tensor(boxes.scores[rows])
            if boxes.crowd is not None:
                one["iscrowd"] = torch.tensor(boxes.crowd[rows].astype(int))
            if kind == "segm":
                masks = [mask.array() for mask in boxes.masks[rows]]
                height, width = data.sizes[image]
                one["masks"] = torch.tensor(np.array(masks, bool).reshape(-1, height, width))
            made.append(one)
        return made

    metric.update(side(data.boxes.prediction), side(data.boxes.truth))
    return {name: value.tolist() for name, value in metric.compute().items()}


def overlap(a: Any, b: Any, crowd: bool = False) -> float:
    """Return the IoU of two boxes or masks; with a crowd, the share of the first within it."""
    if hasattr(a, "array"):
        one, two = a.array(), b.array()
        common, first, second = (one & two).sum(), one.sum(), two.sum()
    else:
        w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        common = max(w, 0) * max(h, 0)
        first, second = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    whole = first if crowd else first + second - common
    return common / whole if common > 0 else 0.0


def matched(data: Predictions, threshold: float, iou: float, *, masks: bool = False) -> Any:
    """Return tp, fp and fn of each image, the IoUs of its matches, and the confusion matrix."""
    count = len(data.classes)
    table = np.zeros((count + 1, count + 1), int)
    images = []
    truth, found = data.boxes.truth, data.boxes.prediction

    def near(p: int, t: int, crowded: bool = False) -> float:
        own, other = (found.masks, truth.masks) if masks else (found.xyxy, truth.xyxy)
        return overlap(own[p], other[t], crowded)

    for image in range(len(data)):
        objects = list(range(*truth.rows(image).indices(len(truth.labels))))
        said = list(range(*found.rows(image).indices(len(found.labels))))
        said = [p for p in said if found.scores[p] >= threshold]
        said.sort(key=lambda p: -found.scores[p])
        crowd = {t for t in objects if truth.crowd is not None and truth.crowd[t]}
        free, left, hits = [t for t in objects if t not in crowd], [], []
        for p in said:
            same = [t for t in free if truth.labels[t] == found.labels[p] and near(p, t) >= iou]
            if same:
                best = max(same, key=lambda t: near(p, t))
                free.remove(best)
                hits.append(near(p, best))
                table[found.labels[p], found.labels[p]] += 1
            elif not any(
                truth.labels[t] == found.labels[p] and near(p, t, True) >= iou for t in crowd
            ):
                left.append(p)
        images.append((len(hits), len(left), len(free), hits))
        for p in left:
            others = [t for t in free if near(p, t) >= iou]
            if others:
                best = max(others, key=lambda t: near(p, t))
                free.remove(best)
                table[truth.labels[best], found.labels[p]] += 1
            else:
                table[count, found.labels[p]] += 1
        for t in free:
            table[truth.labels[t], count] += 1
    return images, table
