"""Which runs were measured on the same data: of many, the best looks better than it is."""

from __future__ import annotations

from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Tag
from cvtrack_magics.store.client import client_of

ALIKE_TAG = "cvtrack.measured_on."  # of a run, and the evaluation's prefix behind it
MOST = 50_000  # runs that are counted


def alike_tag(prefix: str, digest: str) -> Tag:
    """Return the tag of a run that was measured on some data, so that it can be searched for."""
    return Tag(_key(prefix), digest)


def measured_alike(uri: str, run_id: str, prefix: str, digest: str, since: int) -> set[str]:
    """Return the runs of a run's experiment that were measured on the same data.

    Those that were deleted count too: they were looked at.

    Parameters
    ----------
    uri : str
        The tracking server.
    run_id : str
        A run of the experiment.
    prefix, digest : str
        Of the evaluation, and of its data.
    since : int
        Unix milliseconds: only runs that started later.
    """
    from mlflow.entities import ViewType

    client = client_of(uri)
    experiment = client.get_run(run_id).info.experiment_id
    wanted = f"tags.`{_key(prefix)}` = '{digest}' AND attributes.start_time > {since}"
    found: set[str] = set()
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment], wanted, run_view_type=ViewType.ALL, max_results=1000, page_token=token
        )
        found |= {run.info.run_id for run in page}
        token = page.token
        if not token or len(found) >= MOST:
            return found


def _key(prefix: str) -> str:
    return safe_key(f"{ALIKE_TAG}{prefix or 'metrics'}")
