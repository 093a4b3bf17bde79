"""Copies a run: its params, points, tags, inputs, files and models, and that it has ended."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store.client import mlflow
from cvtrack_magics.store.moving import files
from cvtrack_magics.store.moving.models import copy_models
from cvtrack_magics.store.moving.state import DONE, FROM, OURS, MovedRun, Ways
from cvtrack_magics.store.writer import METRICS_PER_CALL, PARAMS_PER_CALL, TAGS_PER_CALL

T = TypeVar("T")
Row = tuple[str, str, int, int]
"""A point as it can be compared: key, value, time in ms, step."""
_PARENT = "mlflow.parentRunId"
_LARGEST = 1.7976931348623157e308  # what a database has in the place of infinity


def parents_first(runs: list[Any]) -> list[Any]:
    """Return runs in an order in which none comes before the run that it is nested in."""
    known = {run.info.run_id: run for run in runs}
    done: dict[str, Any] = {}
    for run in sorted(runs, key=lambda one: (one.info.start_time or 0, one.info.run_id)):
        above: list[Any] = []
        one: Any = run
        while one is not None and one.info.run_id not in done and one not in above:
            above.append(one)
            one = known.get(one.data.tags.get(_PARENT, ""))
        done.update((one.info.run_id, one) for one in reversed(above))
    return list(done.values())


def digest_of(run: Any) -> str:
    """Return a digest of what a listing says of a run: it is another one after each change."""
    data = run.data
    said = [
        *(run.info.status, run.info.end_time, run.info.run_name, sorted(data.params.items())),
        sorted((k, v) for k, v in data.tags.items() if k not in OURS),
        sorted((k, repr(float(v))) for k, v in data.metrics.items()),
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def copy_run(ways: Ways, run: Any, experiment: Any, there: Any) -> MovedRun:
    """Copy one run, or what is missing of it.

    Parameters
    ----------
    ways : Ways
        The stores.
    run : mlflow.entities.Run
        As the source lists it.
    experiment : mlflow.entities.Experiment
        The target's.
    there : mlflow.entities.Run or None
        The run that was made of it before.

    Raises
    ------
    StoreUnavailable
        What was written is not what the target then has.
    """
    old, name = run.info.run_id, str(run.info.run_name or "")
    said = (name, experiment.name, old)
    if there is not None:
        ways.ids[old] = there.info.run_id
        if there.data.tags.get(DONE) == digest_of(run):
            return MovedRun(*said, there.info.run_id, run.info.status, was_there=True)
    else:
        made = ways.target.create_run(
            experiment.experiment_id,
            start_time=run.info.start_time,
            tags={**_tags(ways, run), FROM: old},
            run_name=name or None,
        )
        ways.ids[old] = made.info.run_id
    new = ways.ids[old]
    _copy_params(ways, run, new)
    points = _copy_points(ways, old, new, sorted(run.data.metrics), is_new=there is None)
    _copy_inputs(ways, run, new)
    written, lost = files.copy(
        files.of_run(ways.source, old), files.of_run(ways.target, new), is_new=there is None
    )
    more, lost_of_models = copy_models(ways, run, experiment.experiment_id, new)
    written, lost = written + more, lost + lost_of_models
    # a tag may name a model of the run
    _write_tags(ways, new, _tags(ways, run))
    if run.info.status != "RUNNING":
        ways.target.set_terminated(new, run.info.status, run.info.end_time)
    if lost:
        ways.moved.left += [f"file {line} of run {name!r} ({old})" for line in lost]
    else:
        ways.target.set_tag(new, DONE, digest_of(run))
    return MovedRun(*said, new, run.info.status, points, written, was_there=there is not None)


def _tags(ways: Ways, run: Any) -> dict[str, str]:
    return {key: ways.in_words(value) for key, value in run.data.tags.items() if key not in OURS}


def _write_tags(ways: Ways, new: str, tags: dict[str, str]) -> None:
    entities = mlflow().entities
    for some in _parts(tags.items(), TAGS_PER_CALL):
        ways.target.log_batch(new, tags=[entities.RunTag(key, value) for key, value in some])


def _copy_params(ways: Ways, run: Any, new: str) -> None:
    entities = mlflow().entities
    for some in _parts(run.data.params.items(), PARAMS_PER_CALL):
        ways.target.log_batch(new, params=[entities.Param(key, value) for key, value in some])


def _copy_points(ways: Ways, old: str, new: str, keys: Iterable[str], *, is_new: bool) -> int:
    """Write the points that are not there; see that all are there then, each as often as here."""
    entities, written = mlflow().entities, 0
    for key in keys:
        wanted = _points(ways.source, old, key)
        there = {} if is_new else _points(ways.target, new, key)
        missing = [wanted[row] for row in wanted if row not in there]
        for some in _parts(missing, METRICS_PER_CALL):
            metrics = [entities.Metric(key, p.value, p.timestamp, p.step) for p in some]
            ways.target.log_batch(new, metrics=metrics)
        written += len(missing)
        lost = wanted.keys() - _points(ways.target, new, key).keys() if missing else set()
        if lost:
            raise StoreUnavailable(
                f"{len(lost)} of {len(wanted)} points of {key!r} are not there after they were "
                "written.",
                "Type the same line again.",
            )
    return written


def _points(client: Any, run_id: str, key: str) -> dict[Row, Any]:
    """Return the points of a metric, each once: no database keeps one that is there already."""
    return {_row(point): point for point in client.get_metric_history(run_id, key)}


def _row(point: Any) -> Row:
    value = float(point.value) + 0.0  # no database knows -0.0 from 0.0
    if math.isinf(value):
        value = math.copysign(_LARGEST, value)
    return str(point.key), repr(value), int(point.timestamp), int(point.step)


def _copy_inputs(ways: Ways, run: Any, new: str) -> None:
    inputs = getattr(getattr(run, "inputs", None), "dataset_inputs", None) or []
    if not inputs:
        return
    found = ways.target.get_run(new).inputs.dataset_inputs
    there = Counter((one.dataset.name, one.dataset.digest) for one in found)
    missing = [one for one in inputs if (one.dataset.name, one.dataset.digest) not in there]
    if missing:
        ways.target.log_inputs(new, missing)


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    ahead = iter(items)
    while some := list(islice(ahead, size)):
        yield some
