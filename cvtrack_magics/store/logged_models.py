"""The logged models of a run: found by a key of ours, made once, and brought to their end.

MLflow 3 gives a model a place of its own, a status and metrics. A store of before has none of
it, which every function here says by None: the model is then a folder of the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.names import safe_key
from cvtrack_magics.records import LoggedModel, Metric
from cvtrack_magics.store.alone import alone
from cvtrack_magics.store.client import client_of, mlflow, quietly
from cvtrack_magics.store.deferred import metric_entity
from cvtrack_magics.store.error_kinds import is_refusal, is_unknown_call
from cvtrack_magics.store.pages import pages

KEY_TAG = "cvtrack.model_key"
"""Tag by which a model is found again when the store's answer to its creation was lost."""
FOLDER_TAG = "cvtrack.folder"
"""Tag of a model and of its versions: the folder of the run that its files stand for."""
WHY_TAG = "cvtrack.why"
"""Tag of a model that failed: what was not as it should be."""
CUT_OFF = "What made it ended before it was done."
_ENDED = ("READY", "FAILED")
_PAGE = 50


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A logged model as the store has it; ``created`` is Unix time in milliseconds."""

    model_id: str
    key: str
    folder: str
    status: str
    location: str
    created: int = 0


def are_known() -> bool:
    """Whether the installed MLflow has logged models."""
    return hasattr(mlflow().MlflowClient, "create_logged_model")


def models_of(client: Any, run_id: str) -> list[StoredModel] | None:
    """Return the logged models of a run, the newest first; None where there can be none."""
    if not are_known():
        return None
    try:
        experiment = str(client.get_run(run_id).info.experiment_id)
        return [_stored(model) for model in made_by(client, experiment, run_id)]
    except Exception as error:
        if is_unknown_call(error):  # a server of before
            return None
        raise


def made_by(client: Any, experiment: str, run_id: str) -> Iterator[Any]:
    """Go through MLflow's own models of a run, the newest first."""

    def ask(**page: Any) -> Any:
        wanted = f"source_run_id = '{run_id}'"
        return client.search_logged_models(
            experiment_ids=[experiment], filter_string=wanted, **page
        )

    return (model for model in pages(ask, _PAGE) if model.source_run_id == run_id)


def _stored(model: Any) -> StoredModel:
    tags = dict(model.tags or {})
    return StoredModel(
        model_id=str(model.model_id),
        key=str(tags.get(KEY_TAG, "")),
        folder=str(tags.get(FOLDER_TAG) or model.name),
        status=str(getattr(model.status, "value", model.status)),
        location=str(model.artifact_location or "").rstrip("/"),
        created=int(model.creation_timestamp or 0),
    )


def by_folder(models: Sequence[StoredModel]) -> dict[str, StoredModel]:
    """Return the model that each folder of a run stands for: the newest that holds, if any."""
    ranked = sorted(models, key=lambda model: (model.status == "READY", model.created))
    return {model.folder: model for model in ranked if model.status != "PENDING"}


def begin(client: Any, run_id: str, record: LoggedModel) -> StoredModel | None:
    """Return the model that a record describes, which is made where there is none, and linked."""
    # the kernel may write it while the process that sends the run's journal comes to it
    with alone(f"model {record.key}"):
        found = models_of(client, run_id)
        if found is None:
            return None
        mine = _the_one(found, record.key) or _created(client, run_id, record)
        link(client, run_id, [(mine.model_id, record.step)])
    metrics = [_linked(metric, mine.model_id) for metric in record.metrics]
    if metrics:
        client.log_batch(run_id, metrics=metrics)
    return mine


def _the_one(models: Sequence[StoredModel], key: str) -> StoredModel | None:
    """Return the model of a key: the one that came to its end, else the first."""
    mine = [model for model in models if model.key == key]
    return min(mine, key=lambda m: (m.status not in _ENDED, m.created, m.model_id), default=None)


def _created(client: Any, run_id: str, record: LoggedModel) -> StoredModel:
    run = client.get_run(run_id)
    return _stored(
        client.create_logged_model(
            str(run.info.experiment_id),
            # a name has neither slash nor dot, colon nor quote
            name="".join(c if c.isalnum() or c in "-_" else "_" for c in record.folder),
            source_run_id=run_id,
            tags={
                **_whence(run.data.tags),
                **record.tags,
                KEY_TAG: record.key,
                FOLDER_TAG: record.folder,
            },
            params={**record.params, **run.data.params},
            model_type=record.kind or None,
        )
    )


def _whence(tags: Mapping[str, str]) -> dict[str, str]:
    """Return who made a run, and of what: MLflow's page shows it of each of its models."""
    said = {key: value for key, value in tags.items() if key.startswith("mlflow.source.")}
    return {**said, **{key: value for key, value in tags.items() if key == "mlflow.user"}}


def _linked(metric: Metric, model_id: str) -> Any:
    return metric_entity(
        Metric(
            safe_key(metric.key),
            metric.value,
            metric.step,
            metric.timestamp,
            model_id,
            metric.dataset_name,
            metric.dataset_digest,
        )
    )


def link(client: Any, run_id: str, models: Sequence[tuple[str, int]]) -> None:
    """Say that a run gave models, each at a step; the store takes each of them once only."""
    outputs = getattr(client.get_run(run_id), "outputs", None)
    there = {str(item.model_id) for item in getattr(outputs, "model_outputs", None) or ()}
    fresh = [(model_id, step) for model_id, step in models if model_id not in there]
    if fresh:
        output = mlflow().entities.LoggedModelOutput
        client.log_outputs(run_id, models=[output(model_id=m, step=step) for m, step in fresh])


def upload(client: Any, model: StoredModel, folder: Path) -> None:
    """Write a folder's files as those of a model."""
    client.log_model_artifacts(model.model_id, str(folder))


def finish(client: Any, run_id: str, model: StoredModel, record: LoggedModel) -> None:
    """Give a model its tags and its status, and delete what late answers left beside it."""
    # where its files are may have been known only once they were there
    tags = {**record.tags, FOLDER_TAG: record.folder}
    client.set_logged_model_tags(model.model_id, tags)
    client.finalize_logged_model(model.model_id, record.status)
    for twin in models_of(client, run_id) or ():
        if twin.key == record.key and twin.model_id != model.model_id and twin.status == "PENDING":
            client.delete_logged_model(twin.model_id)


def fail_pending(uri: str, run_id: str, keys: Collection[str]) -> None:
    """Bring the models of keys that were begun and never came to an end to theirs: FAILED.

    A run that is gone has none.
    """
    with quietly():
        client = client_of(uri)
        try:
            found = models_of(client, run_id) or []
        except Exception as error:
            if not is_refusal(error):
                raise
            return
        for model in found:
            if model.key in keys and model.status == "PENDING":
                client.set_logged_model_tags(model.model_id, {WHY_TAG: CUT_OFF})
                client.finalize_logged_model(model.model_id, "FAILED")
