"""Items about what a run was told: tags, hyper-parameters, seed, configuration."""

from __future__ import annotations

import re

from cvtrack_magics.artifacts.paths import CONFIGS
from cvtrack_magics.capture.data.schema import TAG_SCHEMA, canonical_task
from cvtrack_magics.release.card.escape import one_line
from cvtrack_magics.release.card.readers import last_part, seed_of, task_of
from cvtrack_magics.release.checklist.items import Item, item, listed, unless_changed
from cvtrack_magics.release.facts import Candidate

_FREE = {"team"}
_NO_VALUE = {"", "unknown", "none", "none yet"}

# What it is called, the names it has in a run, and what to give %mlparams for it.
_EXPLICIT = (
    ("optimizer", r"optimi[sz]er|optim", "optimizer"),
    ("learning rate", r"lr\d*|learning_rate|base_lr|init_lr", "optimizer"),
    ("batch size", r"batch|(train_)?batch_size", "train_loader"),
    ("epochs", r"((num|n|max|total)_)?(epochs|steps|iterations)", "dict(epochs=10)"),
)
_IMPLICIT = (
    ("weight decay", r"weight_decay|wd|l2", "optimizer"),
    ("data loading", r"num_workers|workers|shuffle", "train_loader"),
    ("image size or transforms", r"im(g|age)_?(size|sz)|imgsz|input_size|transforms|augment.*", ""),
    ("architecture", r"parameters|trainable|pretrained|weights|dropout|model", "model"),
)


def tags(candidate: Candidate) -> Item:
    """Check that every tag of the schema is set, and that the task is a known one."""
    wanted = [rule for rule in TAG_SCHEMA if rule.key not in _FREE]
    given = {rule.key: candidate.tags.get(rule.key, "").strip() for rule in wanted}
    missing = [rule for rule in wanted if given[rule.key].lower() in _NO_VALUE]
    wrong = bool(given["task"]) and canonical_task(given["task"]) is None
    found = f"{len(wanted) - len(missing)} of {len(wanted)}"
    if missing:
        found += f"; missing: {', '.join(rule.key for rule in missing)}"
    if wrong:
        found += f"; task {one_line(given['task'], 40)!r} is none of the schema"
    examples = {rule.key: rule.example for rule in missing}
    if wrong or "task" in examples:
        examples["task"] = task_of(candidate) or "classification"
    fix = " ".join(["%mltags", *(f"{key}={value}" for key, value in examples.items())])
    return item("tags", "Tags of the schema", not (missing or wrong), found, fix)


def hyperparameters(candidate: Candidate) -> Item:
    """Check that the settings everybody thinks of are there."""
    return _settings(candidate, "params", "Hyper-parameters", _EXPLICIT)


def implicit(candidate: Candidate) -> Item:
    """Check that the settings nobody thinks of are there."""
    return _settings(candidate, "params.implicit", "Implicit hyper-parameters", _IMPLICIT)


def _settings(
    candidate: Candidate, key: str, title: str, wanted: tuple[tuple[str, str, str], ...]
) -> Item:
    # "transforms.Resize.size" speaks of transforms, "model.parameters" of parameters.
    names = {last_part(name) for name in candidate.params if candidate.params[name]}
    names |= {re.split(r"[./]", name)[0].lower() for name in candidate.params}
    missing = [row for row in wanted if not any(re.fullmatch(row[1], name) for name in names)]
    there = [row[0] for row in wanted if row not in missing]
    found = listed(there) or "none"
    if missing:
        found = f"missing: {listed(row[0] for row in missing)}"
    given = dict.fromkeys(row[2] or "transform" for row in missing)
    return item(key, title, not missing, found, f"%mlparams {' '.join(given)}")


def seed(candidate: Candidate) -> Item:
    """Check that a seed is recorded."""
    found = one_line(seed_of(candidate), 40)
    return item("seed", "Seeds", bool(found), found or "no seed", "%mlseed 42")


def config(candidate: Candidate) -> Item:
    """Check that the configuration is there as a file."""
    files = [path for path in sorted(candidate.files) if path.startswith(f"{CONFIGS}/")]
    found = listed((one_line(path, 60) for path in files), 3) or "no file under configs/"
    fix = "%mlconfig train_config.yaml"
    made = item("config", "Configuration file", bool(files), found, fix)
    return unless_changed(made, candidate.changed, files, fix)


def experiment(candidate: Candidate) -> Item:
    """Check that the run is in an experiment of its own subject."""
    name = one_line(candidate.experiment, 60)
    named = name not in ("", "Default")
    found = name or "none"
    return item("experiment", "Experiment", named, found, "%mlexperiment resnet-ablations")
