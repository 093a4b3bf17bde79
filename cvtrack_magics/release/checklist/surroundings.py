"""Items about where a run happened: outcome, data, code, environment, machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.environment import Environment
from cvtrack_magics.artifacts.paths import CODE, DIFF, ENVIRONMENT, REQUIREMENTS
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.release.card.escape import one_line
from cvtrack_magics.release.card.readers import SHA256, is_training
from cvtrack_magics.release.checklist.items import Item, item, listed, typed, unless_changed
from cvtrack_magics.release.facts import Candidate

_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def again(candidate: Candidate) -> str:
    """Return the line that makes the run again, which records all that surrounds it."""
    return f"%%mlrun {typed(candidate.run_name)}"


def finished(candidate: Candidate) -> Item:
    """Check that the run ended well."""
    status = one_line(candidate.status, 20)
    return item("finished", "Finished", status == "FINISHED", status or "unknown", again(candidate))


def training_data(candidate: Candidate) -> Item:
    """Check that the training data has a SHA-256."""
    digests = digests_of(candidate, training=True)
    found = _named(digests) or "no SHA-256 of what it was trained on"
    return item("data.training", "Training data", bool(digests), found, "%mldata train_data")


def evaluation_data(candidate: Candidate) -> Item:
    """Check that the data it was measured on has a SHA-256."""
    digests = digests_of(candidate, training=False) or {
        prefix: found.data_sha256
        for prefix, found in candidate.evaluations.items()
        if SHA256.fullmatch(found.data_sha256) and not is_training(prefix)
    }
    found = _named(digests) or "no SHA-256 of what it was measured on"
    fix = "%mldata val_data --context validation"
    return item("data.evaluation", "Evaluation data", bool(digests), found, fix)


def digests_of(candidate: Candidate, *, training: bool) -> dict[str, str]:
    """Return the full SHA-256 of data sets by name, of training or of all other contexts."""
    digests = {
        one_line(data.name, 40): data.digest
        for data in candidate.datasets
        if is_training(data.context) is training and SHA256.fullmatch(data.digest)
    }
    end = "_dataset_sha256"
    for key, value in sorted(candidate.params.items()):
        prefix = key.removesuffix(end)
        if not key.endswith(end) or value in digests.values() or not SHA256.fullmatch(value):
            continue
        if is_training(prefix) is training:
            digests[one_line(prefix, 40)] = value
    return digests


def _named(digests: dict[str, str]) -> str:
    return listed((f"{name} {digest[:12]}" for name, digest in digests.items()), 3)


def code(candidate: Candidate) -> Item:
    """Check that the run holds its code, or that of a script is in a commit."""
    files = [path for path in sorted(candidate.files) if path.startswith(f"{CODE}/")]
    held = [path for path in files if path != DIFF]
    if held:
        made = item("code", "Code", True, listed((one_line(path, 60) for path in held), 3), "")
        return unless_changed(made, candidate.changed, held, again(candidate))
    script = candidate.source
    committed = git(candidate)
    if script.endswith(".py") and committed.passed:
        found = f"{one_line(script, 60)}, {committed.found}"
        return item("code", "Code", True, found, "")
    return item("code", "Code", False, "no file under code/", again(candidate))


def git(candidate: Candidate) -> Item:
    """Check that a commit stands for the code, with a patch where the code was changed."""
    tags = candidate.tags
    commit = tags.get("git_commit") or tags.get("mlflow.source.git.commit", "")
    dirty = tags.get("git_dirty", "")
    title = "Git commit"
    if not _COMMIT.fullmatch(commit):
        found = "no commit: the code is in no git repository, or has none yet"
        return item("git", title, False, found, f"!git commit, then {again(candidate)}")
    if dirty not in ("true", "false"):
        found = f"{commit[:12]}, but not whether the code was that of the commit"
        return item("git", title, False, found, again(candidate))
    if dirty == "true" and DIFF not in candidate.files:
        found = f"{commit[:12]} with changes that are not recorded"
        return item("git", title, False, found, f"!git commit -a, then {again(candidate)}")
    state = f"with changes in {DIFF}" if dirty == "true" else "and no changes"
    made = item("git", title, True, f"{commit[:12]} {state}", "")
    patch = [DIFF] if dirty == "true" else []
    return unless_changed(made, candidate.changed, patch, again(candidate))


def environment(candidate: Candidate) -> Item:
    """Check that the packages are recorded."""
    wanted = (REQUIREMENTS, ENVIRONMENT)
    missing = [path for path in wanted if path not in candidate.files]
    found = f"missing: {', '.join(missing)}" if missing else wanted[0]
    made = item("environment", "Environment", not missing, found, again(candidate))
    return unless_changed(made, candidate.changed, wanted, again(candidate))


def versions(candidate: Candidate) -> Item:
    """Check that Python, PyTorch and the machine are parameters, which can be searched."""
    software: Mapping[str, str] = {}
    with suppress(UnreadableArtifact):
        software = (read_from(candidate.texts, Environment, ENVIRONMENT) or Environment()).software
    wanted = ["python_version", "gpu_model", "num_gpus"]
    if not software or "torch" in software:
        wanted.insert(1, "pytorch_version")
    missing = [key for key in wanted if not candidate.params.get(key)]
    found = listed(one_line(candidate.params.get(key, ""), 40) for key in wanted)
    if missing:
        found = f"missing: {', '.join(missing)}"
    title = "Hardware and framework versions"
    return item("versions", title, not missing, found, again(candidate))
