"""MLflow, imported late and spoken to quietly."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

from cvtrack_magics.store.uris import absolute

_RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_QUIET: dict[str, bool | int] = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": True,
    _RETRIES: 2,
    "MLFLOW_HTTP_REQUEST_TIMEOUT": 20,
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": False,
}
_LOGGERS = ("mlflow", "alembic", "urllib3.connectionpool")


def mlflow() -> Any:
    """Return the mlflow module; the first call imports it (0.8 s)."""
    import mlflow as module

    return module


def client_of(uri: str) -> Any:
    """Return a client of a store and of the registry that goes with it.

    Any thread may make one.

    The registry's address is given too: MLflow would look for it in a Spark session, and the
    import of pyspark that this takes can wait for ever for an import in another thread, since
    MLflow's import hooks hold a lock of their own.
    """
    return mlflow().MlflowClient(tracking_uri=uri, registry_uri=registry_uri(uri))


def registry_uri(uri: str) -> str:
    """Return where the models of a store are registered.

    That is the store itself, unless ``mlflow.set_registry_uri`` or the environment names
    another registry. ``mlflow.get_registry_uri`` would ask Spark; see :func:`client_of`.
    """
    from mlflow.tracking._model_registry import utils

    said = utils._registry_uri
    return absolute((os.environ.get("MLFLOW_REGISTRY_URI") if said is None else said) or uri)


class _Quiet:
    """What is changed while at least one call is under way, and what was there before.

    MLflow asks its settings' own objects what the environment says, and these answer for us.
    The environment itself is never written to: native code in another thread may be reading
    it at that moment, and would crash the process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._creating = 0
        self._levels: dict[str, int] = {}

    def enter(self, *, creating: bool) -> None:
        settings = _settings()  # imports MLflow, which may take the lock for long
        with self._lock:
            self._calls += 1
            self._creating += creating
            if self._calls > 1:
                return
            for name, setting in settings.items():
                vars(setting)["get"] = partial(self._answer, name, setting)
            for name in _LOGGERS:
                self._levels[name] = logging.getLogger(name).level
                logging.getLogger(name).setLevel(logging.CRITICAL)

    def leave(self, *, creating: bool) -> None:
        settings = _settings()
        with self._lock:
            self._calls -= 1
            self._creating -= creating
            if self._calls:
                return
            for setting in settings.values():
                vars(setting).pop("get", None)
            for name, level in self._levels.items():
                logging.getLogger(name).setLevel(level)

    def _answer(self, name: str, setting: Any) -> Any:
        if name == _RETRIES and self._creating:
            return 0
        return type(setting).get(setting) if name in os.environ else _QUIET[name]


def _settings() -> dict[str, Any]:
    """Return MLflow's settings that this version has, by name."""
    from mlflow import environment_variables

    known = {name: getattr(environment_variables, name, None) for name in _QUIET}
    return {name: setting for name, setting in known.items() if setting is not None}


_quiet = _Quiet()
_thread = threading.local()


def ours() -> bool:
    """Whether the MLflow call under way in this thread is one of this package."""
    return getattr(_thread, "calls", 0) > 0


@contextlib.contextmanager
def creating() -> Iterator[None]:
    """Keep MLflow from repeating a request by itself: a run must not be created twice.

    Who asked looks for the run by its key before asking again.
    """
    with _calling(creating=True):
        yield


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep MLflow's log lines out of the cell and its retries short for one call.

    What the user set in the environment wins, and all of it is put back after the last
    of the calls that are under way in any thread.
    """
    with _calling(creating=False):
        yield


@contextlib.contextmanager
def _calling(*, creating: bool) -> Iterator[None]:
    _quiet.enter(creating=creating)
    _thread.calls = getattr(_thread, "calls", 0) + 1
    try:
        yield
    finally:
        _thread.calls -= 1
        _quiet.leave(creating=creating)
