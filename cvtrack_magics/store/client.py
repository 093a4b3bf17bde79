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
}
_environment_lock = threading.RLock()


def mlflow() -> Any:
    """Return the mlflow module; the first call imports it (0.8 s)."""
    import mlflow as module

    return module


def preload() -> threading.Thread:
    """Import MLflow in the background, so that the first run does not wait for it."""

    def work() -> None:
        # an import error shows itself, in the user's words, when a run is opened
        with contextlib.suppress(Exception):
            import mlflow.tracking
            import mlflow.tracking.fluent  # noqa: F401

    thread = threading.Thread(target=work, name="cvtrack-preload", daemon=True)
    thread.start()
    return thread


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep MLflow's log lines out of the cell and its retries short for one call.

    What the user set in the environment wins, and all of it is put back.
    """
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    with _environment_lock:
        added = [key for key in _QUIET if key not in os.environ]
        levels = [logger.level for logger in loggers]
        for key in added:
            os.environ[key] = _QUIET[key]
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            for key in added:
                os.environ.pop(key, None)
