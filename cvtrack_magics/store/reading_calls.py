"""What MLflow's calls read of a run of ours while it is open.

They wait, for a bounded time, until the store has what was written before; where it does not
answer, they say what is known here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from cvtrack_magics.store import tables
from cvtrack_magics.store.client import creating, mlflow
from cvtrack_magics.store.error_kinds import is_no_answer
from cvtrack_magics.store.routes import Found, Route

_inside = threading.local()
"""The table that a call in this thread is about to write, of which run."""


def table_being_written() -> tuple[Route, str] | None:
    """Return the run and the path of the table that this thread is about to write."""
    return getattr(_inside, "table", None)


@contextlib.contextmanager
def writing_table(route: Route, path: str) -> Iterator[None]:
    """Let what is read meanwhile be what MLflow needs for writing a table."""
    _inside.table = (route, path)
    try:
        yield
    finally:
        _inside.table = None


@contextlib.contextmanager
def _finding(routes: list[Route]) -> Iterator[None]:
    """Let a search of this thread find these runs, as they are known here."""
    _inside.searched = routes
    try:
        yield
    finally:
        _inside.searched = None


class Reading:
    """Our way of each method that reads; the names are those of ``MlflowClient``."""

    def __init__(self, found: Found) -> None:
        self._in = found

    def get_run(self, original: Any, run_id: str, *a: Any, **k: Any) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, *a, **k)
        if table_being_written() is not None:
            return route.entity()
        return self._read(route, lambda at: original(at, *a, **k), route.entity)

    def get_parent_run(self, original: Any, run_id: str) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id)
        return self._read(route, original, lambda: None)

    def get_metric_history(self, original: Any, run_id: str, key: str) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, key)
        return self._read(route, lambda at: original(at, key), lambda: route.history(str(key)))

    def list_artifacts(self, original: Any, run_id: str, path: str | None = None) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, path)
        if table_being_written() is not None:
            return []
        return self._read(
            route, lambda at: original(at, path), lambda: tables.listing(route.files(), path)
        )

    def download_artifacts(
        self, original: Any, run_id: str, path: str, dst_path: str | None = None
    ) -> Any:
        route = self._in.route(run_id)
        if route is None:
            return original(run_id, path, dst_path)
        return self._read(
            route,
            lambda at: original(at, path, dst_path),
            lambda: tables.copied(route.files(), path, dst_path),
        )

    def _read(self, route: Route, ask: Callable[[str], Any], known_here: Callable[[], Any]) -> Any:
        """Ask the store once it has all that was written, or say what is known here."""
        route.flush()
        if not (route.stored_id and route.reachable):
            return known_here()
        try:
            with creating():  # a bounded time, and once
                return ask(route.stored_id)
        except Exception as error:
            if not is_no_answer(error):
                raise
            return known_here()

    def search_runs(self, original: Any, *a: Any, **k: Any) -> Any:
        if (known := getattr(_inside, "searched", None)) is not None:
            return mlflow().store.entities.PagedList([route.entity() for route in known], None)
        routes = self._in.routes()
        for route in routes:
            route.flush()
        if all(route.stored_id and route.reachable for route in routes):
            return original(*a, **k)
        with creating():  # once, and not for minutes
            return original(*a, **k)

    def load_table(
        self,
        original: Any,
        experiment_id: str,
        artifact_file: str,
        run_ids: list[str] | None = None,
        extra_columns: list[str] | None = None,
    ) -> Any:
        routes = [self._in.route(run_id) for run_id in run_ids or ()]
        ours = [route for route in routes if route is not None]
        for route in ours:
            route.flush()
        if ours and len(ours) == len(routes) and not all(r.stored_id and r.reachable for r in ours):
            with _finding(ours):  # MLflow would search the store for them
                return original(experiment_id, artifact_file, run_ids, extra_columns)
        names = zip(routes, run_ids or (), strict=True)
        ids = [(route.stored_id or name) if route else name for route, name in names]
        return original(experiment_id, artifact_file, ids or None, extra_columns)
