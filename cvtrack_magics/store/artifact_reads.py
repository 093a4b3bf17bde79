"""Where a run's files are is said at once; who reads them through MLflow waits for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from cvtrack_magics.store.client import mlflow, ours
from cvtrack_magics.store.known_files import KnownRuns, place_of, with_known
from cvtrack_magics.store.routes import Found


def take(found: Found) -> Callable[[], None]:
    """Answer for the files of our runs; return what gives MLflow back.

    ``mlflow.get_artifact_uri`` asks no store for a run of ours. Whoever opens a repository at
    such an address, as all of MLflow's reading does, first has what was written sent there. Files
    that lie on this disk with no server between may be read without MLflow, so there already the
    address waits for them.
    """
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry

    taken = [
        _take_uri(found),
        _take_repositories(found, _artifact_repository_registry),
        _take_stores(found),
    ]

    def give_back() -> None:
        for one in reversed(taken):
            one()

    return give_back


def _take_uri(found: Found) -> Callable[[], None]:
    module = mlflow().tracking.artifact_utils
    original = module.get_artifact_uri

    @functools.wraps(original)
    def get_artifact_uri(run_id: Any, artifact_path: Any = None, *rest: Any, **k: Any) -> Any:
        route = None if ours() else found.route(run_id)
        base = route.artifact_uri if route is not None else ""
        if route is None or not base:
            return original(run_id, artifact_path, *rest, **k)
        if route.is_direct:
            route.flush()
        return base if artifact_path is None else _under(base, artifact_path)

    def give_back() -> None:
        if module.get_artifact_uri is get_artifact_uri:
            module.get_artifact_uri = original

    module.get_artifact_uri = get_artifact_uri
    return give_back


def _take_repositories(found: Found, registry: Any) -> Callable[[], None]:
    original = registry.get_artifact_repository

    @functools.wraps(original)
    def get_artifact_repository(artifact_uri: Any, *rest: Any, **k: Any) -> Any:
        place = None if ours() or found.forked else place_of(str(artifact_uri), found)
        if place is None:
            return original(artifact_uri, *rest, **k)
        route, path = place
        route.flush()
        return with_known(lambda uri: original(uri, *rest, **k), str(artifact_uri), route, path)

    def give_back() -> None:
        if vars(registry).get("get_artifact_repository") is get_artifact_repository:
            del registry.get_artifact_repository

    registry.get_artifact_repository = get_artifact_repository
    return give_back


def _take_stores(found: Found) -> Callable[[], None]:
    """Take the store that ``mlflow.artifacts`` asks where the files of a run are."""
    module = mlflow().artifacts
    original = getattr(module, "_get_store", None)
    if original is None:
        return lambda: None

    @functools.wraps(original)
    def _get_store(*a: Any, **k: Any) -> Any:
        store = original(*a, **k)
        return store if ours() or found.forked else KnownRuns(store, found)

    def give_back() -> None:
        if module._get_store is _get_store:
            module._get_store = original

    module._get_store = _get_store
    return give_back


def _under(uri: str, path: Any) -> str:
    from mlflow.utils.uri import append_to_uri_path

    return str(append_to_uri_path(uri, path))
