"""A store of its own for runs that are only looked at: its files lie in one folder."""

from __future__ import annotations

from pathlib import Path

from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.listing import runs_in

EXPERIMENT = "replay"


def make_store(folder: Path) -> tuple[str, str]:
    """Make a store in a folder; return its address and the id of its only experiment."""
    uri = f"sqlite:///{(folder / 'replay.db').as_posix()}"
    with quietly():
        client = client_of(uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return uri, str(found.experiment_id)
        place = (folder / "artifacts").as_uri()
        return uri, str(client.create_experiment(EXPERIMENT, artifact_location=place))


def newest_run(uri: str, experiment_id: str, name: str, since: int) -> str:
    """Return the id of the newest run of a name since a time (Unix ms), or ``""``."""
    runs = runs_in(uri, [experiment_id])
    return next((run.run_id for run in runs if run.name == name and run.started >= since), "")
