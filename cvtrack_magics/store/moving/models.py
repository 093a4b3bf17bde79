"""Copies the logged models of a run: MLflow 3 keeps each in a place of its own."""

from __future__ import annotations

from typing import Any

from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.error_kinds import is_unknown_call
from cvtrack_magics.store.logged_models import are_known, made_by
from cvtrack_magics.store.moving import files
from cvtrack_magics.store.moving.state import FROM, Ways


def found_in(client: Any, experiment: str, run_id: str) -> list[Any]:
    """Return a run's models, whole; none of a store that knows none."""
    if not are_known():
        return []
    try:
        return list(made_by(client, experiment, run_id))[::-1]  # the oldest first
    except Exception as error:
        if is_unknown_call(error):
            return []
        raise


def copy_models(ways: Ways, run: Any, experiment: str, new: str) -> tuple[int, list[str]]:
    """Copy the models that a run made, or what is missing; return what ``files.copy`` does."""
    written, lost = 0, list[str]()
    models = found_in(ways.source, run.info.experiment_id, run.info.run_id)
    there = {
        model.tags.get(FROM): model
        for model in (found_in(ways.target, experiment, new) if models else [])
    }
    for model in models:
        mine = there.get(model.model_id) or _made(ways, model, experiment, new)
        ways.ids[model.model_id] = mine.model_id
        some, lines = files.copy(
            files.of_model(ways.source, model.model_id),
            files.of_model(ways.target, mine.model_id),
            is_new=model.model_id not in there,
        )
        written, lost = written + some, lost + lines
        _copy_metrics(ways, model, mine, new)
        status = str(getattr(model.status, "value", model.status))
        if status in ("READY", "FAILED") and str(getattr(mine.status, "value", "")) != status:
            ways.target.finalize_logged_model(mine.model_id, status)
    _link(ways, run, new)
    return written, lost


def _made(ways: Ways, model: Any, experiment: str, new: str) -> Any:
    tags = {k: ways.in_words(v) for k, v in model.tags.items() if not k.startswith("mlflow.")}
    return ways.target.create_logged_model(
        experiment,
        name=model.name,
        source_run_id=new,
        tags={**tags, FROM: model.model_id},
        params=dict(model.params or {}),
        model_type=model.model_type or None,
    )


def _copy_metrics(ways: Ways, model: Any, mine: Any, new: str) -> None:
    """Say of which model a figure is; as a point of the run it is there already."""
    entities = mlflow().entities
    metrics = [
        entities.Metric(
            *(one.key, one.value, one.timestamp, one.step),
            model_id=mine.model_id,
            dataset_name=one.dataset_name,
            dataset_digest=one.dataset_digest,
            run_id=new,
        )
        for one in model.metrics or []
        if one.run_id in (None, model.source_run_id)
    ]
    there = {(one.key, one.step, one.timestamp) for one in mine.metrics or []}
    missing = [one for one in metrics if (one.key, one.step, one.timestamp) not in there]
    if missing:
        ways.target.log_batch(new, metrics=missing)


def _link(ways: Ways, run: Any, new: str) -> None:
    """Say which models a run gave, at which steps."""
    outputs = getattr(getattr(run, "outputs", None), "model_outputs", None) or []
    wanted = {(ways.ids[o.model_id], int(o.step)) for o in outputs if o.model_id in ways.ids}
    if not wanted:
        return
    found = getattr(ways.target.get_run(new).outputs, "model_outputs", None) or []
    missing = sorted(wanted - {(one.model_id, int(one.step)) for one in found})
    if missing:
        entity = mlflow().entities.LoggedModelOutput
        ways.target.log_outputs(new, [entity(model_id=m, step=step) for m, step in missing])
