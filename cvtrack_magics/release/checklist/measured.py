"""Items about what was measured: curves, summaries, the task's metrics, pictures."""

from __future__ import annotations

import re

from cvtrack_magics.artifacts.paths import FIGURE, PICTURES, PREDICTIONS
from cvtrack_magics.capture.data.schema import TASK_METRICS
from cvtrack_magics.release.card.escape import one_line
from cvtrack_magics.release.card.readers import task_of
from cvtrack_magics.release.checklist.items import Item, item, listed, unless_changed
from cvtrack_magics.release.facts import Candidate

_SUMMARY = ("best_epoch", "total_train_time_hrs")
_OURS = {"F1@best_threshold": "F1_at_best_threshold"}
_SPLIT = re.compile(r"^(?:val|valid|validation|test|eval)[/_]", re.IGNORECASE)
_IN_LOOP = "log({'val/loss': loss}, step=epoch) in the %%mlrun cell"
_EVALUATE = "%mleval predictions"
_WITHOUT_CONFUSION = {"depth-estimation", "multi-label-classification"}
_WITHOUT_CURVES = {"depth-estimation", "semantic-segmentation"}


def per_epoch(candidate: Candidate) -> Item:
    """Check that some metric of training or validation has several steps."""
    machine = ("resources/", "system/", "latency/")
    curves = {
        name: point.step
        for name, point in sorted(candidate.metrics.items())
        if point.step > 0 and not name.startswith(machine)
    }
    longest = max(curves, key=lambda name: curves[name], default="")
    found = "no metric goes beyond its first step"
    if longest:
        found = f"{len(curves)} metrics, {one_line(longest, 60)} up to step {curves[longest]}"
    return item("metrics.epochs", "Metrics of every epoch", bool(curves), found, _IN_LOOP)


def summary(candidate: Candidate) -> Item:
    """Check for best value, best epoch and total time."""
    best = [name for name in sorted(candidate.metrics) if name.startswith("best_val_")]
    missing = [name for name in _SUMMARY if name not in candidate.metrics]
    missing = missing if best else ["best_val_…", *missing]
    found = f"missing: {', '.join(missing)}" if missing else listed([*best, *_SUMMARY], 4)
    return item("metrics.summary", "Summary metrics", not missing, one_line(found), _IN_LOOP)


def of_task(candidate: Candidate) -> Item:
    """Check for the metrics that the guide names for the task."""
    title = "Metrics of the task"
    task = task_of(candidate)
    if not task:
        found = "the task is not known"
        return item("metrics.task", title, False, found, "%mltags task=classification")
    wanted = [name for name in TASK_METRICS[task] if _applies(candidate, name)]
    missing = [name for name in wanted if not _logged(candidate, name)]
    found = f"missing: {', '.join(missing)}" if missing else ", ".join(wanted)
    fix = "%mlbench model --example x" if missing == ["FPS"] else _EVALUATE
    return item("metrics.task", title, not missing, f"{task}: {found}", fix)


def _applies(candidate: Candidate, name: str) -> bool:
    """Say whether a metric has a value at all: five of at most five classes are always right."""
    if name != "top5_acc":
        return True
    classes = [found.measured.classes for found in candidate.evaluations.values()]
    return not any(0 < len(names) <= 5 for names in classes)


def _logged(candidate: Candidate, name: str) -> bool:
    named = {name, _OURS.get(name, name)}
    if name == "FPS" and "throughput_imgs_per_sec" in candidate.metrics:
        return True
    return any(
        not named.isdisjoint(key.split("/")) or _SPLIT.sub("", key) in named
        for key in candidate.metrics
    )


def predictions(candidate: Candidate) -> Item:
    """Check for pictures of predictions."""
    files = [
        path
        for path in sorted(candidate.files)
        if path.startswith((f"{PREDICTIONS}/", f"{PICTURES}/")) and not path.startswith(FIGURE)
    ]
    found = f"{len(files)} files" if files else "none"
    again = "%mlgrid predictions"
    made = item("pictures.predictions", "Sample predictions", bool(files), found, again)
    return unless_changed(made, candidate.changed, files, again)


def confusion(candidate: Candidate) -> Item:
    """Check for the confusion matrix, where the task has classes."""
    return _picture(
        candidate,
        "pictures.confusion",
        "Confusion matrix",
        ("confusion",),
        _WITHOUT_CONFUSION,
    )


def curves(candidate: Candidate) -> Item:
    """Check for PR or ROC curves, where the task has scores."""
    return _picture(
        candidate,
        "pictures.curves",
        "PR and ROC curves",
        ("pr_curve", "roc_curve"),
        _WITHOUT_CURVES,
    )


def _picture(
    candidate: Candidate, key: str, title: str, words: tuple[str, ...], without: set[str]
) -> Item:
    task = task_of(candidate)
    files = [
        path
        for path in sorted(candidate.files)
        if any(word in path.rsplit("/", 1)[-1].lower() for word in words)
    ]
    if files:
        return item(key, title, True, listed((one_line(path, 60) for path in files), 3), "")
    if task in without:
        return item(key, title, None, f"{task} has none", "")
    told = [note for found in candidate.evaluations.values() for note in found.measured.notes]
    many = next((note for note in told if note.startswith("No curves:")), "")
    if many and "pr_curve" in words:
        return item(key, title, None, one_line(many), "")
    return item(key, title, False, "none", _EVALUATE)
