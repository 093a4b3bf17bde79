"""The tag schema of CV runs: which names, what they mean, which tasks there are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cvtrack_magics.capture.params.values import HIDDEN, looks_secret, value_text
from cvtrack_magics.errors import did_you_mean
from cvtrack_magics.records import Notice, Tag
from cvtrack_magics.secrets.stored import stored_key

TAG_LIMIT = 5000


class TagRule(NamedTuple):
    """One row of the schema."""

    key: str
    example: str
    purpose: str


TAG_SCHEMA: tuple[TagRule, ...] = (
    TagRule("task", "segmentation", "CV task type"),
    TagRule("backbone", "EfficientNetV2-L", "architecture family"),
    TagRule("dataset", "COCO-2017", "dataset identifier"),
    TagRule("env", "staging", "deployment stage"),
    TagRule("git_commit", "a3f8c12", "code reproducibility"),
    TagRule("hardware", "A100-80GB", "training hardware"),
    TagRule("team", "cv-platform", "who owns the run (free)"),
)

TASK_METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("top1_acc", "top5_acc", "per_class_f1"),
    "object-detection": ("mAP50", "mAP50-95", "precision", "recall", "FPS"),
    "semantic-segmentation": ("mIoU", "pixel_acc", "per_class_IoU"),
    "instance-segmentation": ("mask_AP", "bbox_AP"),
    "anomaly-detection": ("AUROC", "AUPRC", "F1@best_threshold"),
    "depth-estimation": ("AbsRel", "RMSE", "delta_1"),
    "multi-label-classification": ("mAP", "micro_f1", "per_class_f1"),
    "keypoint-detection": ("keypoint_AP", "keypoint_AP50", "keypoint_AR"),
    "oriented-object-detection": ("mAP50", "mAP50-95"),
}

ALIASES = {
    "image-classification": "classification",
    "classifier": "classification",
    "multi-label": "multi-label-classification",
    "multilabel": "multi-label-classification",
    "multilabel-classification": "multi-label-classification",
    "detection": "object-detection",
    "detector": "object-detection",
    "segmentation": "semantic-segmentation",
    "semseg": "semantic-segmentation",
    "instance": "instance-segmentation",
    "anomaly": "anomaly-detection",
    "depth": "depth-estimation",
    "keypoints": "keypoint-detection",
    "oriented": "oriented-object-detection",
    "obb": "oriented-object-detection",
    "pose": "keypoint-detection",
    "pose-estimation": "keypoint-detection",
}


def canonical_task(task: str) -> str | None:
    """Return the schema's name of a CV task, or ``None`` if it is not one of them.

    Parameters
    ----------
    task : str
        Any case; spaces and underscores count as hyphens; short forms such as
        ``detection`` and ``segmentation`` are known.
    """
    word = re.sub(r"[\s_]+", "-", task.strip().lower())
    if word in TASK_METRICS:
        return word
    return ALIASES.get(word)


def check_tags(tags: Mapping[str, object]) -> tuple[list[Tag], list[Notice]]:
    """Turn tags into records and say which names look like a slip.

    Parameters
    ----------
    tags : mapping of str to object
        Values become text; credentials in them are removed; a name that looks
        secret has the value ``***``.

    Returns
    -------
    tags : list of Tag
        In the order given, each under the name it was given.
    notices : list of Notice
        One for each name that is nearly a name of the schema, and for a task that
        is none of them. A name that is nothing like the schema's is the user's own.
    """
    known = [rule.key for rule in TAG_SCHEMA]
    records: list[Tag] = []
    notices: list[Notice] = []
    for key, value in tags.items():
        text = HIDDEN if looks_secret(str(key), value) else value_text(value)
        if len(text) > TAG_LIMIT:
            notices.append(Notice(f"Tag {key!r} was cut at {TAG_LIMIT} characters."))
            text = text[: TAG_LIMIT - 1] + "…"
        name = stored_key(str(key))
        records.append(Tag(name, text))
        near = "" if name in known or "." in name else _near(name, known)
        if near:
            notices.append(Notice(f"Tag {name!r} is not in the schema.{near}"))
        if name == "task" and canonical_task(text) is None:
            hint = did_you_mean(text.lower(), [*TASK_METRICS, *ALIASES])
            tasks = ", ".join(TASK_METRICS)
            notices.append(Notice(f"Task {text!r} is none of: {tasks}.{hint}"))
    return records, notices


def _near(name: str, known: list[str]) -> str:
    plain = re.sub(r"[\s\-_]+", "_", name.lower())
    for key in known:
        if plain in (key, f"{key}s", key.replace("_", "")):
            return f" Did you mean {key!r}?"
    # Short names are near to everything, so they need a closer match.
    return did_you_mean(plain, known) if len(plain) > 4 else ""
