"""What MLflow's calls read of a run of ours while it is open.

They wait, for a bounded time, until the store has what was written before; where it does not
answer, they say what is known here.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store import tables
from cvtrack_magics.store.client import creating
from cvtrack_magics.store.error_kinds import is_denied, is_refusal
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
            if is_refusal(error) or is_denied(error) or _is_no_answer(error) is False:
                raise
            return known_here()

    def search_runs(self, original: Any, *a: Any, **k: Any) -> Any:
        for route in self._in.routes():
            route.flush()
        return original(*a, **k)


def _is_no_answer(error: Exception) -> bool:
    """Whether the store did not answer, or something else did in its place."""
    code = getattr(error, "error_code", None)
    return isinstance(error, StoreUnavailable | OSError) or code in (
        "INTERNAL_ERROR",
        "TEMPORARILY_UNAVAILABLE",
        "BAD_REQUEST",
    )
