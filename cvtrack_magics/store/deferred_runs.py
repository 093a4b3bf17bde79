"""The store's side of runs that are kept on disk until it has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal.run_note import RunNote
from cvtrack_magics.redact import redact
from cvtrack_magics.store.alone import alone
from cvtrack_magics.store.answers import NotTheStore
from cvtrack_magics.store.client import client_of, creating, mlflow, quietly
from cvtrack_magics.store.detours import stack
from cvtrack_magics.store.error_kinds import is_refusal
from cvtrack_magics.store.uris import absolute

JOURNAL = "cvtrack.journal"
"""Tag with the key of the journal that a run was created for: each stretch has its own."""
RUN_KEY = "cvtrack.run_key"
"""Tag by which a run is found again when the store's answer to its creation was lost."""
STRETCHES = "cvtrack.stretches"
"""Tag with the number of stretches that a run was recorded in."""


def full_uri(noted: str, current: str) -> str:
    """Return a usable tracking URI for one that was noted without its credentials.

    Raises
    ------
    StoreUnavailable
        The noted one had credentials, and the current one is another store.
    """
    if redact(current) == noted:
        return current
    if "***" in noted:
        raise StoreUnavailable(
            f"The store {noted} needs credentials, which are never kept.",
            "Set MLFLOW_TRACKING_URI to it, then type %mlsync.",
        )
    return noted


def create_run(uri: str, note: RunNote, parent_run_id: str) -> tuple[str, str, str]:
    """Open a run that was recorded while the store did not answer.

    Returns
    -------
    tuple of str
        Run id, experiment id, experiment name. A run of the same key that is there
        already is that run: its creation was answered too late.
    """
    key = note.tags.get(RUN_KEY) or note.key  # a resumed run goes on under its first key
    # two processes may have a stretch of it each: one creates it, and the other finds it
    with alone(f"run {key}"), creating():
        client = client_of(uri)
        experiment = _experiment(client, uri, note)
        found = _twins(client, experiment.experiment_id, key)
        if found:
            return str(found[0].info.run_id), str(experiment.experiment_id), str(experiment.name)
        tags = {**note.tags, RUN_KEY: key, JOURNAL: note.key, "mlflow.runName": note.name}
        if note.parent_key and not parent_run_id:
            parents = _twins(client, experiment.experiment_id, note.parent_key)
            parent_run_id = str(parents[0].info.run_id) if parents else ""
        if parent_run_id:
            tags["mlflow.parentRunId"] = parent_run_id
        run = client.create_run(experiment.experiment_id, start_time=note.started, tags=tags)
        require_own(run, key)
        return str(run.info.run_id), str(experiment.experiment_id), str(experiment.name)


class NoExperiment(StoreUnavailable):
    """The store answered: it does not have the experiment that a run is to go to."""

    answered = True


def _experiment(client: Any, uri: str, note: RunNote) -> Any:
    """Return the experiment a run belongs to, making it when it is new."""
    found = _experiment_by_id(client, note.experiment_id) if note.experiment_id else None
    if found is None and note.experiment_id and not note.experiment:
        found = _experiment_now(client, uri, note.experiment_id)
    if found is None:
        name = note.experiment or "Default"
        found = client.get_experiment_by_name(name)
        if found is None:
            return client.get_experiment(client.create_experiment(name))
    if found.lifecycle_stage == "deleted":
        raise NoExperiment(
            f"Experiment {found.name!r} was deleted in the store.",
            f"Restore it, MlflowClient().restore_experiment({str(found.experiment_id)!r}), "
            "then type %mlsync.",
        )
    return found


def _experiment_by_id(client: Any, experiment_id: str) -> Any:
    try:
        return client.get_experiment(experiment_id)
    except Exception as error:
        if not is_refusal(error):
            raise
        return None


def _experiment_now(client: Any, uri: str, wanted: str) -> Any:
    """Return the experiment that the user set in this store since; its id was another's."""
    active = mlflow().tracking.fluent._active_experiment_id
    here = absolute(str(mlflow().get_tracking_uri())) == absolute(uri)
    found = _experiment_by_id(client, str(active)) if here and active else None
    if found is None or str(active) == wanted:
        raise NoExperiment(
            f"The store has no experiment {wanted}; the id may be another store's.",
            "Type %mlexperiment NAME to say where the run goes, then %mlsync.",
        )
    return found


def _twins(client: Any, experiment_id: str, key: str) -> list[Any]:
    runs = client.search_runs(
        [experiment_id], f"tags.`{RUN_KEY}` = '{key}'", order_by=["attributes.start_time ASC"]
    )
    return [run for run in runs if run.data.tags.get(RUN_KEY) == key]


def require_own(run: Any, key: str) -> None:
    """Raise :class:`NotTheStore` where a run that was asked for is not that of a key.

    Whoever keeps answers, and gives one to somebody else, would have its points in another's run.
    """
    if run.data.tags.get(RUN_KEY) != key:
        raise NotTheStore(
            "The store was asked to make a run, and the answer is another run's "
            "(a proxy that keeps answers may stand before it)."
        )


def entered_own(run: Any, tags: Mapping[str, str]) -> Any:
    """Return the run that MLflow made its active one, if it is that of the tags; else leave it."""
    if RUN_KEY in tags:
        try:
            require_own(run, tags[RUN_KEY])
        except NotTheStore:
            stack().pop()
            raise
    return run


def remove_twins(uri: str, experiment_id: str, key: str, run_id: str) -> None:
    """Delete the empty runs that late answers to repeated creations left behind.

    Parameters
    ----------
    uri, experiment_id : str
        Where they are.
    key : str
        That of the journal they were created for. What was created for another journal is
        that one's to fill, and what has anything in it is nobody's to delete.
    run_id : str
        The run that the journal was sent to.
    """
    with quietly():
        client = client_of(uri)
        for twin in _twins(client, experiment_id, key):
            ours = twin.data.tags.get(JOURNAL, key) == key
            empty = not (twin.data.metrics or twin.data.params)
            if twin.info.run_id != run_id and ours and empty:
                client.delete_run(str(twin.info.run_id))


def kill_if_running(uri: str, run_id: str, ended: int) -> bool:
    """End a run as KILLED when the store still calls it running; say whether it did."""
    with quietly():
        client = client_of(uri)
        if client.get_run(run_id).info.status not in ("RUNNING", "SCHEDULED"):
            return False
        client.set_terminated(run_id, "KILLED", ended)
        return True


def goes_on_as(uri: str, run_id: str, stretch: int) -> None:
    """Say in the store that a run is resumed: the end of an earlier stretch is not its end."""
    with quietly():
        client_of(uri).set_tag(run_id, STRETCHES, str(stretch))


def was_resumed(uri: str, run_id: str, stretch: int) -> bool:
    """Whether a later stretch of a run was opened since one of a number."""
    with quietly():
        said = client_of(uri).get_run(run_id).data.tags.get(STRETCHES, "")
    return said.isdigit() and int(said) > stretch


def resolved_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return tags with those that MLflow itself adds: user, source, type."""
    from mlflow.tracking.context import registry

    found: dict[str, str] = registry.resolve_tags(tags)
    return found
