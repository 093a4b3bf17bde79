"""Records to MLflow calls, in as few calls as MLflow's limits allow."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal.batch_files import lay_out
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import (
    Artifact,
    Call,
    Dataset,
    LoggedModel,
    Metric,
    Notice,
    Param,
    Record,
    Refused,
    Replaces,
    Tag,
)
from cvtrack_magics.store import deferred
from cvtrack_magics.store.asking import said_by
from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.deferred import Point
from cvtrack_magics.store.file_writer import FileWriter
from cvtrack_magics.store.isolating import (
    Doubts,
    RunNotThere,
    Sieve,
    can_be_the_items,
    require_open,
)

__all__ = ["Doubts", "FilesHeld", "Point", "end_run", "write", "write_points"]

T = TypeVar("T")

PARAMS_PER_CALL = 100
TAGS_PER_CALL = 100
METRICS_PER_CALL = 1000
PARAM_LENGTH = 500  # the limit of MLflow 2.4; newer ones take 6,000
TAG_LENGTH = 5000
DIGEST_LENGTH = 36


class FilesHeld(StoreUnavailable):
    """All was written but some files, which the store does not take at this moment.

    Its folder may be full, or the credentials for its bucket missing, while params, metrics
    and tags go through. ``notices`` are what :func:`write` would have returned.
    """

    def __init__(self, error: Exception, notices: list[Notice]) -> None:
        super().__init__(
            f"The store takes no files now: {said_by(error)}.",
            "See that there is room, and a right to write.",
        )
        self.notices = notices


def write_points(
    client: Any, run_id: str, points: Iterable[Point], doubts: Doubts | None = None
) -> list[Notice]:
    """Write points, 1,000 in one call; writing them again changes nothing.

    Returns
    -------
    list of Notice
        A :class:`~cvtrack_magics.records.Refused` for each point that the store will never
        take, found by halving. A store that cannot be reached, or is in trouble, raises.
    """
    metric = mlflow().entities.Metric
    sieve = Sieve(
        client,
        run_id,
        "point",
        send=lambda batch: client.log_batch(run_id, metrics=batch),
        describe=_describe_metric,
        doubts=doubts or Doubts(),
    )
    every = [metric(safe_key(name), value, time, step) for name, value, time, step in points]
    notices: list[Notice] = []
    for batch in _slices(every, METRICS_PER_CALL):
        notices += sieve.write(batch)
    return notices


def end_run(client: Any, run_id: str, outcome: str, ended: int) -> None:
    """Write a run's status and its end (Unix milliseconds), and nothing else.

    ``set_terminated`` would also wait for what the user's own calls have queued.
    """
    from mlflow.entities import RunStatus

    store = getattr(client._tracking_client, "store", None)
    try:
        if store is None:
            client.set_terminated(run_id, outcome, ended)
        else:
            store.update_run_info(run_id, RunStatus.from_string(outcome), ended, None)
    except Exception as error:
        if can_be_the_items(error):
            require_open(client, run_id)
        raise


def write(
    client: Any,
    run_id: str,
    records: Iterable[Record],
    folders: Iterable[Path] = (),
    doubts: Doubts | None = None,
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
    doubts : Doubts, optional
        What is remembered of earlier tries.

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
    writing = _Writing(client, run_id, doubts or Doubts())
    for item in _of(items, Replaces):
        with suppress(Exception):  # the replaced run may have been deleted meanwhile
            client.set_tag(item.run_id, "cvtrack.replaced_by", run_id)
    for is_call, group in groupby(items, lambda item: isinstance(item, Call)):
        some = list(group)
        notices += writing.calls(_of(some, Call)) if is_call else writing.values(some)
    models = _of(items, LoggedModel)
    files = FileWriter(client, run_id, writing.doubts)
    notices += files.models([model for model in models if not model.is_final])
    ended = [model for model in models if model.is_final]
    held: Exception | None = None
    uploads: list[Callable[[], list[Refused]]] = [
        partial(_from_memory, files, _of(items, Artifact), ended)
    ]
    uploads += [partial(files.folder, folder, ended) for folder in folders]
    uploads += [partial(files.models, ended)]  # those without files
    for upload in uploads:
        try:
            notices += upload()
        except RunNotThere:
            raise
        except Exception as error:
            held = held or error
    if held is not None:
        raise FilesHeld(held, notices) from held
    return notices


class _Writing:
    """Writes records of each kind to one run."""

    def __init__(self, client: Any, run_id: str, doubts: Doubts) -> None:
        self._client = client
        self._run_id = run_id
        self.doubts = doubts

    def _sieve(self, kind: str, send: Callable[[Any], object], describe: Any) -> Sieve[Any]:
        return Sieve(
            self._client, self._run_id, kind, send=send, describe=describe, doubts=self.doubts
        )

    def calls(self, calls: Sequence[Call]) -> list[Refused]:
        """Make calls in their order, each alone."""
        sieve = self._sieve(
            "call",
            lambda some: deferred.perform(self._client, self._run_id, some[0]),
            lambda call: (call.name, {"arguments": dict(call.arguments)}),
        )
        return [refused for call in calls for refused in sieve.write([call])]

    def values(self, items: Sequence[Record]) -> list[Refused]:
        """Write params, tags, metrics and data sets."""
        batches = _batches(
            _last_of_each(_of(items, Param)), _last_of_each(_of(items, Tag)), _of(items, Metric)
        )
        found: list[Refused] = []
        for batch in batches:
            try:
                self._client.log_batch(self._run_id, **batch)
            except Exception as error:
                if not can_be_the_items(error):
                    raise
                found += self._kind_by_kind(batch)
        datasets = [_dataset_input(dataset) for dataset in _of(items, Dataset)]
        if datasets:
            found += self._sieve(
                "data set",
                lambda some: self._client.log_inputs(self._run_id, datasets=some),
                lambda item: (item.dataset.name, {"digest": item.dataset.digest}),
            ).write(datasets)
        return found

    def _kind_by_kind(self, batch: dict[str, Sequence[Any]]) -> list[Refused]:
        found: list[Refused] = []
        for name, kind in (("metrics", "point"), ("tags", "tag"), ("params", "param")):
            if batch[name]:
                describe = _describe_metric if name == "metrics" else _describe_text
                send = partial(self._send_texts, name) if name != "metrics" else self._send_metrics
                found += self._sieve(kind, send, describe).write(batch[name])
        return found

    def _send_metrics(self, some: Sequence[Any]) -> None:
        self._client.log_batch(self._run_id, metrics=some)

    def _send_texts(self, name: str, some: Sequence[Any]) -> None:
        """Send params or tags; one that is too long for an older store is cut for it."""
        limit = PARAM_LENGTH if name == "params" else TAG_LENGTH
        try:
            self._client.log_batch(self._run_id, **{name: some})
        except Exception:
            if len(some) > 1 or len(some[0].value) <= limit:
                raise
            cut = type(some[0])(some[0].key, some[0].value[:limit])
            self._client.log_batch(self._run_id, **{name: [cut]})


def _from_memory(
    files: FileWriter, artifacts: Sequence[Artifact], models: Sequence[LoggedModel]
) -> list[Refused]:
    """Upload files that are in memory."""
    if not artifacts:
        return []
    with tempfile.TemporaryDirectory(prefix="cvtrack-") as folder:
        lay_out(artifacts, Path(folder))
        return files.folder(Path(folder), models)


def _describe_metric(item: Any) -> tuple[str, dict[str, object]]:
    content = {"value": repr(item.value), "step": item.step, "timestamp": item.timestamp}
    return str(item.key), content


def _describe_text(item: Any) -> tuple[str, dict[str, object]]:
    return str(item.key), {"value": str(item.value)}


def _of(items: Iterable[Record], kind: type[T]) -> list[T]:
    return [item for item in items if isinstance(item, kind)]


def _slices(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def _batches(
    params: Sequence[Param], tags: Sequence[Tag], metrics: Sequence[Metric]
) -> list[dict[str, Sequence[Any]]]:
    """Lay params, tags and metrics into as few calls as MLflow's limits allow."""
    entities = mlflow().entities
    longest = longest_value("PARAM", PARAM_LENGTH), longest_value("TAG", TAG_LENGTH)
    param_batches = _slices(
        [entities.Param(safe_key(p.key), p.value[: longest[0]]) for p in params],
        PARAMS_PER_CALL,
    )
    tag_batches = _slices(
        [entities.RunTag(safe_key(t.key), t.value[: longest[1]]) for t in tags],
        TAGS_PER_CALL,
    )
    metric_batches = _slices(
        [deferred.metric_entity(metric) for metric in metrics],
        METRICS_PER_CALL - PARAMS_PER_CALL - TAGS_PER_CALL if params or tags else METRICS_PER_CALL,
    )
    kinds = {"metrics": metric_batches, "params": param_batches, "tags": tag_batches}
    return [
        {name: batches[i] if i < len(batches) else () for name, batches in kinds.items()}
        for i in range(max(map(len, kinds.values())))
    ]


def longest_value(kind: str, least: int) -> int:
    """Return how long a value of a param or a tag may be, as this MLflow says."""
    from mlflow.utils import validation

    return max(least, int(getattr(validation, f"MAX_{kind}_VAL_LENGTH", least)))


def _last_of_each(items: Sequence[T]) -> list[T]:
    """Keep the last item of each key, for a key may stand only once in a batch."""
    return list({item.key: item for item in items}.values())  # type: ignore[attr-defined]


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
