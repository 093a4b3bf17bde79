"""The metric scheme: every name that ``measure`` can return, what it means and where it is from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

VERSION = 1  # raised when a name of the scheme comes to mean another figure
_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the scheme.

    Attributes
    ----------
    name : str
        The metric's name without prefix; ``/<class>`` at its end stands for one metric for
        each class, named by :func:`metric_parts`, ``/<error>`` for one for each kind of error.
    tasks : tuple of str
        The tasks that have it.
    meaning : str
        What the figure says.
    unit : str
        ``share`` (0 to 1) or what it is counted in.
    better : {'higher', 'lower', ''}
        Which way is better; empty where neither is.
    source : str
        The library that computes it, or the paper of its formula.
    """

    name: str
    tasks: tuple[str, ...]
    meaning: str
    unit: str
    better: Literal["higher", "lower", ""]
    source: str


_COCO = "pycocotools"
_EIGEN = "Eigen et al. 2014, arXiv:1406.2283"
_SK = "scikit-learn"


def _share(name: str, tasks: str, source: str, meaning: str) -> Metric:
    return Metric(name, tuple(tasks.split()), meaning, "share", "higher", source)


def _error(name: str, tasks: str, source: str, meaning: str, unit: str) -> Metric:
    return Metric(name, tuple(tasks.split()), meaning, unit, "lower", source)


# pycocotools' figures are of objects of all sizes, the 100 best a class and image.
SCHEME: tuple[Metric, ...] = (
    _share("top1_acc", "classification", _SK, "the class predicted is the true one"),
    _share(
        "top5_acc", "classification", "a count", "true class among the likeliest five; if K > 5"
    ),
    _share("macro_f1", "classification multilabel", _SK, "mean F1 of the classes that occur"),
    _share("weighted_f1", "classification", _SK, "mean F1, classes weighted by true samples"),
    _share(
        "per_class_f1/<class>",
        "classification multilabel",
        _SK,
        "F1; NaN of a class that doesn't occur",
    ),
    _share(
        "precision", "classification multilabel", _SK, "mean precision of the classes that occur"
    ),
    _share("recall", "classification multilabel", _SK, "mean recall of the classes that occur"),
    _error(
        "ECE",
        "classification",
        "Guo et al. 2017, arXiv:1706.04599",
        "calibration error of the likeliest class, 15 bins of equal width",
        "share",
    ),
    _error("NLL", "classification", "-ln p", "mean of -ln p(truth), p not below eps", "nats"),
    _share("AUROC", "classification anomaly", _SK, "area under ROC, of 2 classes the second's"),
    _share("AUPRC", "classification anomaly", _SK, "average precision, of 2 classes the second's"),
    _share("AUROC", "multilabel", _SK, "mean area under ROC of the classes of both kinds"),
    _share("mAP", "multilabel", _SK, "mean AP of the classes with truth, each by itself"),
    _share("AP/<class>", "multilabel", _SK, "average precision; NaN of a class without truth"),
    _share("micro_f1", "multilabel", _SK, "F1 of all samples and classes together"),
    _share("subset_acc", "multilabel", _SK, "share of samples of which every label is right"),
    _error(
        "hamming_loss", "multilabel", _SK, "share of samples and classes that are wrong", "share"
    ),
    _share("mAP50", "detection oriented", _COCO, "mean AP of the classes with truth, IoU 0.50"),
    _share("mAP75", "detection oriented", _COCO, "mean AP of the classes with truth, IoU 0.75"),
    _share(
        "mAP50-95", "detection oriented", _COCO, "mean AP over classes and IoU 0.50, 0.55 … 0.95"
    ),
    _share(
        "AP50/<class>", "detection oriented", _COCO, "AP at IoU 0.50; NaN of a class without truth"
    ),
    _share("mask_AP", "instance", _COCO, "mAP50-95 of the masks"),
    _share("mask_AP50", "instance", _COCO, "mAP50 of the masks"),
    _share("bbox_AP", "instance", _COCO, "mAP50-95 of the boxes"),
    _share("bbox_AP50", "instance", _COCO, "mAP50 of the boxes"),
    _share("mask_AP50/<class>", "instance", _COCO, "AP of the masks at IoU 0.50"),
    _share("keypoint_AP", "keypoints", _COCO, "mean AP over classes and OKS 0.50, 0.55 … 0.95"),
    _share("keypoint_AP50", "keypoints", _COCO, "mean AP of the classes with truth, OKS 0.50"),
    _share("keypoint_AP75", "keypoints", _COCO, "mean AP of the classes with truth, OKS 0.75"),
    _share("keypoint_AR", "keypoints", _COCO, "mean recall over OKS, 20 objects a picture"),
    _share("keypoint_AP50/<class>", "keypoints", _COCO, "AP at OKS 0.50"),
    _error(
        "TIDE/<error>",
        "detection instance oriented",
        "Bolya et al. 2020, arXiv:2008.08115",
        "mean AP at IoU 0.50 that one kind of error costs: Cls, Loc, Both, Dupe, Bkg, Miss",
        "share",
    ),
    _share(
        "precision",
        "detection instance keypoints oriented anomaly",
        "counts",
        "share of the found that is true",
    ),
    _share(
        "recall",
        "detection instance keypoints oriented anomaly",
        "counts",
        "share of the true that is found",
    ),
    _share(
        "F1", "detection instance keypoints oriented anomaly", "counts", "harmonic mean of the two"
    ),
    Metric(
        "best_threshold",
        ("detection", "instance", "keypoints", "oriented", "anomaly"),
        "the score from which on to count so that F1 is best",
        "score",
        "",
        "counts",
    ),
    _share("F1_at_best_threshold", "anomaly", _SK, "the best F1 that any threshold gives"),
    _share("pixel_AUROC", "anomaly", _SK, "AUROC of the heat maps' pixels, pooled"),
    _share("pixel_AUPRC", "anomaly", _SK, "average precision of the pixels, pooled"),
    _share("mIoU", "semantic", _SK, "mean IoU of the classes in truth or prediction"),
    _share("pixel_acc", "semantic", _SK, "share of the pixels that are right"),
    _share("mean_dice", "semantic", _SK, "mean Dice (F1) of the classes that occur"),
    _share("per_class_IoU/<class>", "semantic", _SK, "IoU; NaN of a class that doesn't occur"),
    _error("AbsRel", "depth", _SK, "mean of |p - t| / t, valid pixels pooled", "share"),
    _error("RMSE", "depth", _SK, "root mean squared error, valid pixels pooled", "the depth's"),
    _share("delta_1", "depth", _EIGEN, "share of valid pixels with max(p/t, t/p) < 1.25"),
    _share("delta_2", "depth", _EIGEN, "the same with 1.25²"),
    _share("delta_3", "depth", _EIGEN, "the same with 1.25³"),
    Metric(
        "FPS",
        (
            *("classification", "multilabel", "detection", "semantic", "instance"),
            *("keypoints", "oriented", "anomaly", "depth"),
        ),
        "samples a second of the model's time; only where that was measured",
        "1/s",
        "higher",
        "counts",
    ),
)

HEADLINES: dict[str, str] = {
    "classification": "top1_acc",
    "multilabel": "mAP",
    "detection": "mAP50",
    "semantic": "mIoU",
    "instance": "mask_AP",
    "keypoints": "keypoint_AP",
    "oriented": "mAP50",
    "anomaly": "AUROC",
    "depth": "AbsRel",
}


def metric_part(name: str) -> str:
    """Return a class name as a part of a metric's name that every store takes.

    Letters, digits, space, ``_``, ``-`` and ``.`` stay, all else (the slash too) becomes
    ``_``; at most 60 characters; never empty and never only dots, which MLflow reads as a path.
    """
    part = re.sub(r"[^\w.\- ]", "_", unicodedata.normalize("NFC", name))[:_LENGTH].strip()
    return part.replace(".", "_") or "_" if not part.strip(".") else part


def metric_parts(names: Iterable[str]) -> list[str]:
    """Return :func:`metric_part` of each name, those that came before with ``-2``, ``-3`` ….

    Names that differ only in case count as equal: some stores compare them so.
    """
    taken: set[str] = set()
    parts = []
    for name in names:
        part = given = metric_part(name)
        count = 1
        while given.casefold() in taken:
            count += 1
            given = f"{part[: _LENGTH - len(str(count)) - 1]}-{count}"
        taken.add(given.casefold())
        parts.append(given)
    return parts
