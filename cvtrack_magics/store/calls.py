"""What becomes of MLflow's calls for a run of ours while it is open.

What a call writes goes to the journal and is sent in its order; it neither waits for the
store nor fails for its sake. What it reads is in :mod:`cvtrack_magics.store.reading_calls`.
:mod:`cvtrack_magics.store.call_table` lists all of MLflow's calls.
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cvtrack_magics.records import Artifact, Call, Metric, Param, Record, Tag
from cvtrack_magics.store import checks, deferred, tables
from cvtrack_magics.store.client import creating, mlflow
from cvtrack_magics.store.deferred import LINKS, Point
from cvtrack_magics.store.detours import AS_PARENT
from cvtrack_magics.store.reading_calls import Reading, table_being_written, writing_table
from cvtrack_magics.store.routes import Route

ENDS = ("FINISHED", "FAILED", "KILLED")
PARENT = "mlflow.parentRunId"


class Calls(Reading):
    """Our way of each method; the names are those of ``MlflowClient``."""

    # -- points

    def log_metric(
        self,
        original: Any,
        run_id: str,
        key: str,
        value: Any,
        timestamp: int | None = None,
        step: int | None = None,
        synchronous: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            given = _said(synchronous=synchronous)
            return original(run_id, key, value, timestamp, step, **given, **kwargs)
        links = {name: kwargs[name] for name in LINKS if kwargs.get(name)}
        self._keep_points(route, [(checks.point_of(key, value, timestamp or None, step), links)])
        return _answer(synchronous)

    def log_batch(
        self,
        original: Any,
        run_id: str,
        metrics: Sequence[Any] = (),
        params: Sequence[Any] = (),
        tags: Sequence[Any] = (),
        synchronous: bool | None = None,
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, metrics, params, tags, **_said(synchronous=synchronous))
        points = [
            (
                checks.point_of(m.key, m.value, m.timestamp, m.step),
                {name: getattr(m, name) for name in LINKS if getattr(m, name, None)},
            )
            for m in metrics
        ]
        texts = [checks.param_of(p.key, p.value) for p in params]
        facts: list[Record] = [Tag(*checks.tag_of(t.key, t.value)) for t in tags]
        if self._in.forked and (texts or facts):
            # only points have a way from a child; what else it says goes as with plain MLflow
            original(route.stored_id or run_id, (), params, tags)
            texts, facts = [], []
        self._keep_points(route, points)
        route.facts([*self._new_params(route, run_id, texts), *facts])
        return _answer(synchronous)

    def _keep_points(self, route: Route, points: Sequence[tuple[Point, dict[str, Any]]]) -> None:
        active = getattr(mlflow().tracking.fluent, "get_active_model_id", None)
        model_id = active() if active is not None else None
        linked: list[Record] = []
        for (key, value, at, step), links in points:
            every = {"model_id": model_id, **links}
            some = {name: str(every[name]) for name in LINKS if every.get(name)}
            if some and not self._in.forked:
                linked.append(Metric(key, value, step, at, **some))
        route.points([point for point, _ in points])
        route.facts(linked)  # the store keeps a point once, and the link with it

    # -- params and tags

    def log_param(
        self,
        original: Any,
        run_id: str,
        key: str,
        value: Any,
        synchronous: bool | None = None,
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, key, value, **_said(synchronous=synchronous))
        route.facts(self._new_params(route, run_id, [checks.param_of(key, value)]))
        return value if synchronous is not False else _answer(synchronous)

    def _new_params(
        self, route: Route, run_id: str, texts: Sequence[tuple[str, str]]
    ) -> list[Record]:
        for key, value in texts:
            known = route.param(key, value)
            if known != value:
                raise checks.changed_param(key, known, value, run_id)
        return [Param(key, value) for key, value in texts]

    def set_tag(
        self, original: Any, run_id: str, key: str, value: Any, synchronous: bool | None = None
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, key, value, **_said(synchronous=synchronous))
        route.facts([Tag(*checks.tag_of(key, value))])
        return _answer(synchronous)

    def delete_tag(self, original: Any, run_id: str, key: str) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, key)
        if key not in route.entity().data.tags and not route.resumed and route.reachable:
            route.flush()
            with creating():
                return original(route.stored_id, key)  # which says that there is no such tag
        route.facts([Call("delete_tag", {"key": str(key)})])
        return None

    def update_run(
        self,
        original: Any,
        run_id: str,
        status: str | None = None,
        name: str | None = None,
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, status, name)
        if name is not None:
            route.facts([Call("update_run", {"name": str(name)}), Tag("mlflow.runName", str(name))])
        if status in ENDS:
            if route.ended(status) and route.stored_id:
                original(route.stored_id, status)
        elif status is not None:
            route.facts([Call("update_run", {"status": status})])
        return None

    # -- files

    def log_artifact(
        self, original: Any, run_id: str, local_path: Any, artifact_path: str | None = None
    ) -> Any:
        path = Path(local_path)
        folder = artifact_path
        if path.is_dir():
            folder = posixpath.join(artifact_path or "", path.name)
        return self._keep_files(original, run_id, path, folder, local_path, artifact_path)

    def log_artifacts(
        self, original: Any, run_id: str, local_dir: Any, artifact_path: str | None = None
    ) -> Any:
        path = Path(local_dir)
        return self._keep_files(original, run_id, path, artifact_path, local_dir, artifact_path)

    def _keep_files(
        self, original: Any, run_id: str, path: Path, folder: str | None, *given: Any
    ) -> Any:
        route = self._in.route(run_id)
        if route is None or not path.exists():
            return original(route.stored_id or run_id if route else run_id, *given)
        prefix = checks.folder_of(folder)
        files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
        base = path.parent if path.is_file() else path
        sizes = sum(file.stat().st_size for file in files)
        if not route.room_for(sizes) and route.stored_id and route.reachable:
            route.flush()
            return original(route.stored_id, *given)
        records = [Artifact(prefix + f.relative_to(base).as_posix(), source=f) for f in files]
        route.facts([self._whole_table(route, record) for record in records])
        return None

    def _whole_table(self, route: Route, record: Artifact) -> Artifact:
        """Return a table with the rows that were logged before; any other file as it is."""
        if table_being_written() != (route, record.path) or record.source is None:
            return record
        content = tables.merged(record.path, route.tables.get(record.path), record.source)
        route.tables[record.path] = content
        return Artifact(record.path, content)

    def log_image(self, original: Any, run_id: str, *args: Any, **kwargs: Any) -> Any:
        if self._in.route(run_id) is None:
            return original(run_id, *args, **kwargs)
        names = ("image", "artifact_file", "key", "step", "timestamp", "synchronous")
        given = dict(zip(names, args, strict=False)) | kwargs
        return original(run_id, **{**given, "synchronous": True})

    def log_table(self, original: Any, run_id: str, data: Any, artifact_file: str) -> Any:
        route = self._in.route(run_id)
        if route is None or (route.resumed and route.reachable):
            return original(run_id, data, artifact_file)
        with writing_table(route, posixpath.normpath(artifact_file)):
            return original(run_id, data, artifact_file)

    # -- data sets, models and traces

    def log_inputs(
        self, original: Any, run_id: str, datasets: Any = None, models: Any = None
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, datasets, **({"models": models} if models else {}))
        route.facts([deferred.inputs_call(datasets or (), models or ())])
        return None

    def log_outputs(self, original: Any, run_id: str, models: Any = None) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, models)
        route.facts([deferred.outputs_call(models or ())])
        return None

    def link_traces_to_run(self, original: Any, trace_ids: Any, run_id: str) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(trace_ids, run_id)
        route.facts([Call("link_traces_to_run", {"trace_ids": [str(key) for key in trace_ids]})])
        return None

    def unlink_traces_from_run(self, original: Any, trace_ids: Any, run_id: str) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(trace_ids, run_id)
        ids = [str(key) for key in trace_ids]
        route.facts([Call("unlink_traces_from_run", {"trace_ids": ids})])
        return None

    # -- the life of runs

    def set_terminated(
        self,
        original: Any,
        run_id: str,
        status: str | None = None,
        end_time: int | None = None,
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, status, end_time)
        may = route.ended(status or "FINISHED", end_time)
        if may and route.stored_id:
            route.flush()
            return original(route.stored_id, status, end_time)
        return None

    def create_run(self, original: Any, *a: Any, **k: Any) -> Any:
        names = ("experiment_id", "start_time", "tags", "run_name")
        given = dict(zip(names, a, strict=False)) | k
        tags = dict(given.get("tags") or {})
        parent = self._in.route(tags.get(PARENT))
        if given.get("experiment_id") == AS_PARENT:
            now = mlflow().tracking.fluent._get_experiment_id
            given["experiment_id"] = now() if parent is None else parent.experiment_id
        if parent is None:
            run = original(**given)
            self._in.created(run, str(original.args[0]._tracking_client.tracking_uri))
            return run
        # the parent may be known here by the key of its journal, which the store has never seen
        tags[PARENT] = parent.stored_id
        name = str(given.get("run_name") or tags.get("mlflow.runName") or "")
        known = parent.stored_id and given.get("experiment_id")
        if known and parent.reachable and parent.answers():
            with contextlib.suppress(Exception), creating():
                run = original(**{**given, "tags": tags})
                self._in.created(run, str(original.args[0]._tracking_client.tracking_uri))
                return run
        tags.pop(PARENT)
        return self._in.open_on_disk(parent, name, tags)


def _said(**given: Any) -> dict[str, Any]:
    """Return what was given; an older MLflow does not know the rest."""
    return {name: value for name, value in given.items() if value is not None}


def _answer(synchronous: bool | None) -> Any:
    """Return what MLflow returns: something to wait for, where that was asked for."""
    if synchronous is not False:
        return None
    from mlflow.utils.async_logging.run_operations import RunOperations

    return RunOperations([])
