"""The front matter of a card: YAML as the Hugging Face Hub reads it."""

from __future__ import annotations

import re
from typing import Any

from cvtrack_magics.names import file_part
from cvtrack_magics.release.card.escape import one_line
from cvtrack_magics.release.card.readers import finite, model_file, task_of
from cvtrack_magics.release.facts import Candidate, EvaluationFacts

# https://huggingface.co/tasks; there is none for anomalies
_PIPELINES = {
    "classification": "image-classification",
    "multi-label-classification": "image-classification",
    "object-detection": "object-detection",
    "semantic-segmentation": "image-segmentation",
    "instance-segmentation": "image-segmentation",
    "depth-estimation": "depth-estimation",
    "keypoint-detection": "keypoint-detection",
    "oriented-object-detection": "object-detection",
}
# https://huggingface.co/metrics
_METRICS = {
    "top1_acc": "accuracy",
    "macro_f1": "f1",
    "precision": "precision",
    "recall": "recall",
    "AUROC": "roc_auc",
    "mIoU": "mean_iou",
}
_LIBRARIES = {"pytorch": "pytorch", "onnx": "onnx", "tensorflow": "tf-keras", "sklearn": "sklearn"}
# https://huggingface.co/docs/hub/repositories-licenses: those common for models
_LICENCES = {
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "unlicense", "mpl-2.0"),
    *("gpl-2.0", "gpl-3.0", "lgpl-2.1", "lgpl-3.0", "agpl-3.0", "eupl-1.2", "cc0-1.0"),
    *("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
    *("openrail", "creativeml-openrail-m", "bigscience-openrail-m", "unknown"),
}


def front_matter(candidate: Candidate, licence: str) -> str:
    """Return the YAML block with its two rules.

    Parameters
    ----------
    candidate : Candidate
        What the card is of.
    licence : str
        As a person wrote it; one that the Hub has no name for becomes ``other``.

    Returns
    -------
    str
        Every text in it is one line, so that none of them can end the block.
    """
    import yaml

    task = task_of(candidate)
    pipeline = _PIPELINES.get(task, "")
    results = [_result(candidate, found, pipeline or task) for found in _measured(candidate)]
    block: dict[str, Any] = {
        **_licence(licence),
        "library_name": _library(candidate),
        "pipeline_tag": pipeline,
        "tags": _tags(candidate, task),
        "datasets": list(dict.fromkeys(_id(data.name) for data in candidate.datasets)),
        "metrics": sorted({row["type"] for result in results for row in result["metrics"]}),
        "model-index": [{"name": name_of(candidate), "results": results}] if results else [],
    }
    kept = {key: value for key, value in block.items() if value}
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=float("inf"))
    return f"---\n{text}---\n"


def name_of(candidate: Candidate) -> str:
    """Return the name of the registered model, else of the run, in one line."""
    named = candidate.version.name if candidate.version else candidate.run_name
    return one_line(named) or "model"


def _id(name: str) -> str:
    return file_part(one_line(name)) or "data"


def _licence(licence: str) -> dict[str, str]:
    line = one_line(licence)
    slug = re.sub(r"[\s_]+", "-", line.lower())
    if not line:
        return {"license": "unknown"}
    if slug in _LICENCES:
        return {"license": slug}
    return {"license": "other", "license_name": file_part(slug[:60])}


def _library(candidate: Candidate) -> str:
    model = model_file(candidate)
    flavors = model.flavors if model else ()
    found = next((_LIBRARIES[flavor] for flavor in flavors if flavor in _LIBRARIES), "")
    return found or ("pytorch" if candidate.params.get("pytorch_version") else "")


def _tags(candidate: Candidate, task: str) -> list[str]:
    backbone = one_line(candidate.tags.get("backbone", ""), 80)
    return [tag for tag in ("cvtrack", "mlflow", task, backbone) if tag]


def _measured(candidate: Candidate) -> list[EvaluationFacts]:
    found = (candidate.evaluations[prefix] for prefix in sorted(candidate.evaluations))
    return [each for each in found if _metrics(each)]


def _metrics(found: EvaluationFacts) -> dict[str, float]:
    """Return the figures that are numbers; those of single classes are in the card's tables."""
    named = found.measured.metrics
    values = {name: finite(value) for name, value in named.items() if "/" not in name}
    order = sorted(values, key=lambda name: name != found.headline)
    return {name: value for name in order if (value := values[name]) is not None}


def _result(candidate: Candidate, found: EvaluationFacts, task: str) -> dict[str, Any]:
    data = next((d.name for d in candidate.datasets if _same_split(d.context, found.prefix)), "")
    name = one_line(data or candidate.tags.get("dataset", "")) or "data"
    about: dict[str, str] = {"name": name, "type": _id(name), "split": one_line(found.prefix, 80)}
    digest = one_line(found.data_sha256, 80)
    return {
        "task": {"type": task or "other"},
        "dataset": {**about, "revision": digest} if digest else about,
        "metrics": [
            {"type": _METRICS.get(metric, _id(metric)), "value": value, "name": one_line(metric)}
            for metric, value in _metrics(found).items()
        ],
    }


def _same_split(context: str, prefix: str) -> bool:
    return bool(prefix) and context.strip().lower()[:3] == prefix.strip().lower()[:3]
