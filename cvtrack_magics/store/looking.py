"""A run as the store has it now, for who looks at it once more."""

from __future__ import annotations

from dataclasses import dataclass

from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.resuming import StoredSoFar, files_below, so_far_of, stored_so_far

MOST_CHILDREN = 200
_FOLDERS = ("code", "environment", "logs", "configs", "datasets", "visualisations", "evaluation")


@dataclass(frozen=True, slots=True)
class Looked:
    """A run, the paths of its artifacts two levels deep, and the runs nested in it."""

    run: StoredSoFar
    paths: tuple[str, ...]
    children: tuple[StoredSoFar, ...]


def look(uri: str, run_id: str, experiment_id: str) -> Looked:
    """Read a run, without the history of its metrics."""
    run = stored_so_far(uri, run_id)
    with quietly():
        top = {str(item.path): item.is_dir for item in client_of(uri).list_artifacts(run_id)}
    found = [path for path, is_folder in top.items() if not is_folder]
    for folder in _FOLDERS:
        found += files_below(uri, run_id, folder) if top.get(folder) else []
    return Looked(run, tuple(found), tuple(children_of(uri, run_id, experiment_id)))


def children_of(uri: str, run_id: str, experiment_id: str) -> list[StoredSoFar]:
    """Return the runs nested in a run, the first that began first."""
    with quietly():
        found = client_of(uri).search_runs(
            [experiment_id],
            filter_string=f"tags.`mlflow.parentRunId` = '{run_id}'",
            order_by=["attributes.start_time ASC"],
            max_results=MOST_CHILDREN,
        )
    return [so_far_of(run) for run in found]
