"""Where a run's files are is said at once; who reads them through MLflow waits for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from cvtrack_magics.store.client import mlflow, ours
from cvtrack_magics.store.routes import Found


def take(found: Found) -> Callable[[], None]:
    """Answer for the files of our runs; return what gives MLflow back.

    ``mlflow.get_artifact_uri`` asks no store for a run of ours. Whoever opens a repository at
    such an address, as all of MLflow's reading does, first has what was written sent there. Files
    that lie on this disk with no server between may be read without MLflow, so there already the
    address waits for them.
    """
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry

    return _both(_take_uri(found), _take_repositories(found, _artifact_repository_registry))


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def give_back() -> None:
        second()
        first()

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
        if not ours() and not found.forked:
            for route in found.routes():
                if _is_under(str(artifact_uri), route.artifact_uri):
                    route.flush()
        return original(artifact_uri, *rest, **k)

    def give_back() -> None:
        if vars(registry).get("get_artifact_repository") is get_artifact_repository:
            del registry.get_artifact_repository

    registry.get_artifact_repository = get_artifact_repository
    return give_back


def _is_under(uri: str, base: str) -> bool:
    return bool(base) and (uri == base or uri.startswith(base.rstrip("/") + "/"))


def _under(uri: str, path: Any) -> str:
    from mlflow.utils.uri import append_to_uri_path

    return str(append_to_uri_path(uri, path))
