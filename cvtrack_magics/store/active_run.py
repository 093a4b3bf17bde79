"""What MLflow's own functions take for the active run, in this thread."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from cvtrack_magics.records import Notice, Outcome
from cvtrack_magics.store.client import client_of, mlflow, quietly
from cvtrack_magics.store.detours import stack
from cvtrack_magics.store.tracking import OpenRun


def foreign_run(ours: Iterable[str]) -> tuple[str, str] | None:
    """Return (name, id) of an active run that somebody else opened, if there is one."""
    run = mlflow().active_run()
    if run is None or run.info.run_id in set(ours):
        return None
    return str(run.info.run_name or ""), str(run.info.run_id)


def enter_local(run: OpenRun, artifacts: str) -> None:
    """Make a run that only exists on disk the active one."""
    stack().append(mlflow().ActiveRun(local_entity(run, artifacts, {}, {}, {})))


def local_entity(
    run: OpenRun,
    artifacts: str,
    params: dict[str, str],
    tags: dict[str, str],
    metrics: dict[str, float],
) -> Any:
    """Return MLflow's picture of a run that only exists on disk."""
    entities = mlflow().entities
    known = {
        "run_uuid": run.run_id,
        "run_id": run.run_id,
        "experiment_id": run.experiment_id or "0",
        "user_id": "",
        "status": "RUNNING",
        "start_time": run.started,
        "end_time": None,
        "lifecycle_stage": "active",
        "artifact_uri": artifacts,
        "run_name": run.name,
    }
    wanted = inspect.signature(entities.RunInfo.__init__).parameters
    info = entities.RunInfo(**{key: value for key, value in known.items() if key in wanted})
    data = entities.RunData(
        metrics=[entities.Metric(key, value, 0, 0) for key, value in metrics.items()],
        params=[entities.Param(key, value) for key, value in params.items()],
        tags=[entities.RunTag(key, value) for key, value in tags.items()],
    )
    return entities.Run(info, data)


def metric_entities(name: str, series: Any) -> list[Any]:
    """Return points as MLflow's; ``series`` has steps, values and times (Unix seconds)."""
    metric = mlflow().entities.Metric
    columns = zip(series.steps, series.values, series.times, strict=True)
    return [metric(name, value, int(at * 1000), step) for step, value, at in columns]


def leave_run(
    run: OpenRun, outcome: Outcome, beside: Iterable[str] = (), strays: Iterable[Any] = ()
) -> list[Notice]:
    """Take a run off MLflow's stack in this thread, with all that lies above it.

    What lies above a run that stands ``beside`` it, of another task of this thread, stays. The
    run's own ending is written later; this one only sets what MLflow's fluent
    functions take for the active run. ``strays`` are runs that threads left open.
    """
    fluent = mlflow().tracking.fluent
    left_open: list[Any] = []
    active = stack()
    said = [Notice(_ended(run, info, outcome)) for info in strays]
    if run.run_id not in [entry.info.run_id for entry in active]:
        return said
    others = _from_first(active, set(beside), run.run_id)
    del active[len(active) - len(others) :]
    while active:
        top = active.pop()
        monitors = getattr(fluent, "run_id_to_system_metrics_monitor", {})
        if top.info.run_id in monitors:
            monitors.pop(top.info.run_id).finish()
        if top.info.run_id == run.run_id:
            if any(entry.info.run_id == run.run_id for entry in active):
                continue  # it was entered again, and that was not left
            break
        left_open.append(top)
    active.extend(others)
    return said + [Notice(_ended(run, item.info, outcome)) for item in left_open]


def _from_first(active: list[Any], wanted: set[str], run_id: str) -> list[Any]:
    """Return what lies on the stack from the first of some runs on, above another one."""
    ids = [entry.info.run_id for entry in active]
    above = range(ids.index(run_id) + 1, len(ids))
    return active[next((at for at in above if ids[at] in wanted), len(ids)) :]


def _ended(run: OpenRun, child: Any, outcome: Outcome) -> str:
    """End a run that was left open in one of ours; return what is to be said of it."""
    said = f"Run {child.run_name!r} was opened inside {run.name!r} and left open; "
    for uri in dict.fromkeys((run.uri, str(mlflow().get_tracking_uri()))):  # it may be elsewhere
        with suppress(Exception), quietly():
            client_of(uri).set_terminated(child.run_id, outcome)
            return f"{said}it was ended as {outcome}. Use 'with mlflow.start_run(nested=True):'."
    return (
        f"{said}its store could not be asked to end it: set its tracking URI, then type "
        f"MlflowClient().set_terminated({child.run_id!r}, {outcome!r})."
    )


def remember_last(run_id: str) -> None:
    """Make a run the one that ``mlflow.last_active_run`` returns when none is open."""
    fluent = mlflow().tracking.fluent
    last: Any = getattr(fluent, "_last_active_run_id", None)
    if hasattr(last, "set"):
        last.set(run_id)
    elif hasattr(fluent, "_last_active_run_id"):
        fluent._last_active_run_id = run_id
