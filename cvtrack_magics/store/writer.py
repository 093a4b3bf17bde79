"""Records to MLflow calls, in as few calls as MLflow's limits allow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal.facts import lay_out
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import (
    Artifact,
    Dataset,
    Metric,
    Notice,
    Param,
    Record,
    Replaces,
    Tag,
)
from cvtrack_magics.redact import in_one_line
from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.refusals import is_refusal

T = TypeVar("T")

PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100
METRICS_PER_CALL = 1000
PARAM_LENGTH = 500  # the limit of MLflow 2.4; newer ones take 6,000
TAG_LENGTH = 5000
DIGEST_LENGTH = 36


Point: TypeAlias = tuple[str, float, int, int]
"""Name, value, Unix milliseconds, step."""


class FilesHeld(StoreUnavailable):
    """All was written but some files, which the store does not take at this moment.

    Its folder may be full, or the credentials for its bucket missing, while params, metrics
    and tags go through. ``notices`` are what :func:`write` would have returned.
    """

    def __init__(self, error: Exception, notices: list[Notice]) -> None:
        super().__init__(
            f"The store takes no files now: {in_one_line(error)}.",
            "See that there is room, and a right to write.",
        )
        self.notices = notices


def write_points(client: Any, run_id: str, points: Iterable[Point]) -> list[Notice]:
    """Write points, 1,000 in one call; writing them again changes nothing."""
    metric = mlflow().entities.Metric
    notices = []
    every = [metric(safe_key(name), value, time, step) for name, value, time, step in points]
    for batch in _slices(every, METRICS_PER_CALL):
        try:
            client.log_batch(run_id, metrics=batch)
        except Exception as error:
            if not is_refusal(error):
                raise
            notices.append(Notice(f"The store refused {len(batch)} points: {in_one_line(error)}"))
    return notices


def write(
    client: Any, run_id: str, records: Iterable[Record], folders: Iterable[Path] = ()
) -> list[Notice]:
    """Write records to a run.

    Parameters
    ----------
    client : mlflow.MlflowClient
        The client of the run's store.
    run_id : str
        The run to write to.
    records : iterable of Record
        In any order and number.
    folders : iterable of Path
        What is in them becomes artifacts of the run, at the same places.

    Returns
    -------
    list of Notice
        What the store refused, one line each. A store that cannot be reached raises.

    Raises
    ------
    FilesHeld
        All but files was written.
    """
    items = list(records)
    notices = [item for item in items if isinstance(item, Notice)]

    def write_batches() -> None:
        notices.extend(
            _write_batches(
                client,
                run_id,
                params=_of(items, Param),
                tags=_of(items, Tag),
                metrics=_of(items, Metric),
            )
        )

    parts: list[tuple[str, Callable[[], None]]] = [
        ("params, tags and metrics", write_batches),
        ("datasets", lambda: _write_datasets(client, run_id, _of(items, Dataset))),
        ("artifacts", lambda: _write_artifacts(client, run_id, _of(items, Artifact))),
    ]
    for folder in folders:
        parts.append(("artifacts", partial(_upload, client, run_id, folder)))
    for item in _of(items, Replaces):
        with suppress(Exception):  # the replaced run may have been deleted meanwhile
            client.set_tag(item.run_id, "cvtrack.replaced_by", run_id)
    held: Exception | None = None
    for what, perform in parts:
        try:
            perform()
        except Exception as error:
            if is_refusal(error):
                notices.append(Notice(f"The store refused {what}: {in_one_line(error)}"))
            elif what == "artifacts":
                held = held or error
            else:
                raise
    if held is not None:
        raise FilesHeld(held, notices) from held
    return notices


def _of(items: Iterable[Record], kind: type[T]) -> list[T]:
    return [item for item in items if isinstance(item, kind)]


def _slices(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def _write_batches(
    client: Any,
    run_id: str,
    params: Sequence[Param],
    tags: Sequence[Tag],
    metrics: Sequence[Metric],
) -> list[Notice]:
    entities = mlflow().entities
    param_batches = _slices(
        [entities.Param(safe_key(p.key), p.value[:PARAM_LENGTH]) for p in _last_of_each(params)],
        PARAMS_PER_CALL,
    )
    tag_batches = _slices(
        [entities.RunTag(safe_key(t.key), t.value[:TAG_LENGTH]) for t in _last_of_each(tags)],
        TAGS_PER_CALL,
    )
    metric_batches = _slices(
        [entities.Metric(safe_key(m.key), m.value, m.timestamp, m.step) for m in metrics],
        METRICS_PER_CALL - PARAMS_PER_CALL - TAGS_PER_CALL if params or tags else METRICS_PER_CALL,
    )
    notices = []
    for i in range(max(len(param_batches), len(tag_batches), len(metric_batches))):
        batch = {
            "metrics": metric_batches[i] if i < len(metric_batches) else (),
            "params": param_batches[i] if i < len(param_batches) else (),
            "tags": tag_batches[i] if i < len(tag_batches) else (),
        }
        try:
            client.log_batch(run_id, **batch)
        except mlflow().exceptions.MlflowException as error:
            if not batch["params"] or "param" not in str(error).lower():
                raise
            client.log_batch(run_id, metrics=batch["metrics"], tags=batch["tags"])
            notices += _write_params_singly(client, run_id, batch["params"])
    return notices


def _last_of_each(items: Sequence[T]) -> list[T]:
    """Keep the last item of each key, for a key may stand only once in a batch."""
    return list({item.key: item for item in items}.values())  # type: ignore[attr-defined]


def _write_params_singly(client: Any, run_id: str, params: Iterable[Any]) -> list[Notice]:
    notices = []
    for param in params:
        try:
            client.log_param(run_id, param.key, param.value)
        except mlflow().exceptions.MlflowException as error:
            reason = str(error).split("\n", 1)[0][:200]
            notices.append(Notice(f"Param {param.key!r} was not recorded: {reason}"))
    return notices


def _write_datasets(client: Any, run_id: str, datasets: Sequence[Dataset]) -> None:
    if not datasets:
        return
    client.log_inputs(run_id, datasets=[_dataset_input(dataset) for dataset in datasets])


def _dataset_input(dataset: Dataset) -> Any:
    entities = mlflow().entities
    profile = {"sha256": dataset.digest, **dataset.profile}
    return entities.DatasetInput(
        dataset=entities.Dataset(
            name=dataset.name[:500],
            digest=dataset.digest[:DIGEST_LENGTH],
            source_type="code" if not dataset.source else "local",
            source=json.dumps({"uri": dataset.source}),
            schema=json.dumps(dataset.schema, default=str),
            profile=json.dumps(profile, default=str),
        ),
        tags=[entities.InputTag("mlflow.data.context", dataset.context)],
    )


def _write_artifacts(client: Any, run_id: str, artifacts: Sequence[Artifact]) -> None:
    if not artifacts:
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        lay_out(artifacts, Path(folder))
        client.log_artifacts(run_id, folder)


def _upload(client: Any, run_id: str, folder: Path) -> None:
    if folder.is_dir():
        client.log_artifacts(run_id, str(folder))
