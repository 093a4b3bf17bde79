"""MLflow's own calls for runs that are open here take our way.

``mlflow.log_metric(s)``, autologging and other libraries' loggers all end in methods of
``MlflowClient``. While a run of ours is open these methods look whether the call is for
one, and hand its points to the journal instead of waiting for the store; every other
call is passed on as it came. What a call of ours means for a run that is only on disk
(params, tags, artifacts) is kept there too. When the last run is closed MLflow is as it was.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Dataset, Param, Record, Tag
from cvtrack_magics.store.client import mlflow, ours
from cvtrack_magics.store.writer import Point


class Route(Protocol):
    """What becomes of the calls for one run."""

    @property
    def stored_id(self) -> str:
        """The run's id in the store; empty while the store does not have it."""

    @property
    def reachable(self) -> bool:
        """Whether the store took the last thing it was sent."""

    def points(self, points: Sequence[Point]) -> None:
        """Take points."""

    def facts(self, records: Sequence[Record]) -> None:
        """Take params, tags, artifacts or datasets."""

    def flush(self) -> None:
        """Bring what was logged to the store before it is read back."""

    def ended(self) -> bool:
        """Other code ends the run now; returns whether it may."""

    def entity(self) -> Any:
        """Return MLflow's picture of a run that is only on disk."""

    def history(self, name: str) -> list[Any]:
        """Return the points of a metric of a run that is only on disk."""


ENDS = ("FINISHED", "FAILED", "KILLED")

Created = Callable[[Any, str], None]
"""Told of a run (and its tracking URI) that other code opened while ours is open."""


class Interception:
    """What is put into MLflow while runs are open.

    Parameters
    ----------
    created : callable
        Told of runs that other code opens meanwhile.
    """

    def __init__(self, created: Created) -> None:
        self._created = created
        self._routes: dict[str, Route] = {}
        self._originals: dict[str, Any] = {}
        self._lock = threading.Lock()

    def add(self, run_id: str, route: Route) -> None:
        """Send the calls for a run our way."""
        with self._lock:
            self._routes[run_id] = route
            if not self._originals:
                self._install()

    def remove(self, run_ids: Iterable[str]) -> None:
        """Let the calls for some runs be; the last one gives MLflow back."""
        with self._lock:
            for run_id in run_ids:
                self._routes.pop(run_id, None)
            if not self._routes and self._originals:
                client = mlflow().MlflowClient
                for name, original in self._originals.items():
                    setattr(client, name, original)
                self._originals = {}

    def _install(self) -> None:
        client = mlflow().MlflowClient
        for name in vars(Calls):
            original = vars(client).get(name)
            if name.startswith("_") or original is None:
                continue
            self._originals[name] = original
            setattr(client, name, self._wrapped(original, getattr(Calls(self), name)))

    def _wrapped(self, original: Any, ours_instead: Any) -> Any:
        @functools.wraps(original)
        def method(client: Any, *args: Any, **kwargs: Any) -> Any:
            if ours():
                return original(client, *args, **kwargs)
            return ours_instead(functools.partial(original, client), *args, **kwargs)

        return method

    def route(self, run_id: Any) -> Route | None:
        """Return where the calls for a run go, or None when it is not ours."""
        return self._routes.get(run_id) if isinstance(run_id, str) else None

    def routes(self) -> list[Route]:
        """Return all routes."""
        with self._lock:
            return list(self._routes.values())

    def created(self, run: Any, uri: str) -> None:
        """Pass on that other code opened a run."""
        self._created(run, uri)


class Calls:
    """Our way of each method; the names are those of ``MlflowClient``."""

    def __init__(self, interception: Interception) -> None:
        self._in = interception

    def log_metric(
        self,
        original: Any,
        run_id: str,
        key: str,
        value: Any,
        timestamp: int | None = None,
        step: int | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        route = self._in.route(run_id)
        number = _plain(key, value, step)
        if route is None or number is None or _about_a_model(args, kwargs):
            return original(run_id, key, value, timestamp, step, *args, **kwargs)
        now = int(time.time() * 1000)
        route.points([(key, number, int(timestamp or now), int(step or 0))])
        return _answer(kwargs)

    def log_batch(
        self,
        original: Any,
        run_id: str,
        metrics: Sequence[Any] = (),
        params: Sequence[Any] = (),
        tags: Sequence[Any] = (),
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, metrics, params, tags, *args, **kwargs)
        points, others = _split(metrics)
        route.points(points)
        if not (others or params or tags):
            return _answer(kwargs)
        if route.stored_id and route.reachable:
            return original(route.stored_id, others, params, tags, *args, **kwargs)
        route.facts([Param(str(p.key), str(p.value)) for p in params])
        route.facts([Tag(str(t.key), str(t.value)) for t in tags])
        return _answer(kwargs)

    def log_param(self, original: Any, run_id: str, key: str, value: Any, *a: Any, **k: Any) -> Any:
        def keep(route: Route) -> Any:
            route.facts([Param(str(key), str(value))])
            return value

        return self._or_keep(run_id, lambda at: original(at, key, value, *a, **k), keep)

    def set_tag(self, original: Any, run_id: str, key: str, value: Any, *a: Any, **k: Any) -> Any:
        return self._or_keep(
            run_id,
            lambda at: original(at, key, value, *a, **k),
            lambda route: route.facts([Tag(str(key), str(value))]),
        )

    def log_artifact(self, original: Any, run_id: str, local_path: Any, *a: Any, **k: Any) -> Any:
        return self._or_keep(
            run_id,
            lambda at: original(at, local_path, *a, **k),
            lambda route: route.facts(_files(local_path, _folder(a, k))),
        )

    log_artifacts = log_artifact

    def log_inputs(self, original: Any, run_id: str, *a: Any, **k: Any) -> Any:
        def keep(route: Route) -> None:
            inputs = k.get("datasets") or (a[0] if a else ()) or ()
            route.facts([_dataset(item) for item in inputs])

        return self._or_keep(run_id, lambda at: original(at, *a, **k), keep)

    def get_run(self, original: Any, run_id: str, *a: Any, **k: Any) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, *a, **k)
        route.flush()
        return original(route.stored_id, *a, **k) if route.stored_id else route.entity()

    def get_metric_history(self, original: Any, run_id: str, *a: Any, **k: Any) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, *a, **k)
        route.flush()
        if route.stored_id:
            return original(route.stored_id, *a, **k)
        return route.history(str(k.get("key") or (a[0] if a else "")))

    def search_runs(self, original: Any, *a: Any, **k: Any) -> Any:
        for route in self._in.routes():
            route.flush()
        return original(*a, **k)

    def set_terminated(self, original: Any, run_id: str, *a: Any, **k: Any) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, *a, **k)
        route.flush()
        may = route.ended()
        return original(route.stored_id, *a, **k) if may and route.stored_id else None

    def update_run(self, original: Any, run_id: str, *a: Any, **k: Any) -> Any:
        route = self._in.route(run_id)
        given = dict(zip(("status", "name"), a, strict=False)) | k
        if route is not None and given.get("status") in ENDS and not route.ended():
            if not given.get("name"):
                return None
            a, k = (), {**given, "status": None}
        return self._or_keep(run_id, lambda at: original(at, *a, **k), lambda _: None)

    def create_run(self, original: Any, *a: Any, **k: Any) -> Any:
        tags = k.get("tags") or (a[2] if len(a) > 2 else None) or {}
        parent = self._in.route(tags.get("mlflow.parentRunId"))
        if parent is not None and tags["mlflow.parentRunId"] != parent.stored_id:
            # the parent is known here by the key of its journal, which the store has never seen
            tags.pop("mlflow.parentRunId")
            if parent.stored_id:
                tags["mlflow.parentRunId"] = parent.stored_id
        run = original(*a, **k)
        self._in.created(run, str(original.args[0]._tracking_client.tracking_uri))
        return run

    def _or_keep(
        self, run_id: str, perform: Callable[[str], Any], keep: Callable[[Route], Any]
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return perform(run_id)
        if route.stored_id and route.reachable:
            return perform(route.stored_id)
        return keep(route)


def _plain(key: Any, value: Any, step: Any) -> float | None:
    """Return a value that MLflow would take; None for what it has something to say about."""
    if not isinstance(key, str) or safe_key(key) != key or isinstance(value, (str, bytes)):
        return None
    if not (step is None or isinstance(step, int)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _about_a_model(args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a metric is also of a logged model or data set, which the journal knows not."""
    if any(kwargs.get(key) for key in ("model_id", "dataset_name", "dataset_digest")):
        return True
    active = getattr(mlflow().tracking.fluent, "get_active_model_id", None)
    return any(args[1:]) or bool(active and active())


def _split(metrics: Sequence[Any]) -> tuple[list[Point], list[Any]]:
    points: list[Point] = []
    others = []
    for metric in metrics:
        number = _plain(metric.key, metric.value, metric.step)
        named = (getattr(metric, name, None) for name in ("model_id", "dataset_name"))
        if number is None or any(named):
            others.append(metric)
        else:
            points.append((metric.key, number, int(metric.timestamp), int(metric.step or 0)))
    return points, others


def _answer(kwargs: dict[str, Any]) -> Any:
    """Return what MLflow returns: something to wait for, where that was asked for."""
    if kwargs.get("synchronous") is not False:
        return None
    from mlflow.utils.async_logging.run_operations import RunOperations

    return RunOperations([])


def _folder(args: Any, kwargs: dict[str, Any]) -> str:
    return str(kwargs.get("artifact_path") or (args[0] if args else "") or "").strip("/")


def _files(path: Any, folder: str) -> list[Record]:
    root = Path(path)
    files = [root] if root.is_file() else [item for item in root.rglob("*") if item.is_file()]
    prefix = f"{folder}/" if folder else ""
    base = root.parent if root.is_file() else root
    return [Artifact(prefix + f.relative_to(base).as_posix(), source=f) for f in files]


def _dataset(item: Any) -> Record:
    data = item.dataset
    context = next((t.value for t in item.tags or () if t.key.endswith("context")), "")
    return Dataset(str(data.name), str(data.source), str(context), str(data.digest))
