"""What tests ask of a tracking store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """Return the paths of all artifacts of a run."""
    client = mlflow.MlflowClient(tracking_uri=store)
    names: set[str] = set()
    folders = [""]
    while folders:
        for item in client.list_artifacts(run.info.run_id, folders.pop() or None):
            (folders.append if item.is_dir else names.add)(item.path)
    return names


def points(store: str, run: Any, key: str) -> list[tuple[int, float]]:
    """Return (step, value) of a metric, in the order of the steps."""
    client = mlflow.MlflowClient(tracking_uri=store)
    return sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, key))
