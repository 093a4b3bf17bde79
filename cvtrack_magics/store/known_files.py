"""A run's files through MLflow's own readers, also where only this disk has them.

``mlflow.artifacts`` opens a repository at an address and reads from that. One for a run of ours
asks the store as ever, once that has what was written; where it does not answer, the files of the
journal are what is listed and read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cvtrack_magics.store import tables
from cvtrack_magics.store.client import creating, ours
from cvtrack_magics.store.error_kinds import is_no_answer
from cvtrack_magics.store.routes import Found, Route

SCHEME = "runs:/"


def place_of(uri: str, found: Found) -> tuple[Route, str] | None:
    """Return the run of ours that an address lies in, and the path in it; None for any other."""
    if uri.startswith(SCHEME):
        run_id, _, path = uri.removeprefix(SCHEME).partition("/")
        route = found.route(run_id)
        return None if route is None else (route, path.strip("/"))
    for route in found.routes():
        base = route.artifact_uri.rstrip("/")
        if base and (uri == base or uri.startswith(base + "/")):
            return route, uri.removeprefix(base).strip("/")
    return None


def with_known(opened: Callable[[str], Any], uri: str, route: Route, path: str) -> Any:
    """Open a repository at an address of a run, that knows the files of this disk, too.

    Parameters
    ----------
    opened : callable
        Opens MLflow's repository at an address.
    uri : str
        The address.
    route : Route
        The run.
    path : str
        Where in the run the address is.
    """
    if uri.startswith(SCHEME) and route.stored_id:
        uri = "/".join((f"{SCHEME}{route.stored_id}", path)).rstrip("/")
    repository = opened(uri)
    listed, downloaded = repository.list_artifacts, repository.download_artifacts

    def list_artifacts(path_there: Any = None, *rest: Any, **k: Any) -> Any:
        where = k.pop("path", path_there)
        return _read(
            route,
            lambda: listed(where, *rest, **k),
            lambda: tables.listing(_under(route, path), where),
        )

    def download_artifacts(artifact_path: Any, dst_path: Any = None, *rest: Any, **k: Any) -> Any:
        return _read(
            route,
            lambda: downloaded(artifact_path, dst_path, *rest, **k),
            lambda: tables.copied(_under(route, path), artifact_path or "", dst_path),
        )

    repository.list_artifacts = list_artifacts
    repository.download_artifacts = download_artifacts
    return repository


def _under(route: Route, path: str) -> Mapping[str, Path]:
    start = f"{path}/" if path else ""
    return {n.removeprefix(start): f for n, f in route.files().items() if n.startswith(start)}


def _read(route: Route, ask: Callable[[], Any], known_here: Callable[[], Any]) -> Any:
    if not (route.stored_id and route.reachable):
        return known_here()
    try:
        with creating():
            return ask()
    except Exception as error:
        if not is_no_answer(error):
            raise
        try:
            known = known_here()
        except FileNotFoundError:
            known = None
        if not known:  # the store may have it, or may not: it has to say so
            raise
        return known


class KnownRuns:
    """A store, but that it knows the runs of ours which it cannot be asked for.

    Parameters
    ----------
    store : object
        MLflow's store.
    found : Found
        Knows the runs.
    """

    def __init__(self, store: Any, found: Found) -> None:
        self._store = store
        self._found = found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get_run(self, run_id: Any, *rest: Any, **k: Any) -> Any:
        """Return a run: what the store says of it, or what is known here."""
        route = None if ours() else self._found.route(run_id)
        if route is None:
            return self._store.get_run(run_id, *rest, **k)
        route.flush()
        stored = route.stored_id
        return _read(route, lambda: self._store.get_run(stored, *rest, **k), route.entity)
