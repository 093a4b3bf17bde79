"""MLflow, imported late and spoken to quietly."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any

_QUIET = {
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_LOGGERS = ("mlflow", "alembic", "urllib3.connectionpool")


def mlflow() -> Any:
    """Return the mlflow module; the first call imports it (0.8 s)."""
    import mlflow as module

    return module


def client_of(uri: str) -> Any:
    """Return a client of a store, which any thread may make.

    The registry's address is given too: MLflow would look for it in a Spark session, and the
    import of pyspark that this takes can wait for ever for an import in another thread, since
    MLflow's import hooks hold a lock of their own.
    """
    return mlflow().MlflowClient(tracking_uri=uri, registry_uri=uri)


class _Quiet:
    """What is changed while at least one call is under way, and what was there before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._added: list[str] = []
        self._levels: dict[str, int] = {}

    def enter(self) -> None:
        with self._lock:
            self._calls += 1
            if self._calls > 1:
                return
            self._added = [key for key in _QUIET if key not in os.environ]
            os.environ.update({key: _QUIET[key] for key in self._added})
            for name in _LOGGERS:
                self._levels[name] = logging.getLogger(name).level
                logging.getLogger(name).setLevel(logging.CRITICAL)

    def leave(self) -> None:
        with self._lock:
            self._calls -= 1
            if self._calls:
                return
            for key in self._added:
                os.environ.pop(key, None)
            for name, level in self._levels.items():
                logging.getLogger(name).setLevel(level)


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
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        with quietly():
            yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep MLflow's log lines out of the cell and its retries short for one call.

    What the user set in the environment wins, and all of it is put back after the last
    of the calls that are under way in any thread.
    """
    _quiet.enter()
    _thread.calls = getattr(_thread, "calls", 0) + 1
    try:
        yield
    finally:
        _thread.calls -= 1
        _quiet.leave()
