"""MLflow's calls that are written down now and made later: to JSON, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Call, Metric
from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.notes import describe_run, name_primary_metric

Point: TypeAlias = tuple[str, float, int, int]
"""Name, value, Unix milliseconds, step."""

DESCRIBE, PRIMARY_METRIC = "describe_run", "name_primary_metric"
LINKS = ("model_id", "dataset_name", "dataset_digest")


def perform(client: Any, run_id: str, call: Call) -> None:
    """Make a call on a run; a kind that this version does not know is passed over."""
    make = _MADE.get(call.name)
    if make is not None:
        make(client, run_id, dict(call.arguments))


def metric_entity(metric: Metric) -> Any:
    """Return a metric as MLflow's, with what it is linked to where this MLflow knows that."""
    links = {name: getattr(metric, name) for name in LINKS if getattr(metric, name)}
    plain = (safe_key(metric.key), metric.value, metric.timestamp, metric.step)
    try:
        return mlflow().entities.Metric(*plain, **links)
    except TypeError:  # MLflow before 3
        return mlflow().entities.Metric(*plain)


def inputs_call(datasets: Sequence[Any], models: Sequence[Any]) -> Call:
    """Return ``log_inputs`` as a call that can be written down."""
    return Call(
        "log_inputs",
        {
            "datasets": [_dataset_input(item) for item in datasets or ()],
            "models": [str(item.model_id) for item in models or ()],
        },
    )


def outputs_call(models: Sequence[Any]) -> Call:
    """Return ``log_outputs`` as a call that can be written down."""
    return Call(
        "log_outputs",
        {"models": [[str(m.model_id), int(getattr(m, "step", 0) or 0)] for m in models or ()]},
    )


def _dataset_input(item: Any) -> dict[str, Any]:
    data = item.dataset
    names = ("name", "digest", "source_type", "source", "schema", "profile")
    return {
        "dataset": {name: getattr(data, name, None) for name in names},
        "tags": [[str(tag.key), str(tag.value)] for tag in item.tags or ()],
    }


def _log_inputs(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    entities = mlflow().entities
    datasets = [
        entities.DatasetInput(
            entities.Dataset(**item["dataset"]),
            [entities.InputTag(key, value) for key, value in item["tags"]],
        )
        for item in arguments["datasets"]
    ]
    models = [entities.LoggedModelInput(model_id=key) for key in arguments["models"]]
    if models:
        client.log_inputs(run_id, datasets=datasets, models=models)
    else:
        client.log_inputs(run_id, datasets=datasets)


def _log_outputs(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    from cvtrack_magics.store.logged_models import link

    link(client, run_id, [(str(key), int(step)) for key, step in arguments["models"]])


def _delete_tag(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    key = str(arguments["key"])
    try:
        client.delete_tag(run_id, key)
    except Exception:
        run = client.get_run(run_id)
        if key in run.data.tags or run.info.lifecycle_stage != "active":
            raise  # else it is gone already: a call may be made twice


def _update_run(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    client.update_run(run_id, **arguments)


def _link_traces(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    client.link_traces_to_run(list(arguments["trace_ids"]), run_id)


def _unlink_traces(client: Any, run_id: str, arguments: Mapping[str, Any]) -> None:
    client.unlink_traces_from_run(list(arguments["trace_ids"]), run_id)


_MADE: dict[str, Callable[[Any, str, Mapping[str, Any]], None]] = {
    DESCRIBE: describe_run,
    PRIMARY_METRIC: name_primary_metric,
    "delete_tag": _delete_tag,
    "log_inputs": _log_inputs,
    "log_outputs": _log_outputs,
    "update_run": _update_run,
    "link_traces_to_run": _link_traces,
    "unlink_traces_from_run": _unlink_traces,
}
