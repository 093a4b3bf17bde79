"""COCO's evaluation by pycocotools: average precisions, and who was matched with whom.

pycocotools is the reference that papers are measured with: its only dependency is NumPy, and
unlike faster_coco_eval (three times as fast, the same figures) it lets one read the matches of
every image, so that precision, recall, confusion and bootstrap follow from the same matching
as the average precision. torchmetrics wraps one of the two and needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.tasks.counting import need
from cvtrack_magics.vision.arrays import Array
from cvtrack_magics.vision.boxes import Boxes
from cvtrack_magics.vision.quads import ious as ious_of_quads

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MAX_DETECTIONS = 100
MAX_POSES = 20
_PACKAGE = "pycocotools"
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matches:
    """The predictions in COCO's order (class, image, falling score) and what each one hit.

    Attributes
    ----------
    row, image, label, score : D
        The prediction's row in its ``Boxes`` (int64), its image, class and score (float64).
    rank : int64, D
        Its place among the predictions of its class and image, from 0.
    ious : float64, T
        The thresholds, rising.
    truth : int64, T × D
        The row of the truth that it was matched with, -1 for none.
    ignored : bool, T × D
        It does not count: it was matched with a crowd, or is of another size than is asked for.
    overlap : float64, T × D
        The IoU with that truth, NaN for none; of key points the OKS.
    most : int
        Predictions of a class and image that average precision looks at.
    """

    row: Ints
    image: Ints
    label: Ints
    score: Array
    rank: Ints
    ious: Array
    truth: Ints
    ignored: npt.NDArray[np.bool_]
    overlap: Array
    most: int = MAX_DETECTIONS

    def at(self, iou: float) -> int:
        """Return the position of a threshold."""
        return int(np.argmin(np.abs(self.ious - iou)))


@dataclass(frozen=True, slots=True)
class Precision:
    """Average precisions of up to 100 predictions for each class and image; 20 of key points.

    ``curves`` is float64 T × 101 × K, the interpolated precision at recalls 0, 0.01 … 1, and
    ``scores`` the score there; ``recall`` is the highest, T × K. A class without truth is NaN.
    """

    ious: Array
    curves: Array
    scores: Array
    recall: Array

    def per_class(self, iou: float) -> Array:
        """Return the AP of each class at one IoU; NaN without truth."""
        at = int(np.argmin(np.abs(self.ious - iou)))
        return np.asarray(self.curves[at].mean(axis=0))

    def mean_recall(self) -> float:
        """Return COCO's AR: the mean over its ten IoUs and the classes with truth."""
        rows = [int(np.argmin(np.abs(self.ious - iou))) for iou in IOUS]
        values = self.recall[rows]
        values = values[~np.isnan(values)]
        return float(values.mean()) if values.size else float("nan")

    def mean(self, *ious: float) -> float:
        """Return the mean over IoUs and the classes with truth, summed as pycocotools does."""
        rows = [int(np.argmin(np.abs(self.ious - iou))) for iou in ious]
        values = self.curves[rows]
        values = values[~np.isnan(values)]
        return float(values.mean()) if values.size else float("nan")


def evaluate(
    truth: Boxes,
    prediction: Boxes,
    sizes: Ints,
    count: int,
    iou: float,
    *,
    masks: bool,
    area: tuple[float, float] | None = None,
    sigmas: Sequence[float] | None = None,
) -> tuple[Precision, Matches]:
    """Match predictions with truth, class by class and image by image.

    Parameters
    ----------
    truth, prediction : Boxes
        Of N images; the predictions have scores that are numbers.
    sizes : int64, N × 2
        Height and width of the images.
    count : int
        How many classes there are.
    iou : float
        A threshold beside COCO's ten.
    masks : bool
        Whether the masks are compared, not the boxes.
    area : (float, float), optional
        From and to which area in pixels true objects count, both ends included; a prediction
        outside that hits none of them does not count. All, where it is not given.
    sigmas : sequence of float, optional
        Of key points, which then are compared: how far each may be off.

    Raises
    ------
    CvtrackError
        pycocotools is not there, or another library has taken its place.
    """
    cocoeval = need("pycocotools.cocoeval", _PACKAGE)
    if not cocoeval.__name__.startswith(_PACKAGE):
        raise CvtrackError(
            f"{cocoeval.__name__} stands in for pycocotools in this process.",
            "Restart the kernel, and don't call init_as_pycocotools().",
        )
    images = [
        {"id": i, "height": int(height), "width": int(width)}
        for i, (height, width) in enumerate(sizes)
    ]
    index = {"images": images, "categories": [{"id": k} for k in range(count)]}
    kind = "segm" if masks else "bbox" if sigmas is None else "keypoints"
    run = _evaluator(cocoeval)(_coco(truth, index, kind), _coco(prediction, index, kind), kind)
    run.oriented = truth.corners is not None
    most = MAX_DETECTIONS if sigmas is None else MAX_POSES
    if sigmas is not None:
        run.params.kpt_oks_sigmas = np.array(sigmas)
    ious = IOUS if np.abs(IOUS - iou).min() < 1e-9 else np.sort(np.append(IOUS, iou))
    run.params.iouThrs = ious
    run.params.recThrs = RECALLS
    run.params.areaRng, run.params.areaRngLbl = [list(area or (0, float("inf")))], ["all"]
    # The average precision looks at the first 100 only; precision and recall at all.
    run.params.maxDets = [most, max(most, len(prediction.xyxy)) + 1]
    _quietly(run, "evaluate")
    _quietly(run, "accumulate")
    curves = run.eval["precision"][:, :, :, 0, 0]
    scores = run.eval["scores"][:, :, :, 0, 0]
    recall = run.eval["recall"][:, :, 0, 0]
    absent = curves < 0
    made = Precision(
        ious,
        np.where(absent, np.nan, curves),
        np.where(absent, np.nan, scores),
        np.where(recall < 0, np.nan, recall),
    )
    return made, replace(_matches(run, ious, truth), most=most)


def _evaluator(cocoeval: Any) -> Any:
    """Return COCOeval, for which an ignored object is a crowd of which a part is not enough."""

    class Evaluator(cocoeval.COCOeval):  # type: ignore[misc]
        def computeIoU(self, image: Any, category: Any) -> Any:
            if self.oriented:
                return _quad_ious(self, image, category)
            ignored = [one for one in self._gts[image, category] if one["ignored"]]
            for one in ignored:
                one["iscrowd"] = 0
            overlaps = super().computeIoU(image, category)
            for one in ignored:
                one["iscrowd"] = 1
            return overlaps

    return Evaluator


def _quad_ious(run: Any, image: Any, category: Any) -> Any:
    """Return the IoU of oriented boxes, in COCO's order of falling score."""
    truth, said = run._gts[image, category], run._dts[image, category]
    if not truth and not said:
        return []
    order = np.argsort([-one["score"] for one in said], kind="mergesort")
    said = [said[at] for at in order][: run.params.maxDets[-1]]
    mine, theirs = (
        np.array([one["corners"] for one in side]).reshape(-1, 4, 2) for side in (said, truth)
    )
    crowd = np.array([one["iscrowd"] and not one["ignored"] for one in truth], bool)
    return ious_of_quads(mine, theirs, crowd)


def _coco(boxes: Boxes, index: dict[str, Any], kind: str) -> Any:
    coco = need("pycocotools.coco", _PACKAGE).COCO()
    nothing = np.zeros(len(boxes.labels), bool)
    crowd = nothing if boxes.crowd is None else boxes.crowd
    ignored = nothing if boxes.ignored is None else boxes.ignored & ~crowd
    corners = boxes.xyxy.astype(np.float64)
    corners[:, 2:] -= corners[:, :2]
    scores = np.ones(len(crowd)) if boxes.scores is None else boxes.scores
    columns = zip(
        boxes.images.tolist(),
        boxes.labels.tolist(),
        corners.tolist(),
        np.asarray(scores, np.float64).tolist(),
        (crowd | ignored).astype(int).tolist(),
        ignored.tolist(),
        areas(boxes, masks=kind == "segm").tolist(),
        strict=True,
    )
    # From 1: a match with annotation 0 reads as no match.
    annotations = [
        {
            "id": row,
            "image_id": image,
            "category_id": label,
            "bbox": box,
            "score": score,
            "iscrowd": crowded,
            "ignored": passed,
            "area": area,
        }
        for row, (image, label, box, score, crowded, passed, area) in enumerate(columns, 1)
    ]
    if kind == "segm":
        for annotation, mask in zip(annotations, boxes.masks or (), strict=True):
            annotation["segmentation"] = mask.coco()
    if kind == "keypoints":
        assert boxes.points is not None
        labelled = (boxes.points[..., 2] > 0).sum(axis=1).tolist()
        flat = boxes.points.reshape(len(labelled), 3 * boxes.points.shape[1]).tolist()
        for annotation, points, count in zip(annotations, flat, labelled, strict=True):
            annotation["keypoints"], annotation["num_keypoints"] = points, count
    if boxes.corners is not None:
        for annotation, corners in zip(annotations, boxes.corners.tolist(), strict=True):
            annotation["corners"] = corners
    coco.dataset = {**index, "annotations": annotations}
    _quietly(coco, "createIndex")
    return coco


def areas(boxes: Boxes, *, masks: bool) -> npt.NDArray[np.float64]:
    """Return the area of each object in pixels: as it is said, of its mask, or of its box."""
    if boxes.areas is not None:
        return np.asarray(boxes.areas, np.float64)
    if masks:
        return np.array([float(mask.area) for mask in boxes.masks or ()])
    corners = boxes.xyxy.astype(np.float64)
    return np.asarray((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]))


def _quietly(owner: Any, method: str) -> None:
    """Call a method whose prints go nowhere.

    ``sys.stdout`` stays as it is, since what other threads print must come through.
    """
    function = getattr(type(owner), method)
    names = {**function.__globals__, "print": _nothing}
    quiet: Callable[[Any], None] = FunctionType(
        function.__code__, names, method, function.__defaults__, function.__closure__
    )
    quiet(owner)


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _matches(run: Any, ious: Array, truth: Boxes) -> Matches:
    count = len(ious)
    place = np.zeros(len(truth.labels), np.int64)
    parts: list[tuple[Array, ...]] = []
    for found in run.evalImgs:
        if found is None or not found["dtIds"]:
            continue
        image, label = found["image_id"], found["category_id"]
        size = len(found["dtIds"])
        hit = found["dtMatches"].astype(np.int64) - 1
        overlap = np.full((count, size), np.nan)
        own = run._gts[image, label]
        if own:
            place[[annotation["id"] - 1 for annotation in own]] = np.arange(len(own))
            table = run.ious[image, label]
            column = np.where(hit >= 0, place[hit], 0)
            overlap = np.where(hit >= 0, table[np.arange(size), column], np.nan)
        parts.append(
            (
                np.asarray(found["dtIds"]) - 1,
                np.full(size, image),
                np.full(size, label),
                np.asarray(found["dtScores"], np.float64),
                np.arange(size),
                hit,
                found["dtIgnore"].astype(bool),
                overlap,
            )
        )
    if not parts:
        none, table = np.zeros(0, np.int64), np.zeros((count, 0))
        return Matches(
            none, none, none, none * 1.0, none, ious, table.astype(np.int64), table > 0, table
        )
    row, image, label, score, rank, hits, ignored, overlap = (
        np.concatenate(part, axis=-1) for part in zip(*parts, strict=True)
    )
    return Matches(row, image, label, score, rank, ious, hits, ignored, overlap)
