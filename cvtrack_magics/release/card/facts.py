"""The sections of a card that are facts of the run: data, training, environment, lineage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from urllib.parse import quote

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.environment import Environment
from cvtrack_magics.artifacts.paths import (
    CONFIGS,
    DIFF,
    ENVIRONMENT,
    EVALUATION,
    PICTURES,
    manifest_path,
)
from cvtrack_magics.capture.data.manifest import read_manifest
from cvtrack_magics.capture.machine.hardware import text_bytes
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.names import safe_key
from cvtrack_magics.release.card.escape import NOTHING, code, number, table, text
from cvtrack_magics.release.card.readers import (
    GATE_TAG,
    exports_of,
    last_part,
    mapping,
    model_file,
    param_of,
    seed_of,
    task_of,
    verdicts_of,
)
from cvtrack_magics.release.facts import Candidate, DataFact
from cvtrack_magics.store.model_files import PROVED_TAG, UNPROVED_TAG

_PARAMS = 40
_PICTURES = 12
_IMPORTANT = re.compile(
    r"optimi[sz]er|(^|_)lr\d*$|learning_rate|lr_scheduler|scheduler|warm_?up|weight_decay|momentum|betas"
    r"|batch|epochs|img_?size|image_?size|imgsz|transforms|augment|mixup|mosaic|loss|amp|dropout|clip"
    r"|freeze|frozen|pretrained|weights|patience|ema|parameters|trainable|num_workers|shuffle"
)
_BASE = ("weights", "pretrained", "base_model", "checkpoint", "init_weights", "init_checkpoint")
_VERSIONS = {
    "Python": "python_version",
    "torch": "pytorch_version",
    "torchvision": "torchvision_version",
    "CUDA": "cuda_version",
    "cuDNN": "cudnn_version",
    "GPU": "gpu_model",
}


def day(milliseconds: int) -> str:
    """Return the UTC date and minute of a Unix time in milliseconds; ``–`` for none."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc) if milliseconds else None
    except (OverflowError, ValueError, OSError):
        return NOTHING
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else NOTHING


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of two columns, without the rows that say nothing."""
    return table(("", ""), [row for row in rows if row[1] and row[1] != NOTHING])


def overview(candidate: Candidate, licence: str) -> str:
    """Return what the model is, who made it, when, and in which run."""
    version = candidate.version
    size = param_of(candidate, ("model.parameters", "parameters"))
    made = version.created if version and version.created else candidate.ended
    return pairs(
        [
            ("Task", text(task_of(candidate) or candidate.tags.get("task", ""))),
            ("Backbone", text(candidate.tags.get("backbone", ""))),
            ("Parameters", text(size[1]) if size else ""),
            ("Model", code(version.name) if version else ""),
            ("Version", code(version.version) if version else ""),
            ("Run", f"{text(candidate.run_name)} ({code(candidate.run_id)})"),
            ("Experiment", text(candidate.experiment)),
            ("Made by", text(candidate.user or candidate.tags.get("mlflow.user", ""))),
            ("Team", text(candidate.tags.get("team", ""))),
            ("Date", day(made)),
            ("Licence", text(licence)),
        ]
    )


def data(candidate: Candidate) -> str:
    """Return the data sets with their whole SHA-256."""
    rows = [
        (text(d.name), text(d.context), _size(candidate, d), code(d.digest, 80), text(d.source))
        for d in candidate.datasets
    ]
    return table(("Data set", "Used for", "Size", "SHA-256", "Source"), rows)


def _size(candidate: Candidate, data: DataFact) -> str:
    name = safe_key(data.name).replace("/", "_")
    manifest = candidate.texts.get(manifest_path(name), "")
    try:
        sizes = [entry.size for entry in read_manifest(manifest)]
    except ValueError:
        return NOTHING
    parts = "part" if len(sizes) == 1 else "parts"
    return f"{len(sizes)} {parts}, {text_bytes(sum(sizes))}" if sizes else NOTHING


def training(candidate: Candidate) -> str:
    """Return the settings that decide what was learnt."""
    names = [key for key in sorted(candidate.params) if _IMPORTANT.search(last_part(key))]
    rows = [(code(key), text(candidate.params[key], 160)) for key in names[:_PARAMS]]
    more = len(names) - _PARAMS
    said = f"\n\n{more} more are in the run." if more > 0 else ""
    return table(("Parameter", "Value"), rows) + said


def environment(candidate: Candidate) -> str:
    """Return software and machine, of the environment file or else of the parameters."""
    try:
        whole = read_from(candidate.texts, Environment, ENVIRONMENT) or Environment()
    except UnreadableArtifact as error:
        return text(error.problem)
    found = {**whole.software, **whole.hardware}
    known = {label: candidate.params.get(key, "") for label, key in _VERSIONS.items()}
    rows: Mapping[str, object] = {**known, **found}
    return pairs((text(label, 60), text(value)) for label, value in list(rows.items())[:_PARAMS])


def reproducing(candidate: Candidate) -> str:
    """Return seed, commit and whether the code was that of the commit."""
    tags = candidate.tags
    changed = {"true": "yes", "false": "no"}.get(tags.get("git_dirty", ""), "")
    if changed == "yes":
        kept = _link(DIFF, "the changes are kept") if DIFF in candidate.files else "not kept"
        changed = f"yes, {kept}"
    configs = [path for path in sorted(candidate.files) if path.startswith(f"{CONFIGS}/")]
    return pairs(
        [
            ("Seed", text(seed_of(candidate))),
            ("Commit", code(tags.get("git_commit") or tags.get("mlflow.source.git.commit", ""))),
            ("Uncommitted changes", changed),
            ("Repository", text(tags.get("git_remote", ""))),
            ("Source", text(candidate.source)),
            ("Configuration", ", ".join(_link(path, path) for path in configs[:5])),
        ]
    )


def lineage(candidate: Candidate) -> str:
    """Return what the version was made from, back to the weights that training began with."""
    parent = candidate.tags.get("mlflow.parentRunId", "")
    replaced = candidate.tags.get("cvtrack.replaces", "")
    run = f"run {text(candidate.run_name)} {code(candidate.run_id)}"
    steps = [f"run {code(parent)}", run] if parent else [run]
    if candidate.version:
        steps.append(f"{text(candidate.version.name)} version {text(candidate.version.version)}")
    lines = [f"- {' → '.join(steps)}"]
    base = param_of(candidate, _BASE)
    if base:
        lines.append(f"- Training began with {code(base[0])}: {text(base[1])}")
    if replaced:
        lines.append(f"- The run took the place of run {code(replaced)}")
    if candidate.version and candidate.version.source:
        lines.append(f"- Stored at {text(candidate.version.source)}")
    return "\n".join(lines)


def artifacts(candidate: Candidate) -> str:
    """Return the model's signature, and how each export compares with it."""
    model = model_file(candidate)
    lines = []
    if model is not None:
        example = "yes" if model.example else "no"
        rows = [
            ("Folder", code(model.path)),
            ("Flavours", text(", ".join(model.flavors))),
            ("Takes", text(model.inputs)),
            ("Returns", text(model.outputs)),
            ("Input example", example),
            ("Processing inside", text(model.processing)),
            ("Served answers", _as_measured(candidate)),
        ]
        lines.append(pairs(rows))
    rows_of_exports = [
        (
            text(found.format, 40),
            text(found.opset, 20),
            number(found.difference),
            text(found.allowed),
            "passed" if found.passed else f"failed: {text(', '.join(found.failed))}",
        )
        for found in exports_of(candidate)
    ]
    heads = ("Export", "Opset", "Largest difference", "Allowed", "Verified")
    return "\n\n".join(part for part in [*lines, table(heads, rows_of_exports)] if part)


def _as_measured(candidate: Candidate) -> str:
    """Return whether what is served was compared with what was measured."""
    tags = candidate.version.tags if candidate.version else {}
    if PROVED_TAG in tags:
        return f"as measured: {text(tags[PROVED_TAG])}"
    return f"**unproved**: {text(tags[UNPROVED_TAG], 300)}" if UNPROVED_TAG in tags else ""


def gate(candidate: Candidate) -> str:
    """Return the verdicts of the gate, a line each, the last one last."""
    lines = []
    for found in verdicts_of(candidate):
        said = f": {text(found.facts['summary'])}" if found.facts.get("summary") else ""
        verdict = "Passed" if found.passed else "Refused"
        lines.append(f"- {verdict} ({code(found.tag.removeprefix(GATE_TAG))}){said}")
        made = mapping(found.facts.get("comparison"))
        if made:
            gain = f"{number(made.get('difference'))}, lower bound {number(made.get('low'))}"
            metric, champion = code(made.get("metric", "")), text(made.get("champion", ""))
            lines.append(f"  - Against {champion}: {metric} better by {gain}")
    return "\n".join(lines)


def pictures(candidate: Candidate) -> str:
    """Return the figures of the evaluations and the last predictions, to be seen in the card."""
    paths = sorted(candidate.files)
    found = [path for path in paths if path.startswith(f"{EVALUATION}/") and path.endswith(".png")]
    shown = [path for path in paths if path.startswith(f"{PICTURES}/") and ".webp" in path]
    found = [*shown[-1:], *found]
    return "\n\n".join(f"!{_link(path, path)}" for path in found[:_PICTURES])


def _link(path: str, label: str) -> str:
    # The card is one folder down, in governance/.
    return f"[{text(label)}](../{quote(path)})"
