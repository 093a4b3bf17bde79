"""What a store has of a run that is to go on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.writer import Point


@dataclass(frozen=True, slots=True)
class StoredSoFar:
    """A run as the store has it; times are Unix milliseconds, 0 where there is none.

    ``metrics`` are (value, step, time) of the point of the highest step, by name.
    """

    run_id: str
    name: str
    status: str
    started: int
    ended: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, tuple[float, int, int]]


def stored_so_far(uri: str, run_id: str) -> StoredSoFar:
    """Read a run, without the history of its metrics."""
    with quietly():
        return so_far_of(client_of(uri).get_run(run_id))


def so_far_of(run: Any) -> StoredSoFar:
    """Return what MLflow's picture of a run says."""
    info, data = run.info, run.data
    return StoredSoFar(
        run_id=str(info.run_id),
        name=str(info.run_name or info.run_id[:8]),
        status=str(info.status),
        started=int(info.start_time or 0),
        ended=int(info.end_time or 0),
        params=dict(data.params),
        tags=dict(data.tags),
        # the public mapping has values only
        metrics={
            str(m.key): (float(m.value), int(m.step), int(m.timestamp)) for m in data._metric_objs
        },
    )


def histories(uri: str, run_id: str, names: Collection[str]) -> dict[str, list[Point]]:
    """Read all points of some metrics, each in the order of time."""
    client = client_of(uri)
    found: dict[str, list[Point]] = {}
    for name in names:
        with quietly():
            points = client.get_metric_history(run_id, name)
        rows = [(name, float(p.value), int(p.timestamp), int(p.step)) for p in points]
        found[name] = sorted(rows, key=lambda row: (row[2], row[3]))
    return found


def versions_of(uri: str, run_id: str) -> list[str]:
    """Return the registered versions that were made of a run, in words."""
    client = client_of(uri)
    with quietly():
        found = client.search_model_versions(f"run_id='{run_id}'")
        return [_in_words(client, version) for version in found]


def _in_words(client: Any, version: Any) -> str:
    about = []
    with suppress(Exception):  # a listing leaves the aliases out
        model = client.get_registered_model(version.name)
        number = str(version.version)
        about = [f"@{name}" for name, to in sorted(model.aliases.items()) if str(to) == number]
    stage = str(getattr(version, "current_stage", "") or "None")
    about += [stage] if stage != "None" else []
    said = f"{version.name} version {version.version}"
    return f"{said} ({', '.join(about)})" if about else said


def files_below(uri: str, run_id: str, folder: str) -> list[str]:
    """Return the paths of the artifacts in a folder and those in it, two levels deep."""
    client = client_of(uri)
    with quietly():
        found = client.list_artifacts(run_id, folder)
        inner = [client.list_artifacts(run_id, item.path) for item in found if item.is_dir]
    items = [*found, *(item for some in inner for item in some)]
    return [str(item.path) for item in items if not item.is_dir]


def rename_tags(uri: str, run_id: str, tags: Mapping[str, str], names: Mapping[str, str]) -> None:
    """Give tags of a run other names: the new ones are there before the old ones go."""
    client = client_of(uri)
    for old, new in names.items():
        with quietly():
            client.set_tag(run_id, new, tags[old])
            client.delete_tag(run_id, old)
