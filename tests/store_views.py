"""What tests ask of a tracking store."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import mlflow


def runs_of(store: str) -> dict[str, Any]:
    """Return every run by name; the newest of a name wins."""
    client = mlflow.MlflowClient(tracking_uri=store)
    experiments = [e.experiment_id for e in client.search_experiments()]
    found = client.search_runs(experiments, order_by=["attributes.start_time ASC"])
    return {run.info.run_name: run for run in found}


def artifact(store: str, run: Any, path: str) -> str:
    """Return a text artifact of a run."""
    client = mlflow.MlflowClient(tracking_uri=store)
    return Path(client.download_artifacts(run.info.run_id, path)).read_text(encoding="utf-8")


def artifact_names(store: str, run: Any) -> set[str]:
    """Return the paths of all artifacts of a run, and of those of its models that are done."""
    client = mlflow.MlflowClient(tracking_uri=store)
    names = _below(lambda at: client.list_artifacts(run.info.run_id, at or None))
    for model in models_of(store, run):
        if model.status != "PENDING":
            folder = model.tags.get("cvtrack.folder", model.name)
            listed = partial(list_files, model.artifact_location)
            names |= {f"{folder}/{path}" for path in _below(listed)}
    return names


def list_files(address: str, at: str) -> list[Any]:
    """Return what lies below an address, by paths from there."""
    found = mlflow.artifacts.list_artifacts(artifact_uri=f"{address}/{at}".rstrip("/"))
    for item in found:
        item._path = f"{at}/{item.path.rsplit('/', 1)[-1]}".lstrip("/")
    return list(found)


def _below(listed: Callable[[str], list[Any]]) -> set[str]:
    names: set[str] = set()
    folders = [""]
    while folders:
        for item in listed(folders.pop()):
            (folders.append if item.is_dir else names.add)(item.path)
    return names


def models_of(store: str, run: Any) -> list[Any]:
    """Return the logged models of a run, the oldest first; none before MLflow 3."""
    client = mlflow.MlflowClient(tracking_uri=store)
    found = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    return sorted(found, key=lambda model: int(model.creation_timestamp))


def version_folder(name: str, version: str) -> Path:
    """Return where the files of a version are on this disk."""
    client = mlflow.MlflowClient()
    address = client.get_model_version_download_uri(name, version)
    return Path(unquote(urlparse(address).path))


def points(store: str, run: Any, key: str) -> list[tuple[int, float]]:
    """Return (step, value) of a metric, in the order of the steps."""
    client = mlflow.MlflowClient(tracking_uri=store)
    return sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, key))
