"""MLflow, imported late and spoken to quietly."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from functools import partial
from types import FunctionType
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.store import answers
from cvtrack_magics.store.uris import absolute

_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_QUIET: dict[str, bool | int] = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": True,
    _RETRIES: 2,
    "MLFLOW_HTTP_REQUEST_TIMEOUT": 20,
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": False,
}
_ALWAYS: dict[str, bool] = {
    "MLFLOW_ENABLE_ASYNC_LOGGING": False,
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": False,
}
"""What holds for our calls whatever the user set: one that has returned has been answered."""
_LOGGERS = ("mlflow", "alembic", "urllib3")


def mlflow() -> Any:
    """Return the mlflow module; the first call imports it (0.8 s)."""
    import mlflow as module

    _own.remember(module)
    return module


class _Own:
    """MLflow's client with the methods that it had when it was first seen.

    A test of the user's own replaces them, or the class, in an open run.
    """

    def __init__(self) -> None:
        self.client: Any = None

    def remember(self, module: Any) -> None:
        """Note the methods, the first time."""
        found = None if self.client is not None else vars(module).get("MlflowClient")
        if isinstance(found, type):
            methods = {n: it for n, it in vars(found).items() if isinstance(it, FunctionType)}
            self.client = type(found.__name__, (found,), methods)


_own = _Own()


def client_of(uri: str) -> Any:
    """Return a client of a store and of the registry that goes with it.

    Any thread may make one.

    The registry's address is given too: MLflow would look for it in a Spark session, and the
    import of pyspark that this takes can wait for ever for an import in another thread, since
    MLflow's import hooks hold a lock of their own.
    """
    return mlflow().MlflowClient(tracking_uri=uri, registry_uri=registry_uri(uri))


def sending_client_of(uri: str) -> Any:
    """Return a client of a store whose calls are MLflow's own, whatever code has replaced."""
    client = mlflow().MlflowClient if _own.client is None else _own.client
    return client(tracking_uri=uri, registry_uri=registry_uri(uri))


def registry_uri(uri: str) -> str:
    """Return where the models of a store are registered.

    That is the store itself, unless ``mlflow.set_registry_uri`` or the environment names
    another registry. ``mlflow.get_registry_uri`` would ask Spark; see :func:`client_of`.
    """
    from mlflow.tracking._model_registry import utils

    said = utils._registry_uri
    return absolute((os.environ.get("MLFLOW_REGISTRY_URI") if said is None else said) or uri)


class _Quiet:
    """What is changed while at least one call is under way, and only for the threads of ours.

    MLflow asks its settings' own objects what the environment says; for our calls these answer
    as it suits us, for all others as ever. The environment itself is never written to: native
    code in another thread may be reading it at that moment, and would crash the process.
    """

    def __init__(self) -> None:
        self._lock = forks.rlock()
        self._calls = 0
        self._handlers: list[logging.Handler] = []
        self._request: Any = None

    def in_child(self, calls: int) -> None:
        """Count the calls of the only thread that a forked child has."""
        if self._calls and not calls:
            self._calls = 1
            self.leave()
        self._calls = calls

    def enter(self) -> None:
        settings = _settings()  # imports MLflow, which may take the lock for long
        from mlflow.utils import rest_utils

        with self._lock:
            self._calls += 1
            if self._calls > 1:
                return
            for name, setting in settings.items():
                vars(setting)["get"] = partial(_answer, name, setting)
            self._handlers = _handlers()
            for handler in self._handlers:  # a new list, for others may be reading the old one
                handler.filters = [*handler.filters, _not_ours]
            self._request = rest_utils._get_http_response_with_retries
            rest_utils._get_http_response_with_retries = answers.watched(self._request, ours)

    def leave(self) -> None:
        settings = _settings()
        from mlflow.utils import rest_utils

        with self._lock:
            self._calls -= 1
            if self._calls:
                return
            for setting in settings.values():
                vars(setting).pop("get", None)
            for handler in self._handlers:
                handler.filters = [item for item in handler.filters if item is not _not_ours]
            rest_utils._get_http_response_with_retries = self._request


def _answer(name: str, setting: Any) -> Any:
    if not ours():
        return type(setting).get(setting)
    if name in _ALWAYS:
        return _ALWAYS[name]
    if name == _RETRIES and getattr(_thread, "once", False):
        return 0
    return type(setting).get(setting) if name in os.environ else _QUIET[name]


def _not_ours(record: logging.LogRecord) -> bool:
    """Let pass all log lines but those of MLflow, and what it stands on, about our calls."""
    return not (ours() and record.name.startswith(_LOGGERS))


def _handlers() -> list[logging.Handler]:
    names = ("", *_LOGGERS)
    found = {id(h): h for name in names for h in logging.getLogger(name).handlers}
    if logging.lastResort is not None:
        found[id(logging.lastResort)] = logging.lastResort
    return list(found.values())


def _settings() -> dict[str, Any]:
    """Return MLflow's settings that this version has, by name."""
    from mlflow import environment_variables

    known = {name: getattr(environment_variables, name, None) for name in (*_QUIET, *_ALWAYS)}
    return {name: setting for name, setting in known.items() if setting is not None}


_quiet = _Quiet()
_thread = threading.local()


def begin_anew() -> None:
    """Begin anew in a forked child."""
    _quiet.in_child(getattr(_thread, "calls", 0))


def ours() -> bool:
    """Whether the MLflow call under way in this thread is one of this package."""
    return getattr(_thread, "calls", 0) > 0


@contextlib.contextmanager
def creating() -> Iterator[None]:
    """Keep MLflow from repeating a request by itself.

    A run must not be created twice: who asked looks for it by its key before asking again.
    And what waits in the journal is sent again later, when nobody waits for it.
    """
    with _calling(once=True):
        yield


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep MLflow's log lines out of the cell and its retries short for one call.

    What the user set in the environment wins. It holds for this thread alone; in the others
    MLflow behaves as ever meanwhile.
    """
    with _calling(once=False):
        yield


@contextlib.contextmanager
def _calling(*, once: bool) -> Iterator[None]:
    with forks.waiting_for_this(), _quietly(once=once):
        yield


@contextlib.contextmanager
def _quietly(*, once: bool) -> Iterator[None]:
    _quiet.enter()
    _thread.calls = getattr(_thread, "calls", 0) + 1
    before = getattr(_thread, "once", False)
    _thread.once = before or once
    answers.begin()
    try:
        yield
    except Exception as error:
        found = answers.problem()
        if found is None or isinstance(error, CvtrackError):
            raise
        raise found from error  # MLflow puts its own words round it
    finally:
        _thread.calls -= 1
        _thread.once = before
        _quiet.leave()
