"""Where the files of a run lie, below its artifact folder."""

from __future__ import annotations

from typing import Final

CODE: Final = "code"
CELL: Final = "code/cell.py"
MINIMAL: Final = "code/minimal.py"
SESSION: Final = "code/session.ipy"
NOTEBOOK: Final = "code/session.ipynb"
MODULES: Final = "code/modules"
SCRIPTS: Final = "code/scripts"
DIFF: Final = "code/uncommitted.diff"
REPOSITORIES: Final = "code/repositories.json"
REPOSITORY_DIFFS: Final = "code/repositories"

ENVIRONMENT: Final = "environment/environment.json"
HARDWARE: Final = "environment/hardware.json"
REQUIREMENTS: Final = "environment/requirements.txt"
PROJECT_FILES: Final = "environment/project"

CONFIGS: Final = "configs"
LONG_PARAMS: Final = "params"
DATASETS: Final = "datasets"
CHECKS: Final = "datasets/checks"
OUTPUT: Final = "logs/output.txt"
TRACEBACK: Final = "error/traceback.txt"
PICTURES: Final = "visualisations"
FIGURE: Final = "visualisations/figure-"
PREDICTIONS: Final = "predictions"
TENSORBOARD: Final = "tensorboard"
SUPERSEDED: Final = "superseded"

EVALUATION: Final = "evaluation"
LATENCY: Final = "latency/latency.json"
LATENCY_CHART: Final = "latency/latency.png"
EVIDENCE: Final = "evidence.json"
QUANTIZED: Final = "quantized.json"
EXPORTS: Final = ("onnx", "torchscript", "pt2")
ONNX_MODEL: Final = "onnx/model.onnx"
SERVING: Final = "serving.json"

CARD: Final = "governance/MODEL_CARD.md"
GATE: Final = "governance/gate"


def metrics_path(prefix: str) -> str:
    """Return where the facts of an evaluation lie; ``prefix`` as :func:`stored_part` gives it."""
    return f"{EVALUATION}/{prefix or 'metrics'}/metrics.json"


def samples_path(prefix: str) -> str:
    """Return where the scores of each sample lie."""
    return f"{EVALUATION}/{prefix or 'metrics'}/samples.json"


def is_metrics(path: str) -> bool:
    """Whether a file holds the facts of an evaluation."""
    return path.startswith(f"{EVALUATION}/") and path.endswith("/metrics.json")


def is_samples(path: str) -> bool:
    """Whether a file holds the scores of each sample."""
    return path.startswith(f"{EVALUATION}/") and path.endswith("/samples.json")


def slices_path(prefix: str) -> str:
    """Return where what was found of parts of the samples lies."""
    return f"{EVALUATION}/{prefix or 'metrics'}/slices/slices.json"


def is_slices(path: str) -> bool:
    """Whether a file holds what was found of parts of the samples."""
    return path.startswith(f"{EVALUATION}/") and path.endswith("/slices/slices.json")


def manifest_path(name: str) -> str:
    """Return where the manifest of a data set lies."""
    return f"{DATASETS}/{name}.manifest.tsv"


def samples_listing_path(name: str) -> str:
    """Return where the samples of a data set are listed, in order."""
    return f"{DATASETS}/{name}.samples.tsv"


def check_path(name: str) -> str:
    """Return where a check of pictures and labels lies; ``name`` says of which sets."""
    return f"{CHECKS}/{name}/check.json"


def check_listing_path(name: str) -> str:
    """Return where all that such a check found is listed."""
    return f"{CHECKS}/{name}/findings.tsv"


def is_check(path: str) -> bool:
    """Whether a file holds the facts of a check of pictures and labels."""
    return path.startswith(f"{CHECKS}/") and path.endswith("/check.json")


def evidence_path(format: str) -> str:
    """Return where the proof of an export lies."""
    return f"{format}/{EVIDENCE}"


def quantized_path(precision: str) -> str:
    """Return where it lies what a model in fewer bits loses."""
    return f"{precision}/{QUANTIZED}"


def is_evidence(path: str) -> bool:
    """Whether a file holds the proof of an export."""
    return path.endswith(f"/{EVIDENCE}") and path.count("/") == 1


def verdict_path(identifier: str) -> str:
    """Return where a verdict of the gate lies."""
    return f"{GATE}/{identifier}.json"
