"""What a release reads out of a candidate: task, seed, model, export, latency, verdicts.

All of it was written by somebody else, so nothing is taken to be of the kind it should be.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.artifacts.codec import read_from
from cvtrack_magics.artifacts.export import Evidence
from cvtrack_magics.artifacts.paths import SERVING, is_evidence, verdict_path
from cvtrack_magics.capture.data.schema import canonical_task
from cvtrack_magics.errors import UnreadableArtifact
from cvtrack_magics.limits import yaml_of
from cvtrack_magics.release.facts import Candidate
from cvtrack_magics.release.weights import another_network
from cvtrack_magics.store.logged_models import FOLDER_TAG
from cvtrack_magics.text import json_object, utf8

LATENCY_METRICS = ("p50_latency_ms", "p95_latency_ms", "p99_latency_ms", "throughput_imgs_per_sec")
GATE_TAG = "cvtrack.gate."
SHA256 = re.compile(r"[0-9a-f]{64}")

_MEASURED = {"semantic": "semantic-segmentation"}
_TRAINING = ("train", "training")


def json_of(candidate: Candidate, path: str) -> dict[str, Any]:
    """Return a JSON artifact that is an object; empty where it is missing or anything else."""
    return json_object(candidate.texts.get(path))


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping as it is, and an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def finite(value: object) -> float | None:
    """Return a finite number, and None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def task_of(candidate: Candidate) -> str:
    """Return the schema's name of the task: of the tag, else of an evaluation, else ``""``."""
    said = [candidate.tags.get("task", "")]
    said += [found.measured.task for found in candidate.evaluations.values()]
    known = (_MEASURED.get(task) or canonical_task(task) for task in said if task)
    return next((task for task in known if task), "")


def param_of(candidate: Candidate, names: Iterable[str]) -> tuple[str, str] | None:
    """Return name and value of the first parameter that is called so, or None.

    ``lr`` is found as ``lr``, and as ``train.lr`` or ``train/lr`` where there is no other.
    """
    wanted = list(names)
    for name in wanted:
        if candidate.params.get(name):
            return name, candidate.params[name]
    for key, value in sorted(candidate.params.items()):
        if value and last_part(key) in wanted:
            return key, value
    return None


def last_part(key: str) -> str:
    """Return what stands after the last dot or slash of a name, in lower case."""
    return re.split(r"[./]", key)[-1].lower()


def seed_of(candidate: Candidate) -> str:
    """Return the recorded seed, or ``""``."""
    found = param_of(candidate, ("global_seed", "seed", "random_seed", "random_state"))
    return found[1] if found and found[1] != "None" else ""


def is_training(context: str) -> bool:
    """Say whether a data set of this context, or a prefix, is what a model learnt from."""
    return context.strip().lower() in _TRAINING


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What ``<model>/MLmodel`` says.

    Attributes
    ----------
    path : str
        The model's folder among the artifacts.
    inputs, outputs : str
        The signature as JSON; ``""`` where it has none.
    example : bool
        Whether an input example is saved, and its file is there.
    flavors : tuple of str
        ``pytorch``, ``onnx``, ``python_function`` …
    processing : str
        What it does before and after the network; ``""`` where nothing says so.
    """

    path: str
    inputs: str
    outputs: str
    example: bool
    flavors: tuple[str, ...]
    processing: str


def model_file(candidate: Candidate) -> ModelFile | None:
    """Return the model that the run holds, the one of the version first; None without one."""
    paths = sorted(path for path in candidate.files if path.endswith("/MLmodel"))
    version = candidate.version
    source = version.source.rstrip("/") if version else ""
    source = (
        f"/{version.tags.get(FOLDER_TAG)}" if version and FOLDER_TAG in version.tags else source
    )
    paths.sort(key=lambda path: not source.endswith(f"/{path[: -len('/MLmodel')]}"))
    if not paths:
        return None
    folder = paths[0][: -len("/MLmodel")]
    read = _yaml(candidate.texts.get(paths[0], ""))
    signature = mapping(read.get("signature"))
    flavors = mapping(read.get("flavors"))
    info = mapping(read.get("saved_input_example_info")).get("artifact_path")
    return ModelFile(
        path=folder,
        inputs=str(signature.get("inputs") or ""),
        outputs=str(signature.get("outputs") or ""),
        example=bool(info) and f"{folder}/{info}" in candidate.files,
        flavors=tuple(sorted(str(name) for name in flavors)),
        processing=_processing(candidate, folder, mapping(flavors.get("python_function"))),
    )


def _processing(candidate: Candidate, folder: str, python: Mapping[str, Any]) -> str:
    said = [path for path in candidate.texts if path.startswith(f"{folder}/")]
    for path in sorted(path for path in said if path.endswith(f"/{SERVING}")):
        described = json_of(candidate, path)
        sides = [(side, _steps(described.get(side))) for side in ("pre", "post")]
        return "; ".join(f"{side}: {', '.join(steps)}" for side, steps in sides if steps)
    if python.get("loader_module") == "mlflow.pyfunc.model":
        return "Python code around the network"
    return ""


def _steps(value: object) -> list[str]:
    rows = mapping(value).get("steps") if isinstance(value, Mapping) else value
    steps = [mapping(row) for row in rows] if isinstance(rows, list) else []
    words = ("step", "class", "function")
    return [next((str(row[w]) for w in words if w in row), "step") for row in steps]


def _yaml(text: str) -> Mapping[str, Any]:
    try:
        return mapping(yaml_of(text))
    except Exception:  # YAML's readers of dates and numbers raise what they like
        return {}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a gate, as a tag of the version holds it.

    ``facts`` are those of the tag, with those of ``governance/gate/<id>.json`` where that
    file is the one the tag speaks of.
    """

    tag: str
    passed: bool
    facts: Mapping[str, Any]


def verdicts_of(candidate: Candidate) -> tuple[Verdict, ...]:
    """Return the verdicts on the version, the oldest first: their tags begin with the time."""
    found = []
    for tag, text in sorted(candidate.version.tags.items() if candidate.version else ()):
        facts = json_object(text) if tag.startswith(GATE_TAG) else {}
        if facts.get("what") in ("passed", "refused"):
            whole = {**_whole_verdict(candidate, tag, facts), **facts}
            found.append(Verdict(tag, facts["what"] == "passed", whole))
    return tuple(found)


def _whole_verdict(candidate: Candidate, tag: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    path = verdict_path(tag.removeprefix(GATE_TAG))
    text = candidate.texts.get(path, "")
    same = hashlib.sha256(utf8(text)).hexdigest()
    return json_object(text) if same == facts.get("sha256") else {}


@dataclass(frozen=True, slots=True)
class Export:
    """What ``<folder>/evidence.json`` says of an exported model.

    Attributes
    ----------
    format : str
        ``onnx``, ``torchscript`` …
    opset : str
        Of ONNX; ``""`` otherwise.
    difference : float or None
        Largest absolute difference from the model's own output.
    allowed : str
        What was allowed, in words.
    failed : tuple of str
        The checks that did not pass.
    passed : bool
        Whether outputs were compared, and all was within what was allowed.
    """

    format: str
    opset: str
    difference: float | None
    allowed: str
    failed: tuple[str, ...]
    passed: bool


def exports_of(candidate: Candidate) -> tuple[Export, ...]:
    """Return the exports that have evidence, by folder."""
    return tuple(_export(candidate, path) for path in sorted(candidate.texts) if is_evidence(path))


def _export(candidate: Candidate, path: str) -> Export:
    folder = path.split("/", 1)[0]
    try:
        proof = read_from(candidate.texts, Evidence, path) or Evidence()
    except UnreadableArtifact as error:
        return Export(folder, "", None, "", (error.problem,), False)
    checks = proof.checks
    failed = [f"{row.case}, {row.output}" for row in checks if not row.ok]
    other = another_network(candidate.version, proof)
    failed += [f"it {other}"] if other else []
    apart = [finite(row.max_abs) for row in checks]
    known = [value for value in apart if value is not None]
    sides = (("rtol", proof.tolerance.rtol), ("atol", proof.tolerance.atol))
    limits = [f"{key} {value}" for key, value in sides if value is not None]
    return Export(
        format=proof.format or folder,
        opset="" if proof.opset is None else str(proof.opset),
        difference=max(known) if known and len(known) == len(apart) else None,
        allowed=", ".join(limits),
        failed=tuple(failed),
        passed=bool(checks) and not failed,
    )
