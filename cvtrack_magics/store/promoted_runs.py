"""Runs that a champion was made of: they outlive its version and its registered model."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from cvtrack_magics.store.client import client_of, creating

_MOST = 1000  # experiments that are looked through


def mark_promoted(uri: str, run_id: str, name: str, version: str) -> None:
    """Note on a run that a version of a registered model that was made of it is the champion."""
    with creating():
        client_of(uri).set_tag(run_id, _key(name), f"{name}/{version}")


def promoted_run(uri: str, name: str) -> tuple[str, str]:
    """Return id and ``NAME/VERSION`` of a run that a champion of a model was made of, or nothing.

    Runs and experiments that are deleted, and can be restored, are looked at too.
    """
    from mlflow.entities import ViewType

    with creating():
        client: Any = client_of(uri)
        every = client.search_experiments(view_type=ViewType.ALL, max_results=_MOST)
        found = client.search_runs(
            [item.experiment_id for item in every],
            f"tags.`{_key(name)}` LIKE '%/%'",
            run_view_type=ViewType.ALL,
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
    if not found:
        return "", ""
    return str(found[0].info.run_id), str(found[0].data.tags[_key(name)])


def _key(name: str) -> str:
    return f"cvtrack.promoted.{sha256(name.encode()).hexdigest()[:12]}"
