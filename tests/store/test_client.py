"""Speaking to MLflow quietly, without touching what other threads read."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from typing import Any
from unittest import mock

import pytest
from mlflow import environment_variables as settings

from cvtrack_magics import log, mlend, mlrun
from cvtrack_magics.store.client import creating, ours, quietly
from tests.store_views import points, runs_of

RETRIES = settings.MLFLOW_HTTP_REQUEST_MAX_RETRIES


def test_retries_are_short_in_our_calls_and_as_before_afterwards() -> None:
    usual = RETRIES.get()
    assert usual > 2
    with quietly():
        assert RETRIES.get() == 2
        assert ours()
        with creating():
            assert RETRIES.get() == 0
        assert RETRIES.get() == 2
    assert RETRIES.get() == usual
    assert not ours()
    assert "get" not in vars(RETRIES)


def test_what_the_user_set_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    with quietly():
        assert RETRIES.get() == 5
        with creating():
            assert RETRIES.get() == 0
    assert RETRIES.get() == 5


@pytest.mark.usefixtures("script")
def test_no_thread_of_ours_writes_the_environment(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, str]] = []
    put, unset = os.putenv, os.unsetenv

    def note(name: Any) -> None:
        written.append((threading.current_thread().name, os.fsdecode(name)))

    monkeypatch.setattr(os, "putenv", lambda name, value: (note(name), put(name, value)))
    monkeypatch.setattr(os, "unsetenv", lambda name: (note(name), unset(name)))
    with mlrun("quiet") as run:
        log(loss=1.0)
    assert run.summary is not None
    assert runs_of(store)["quiet"].info.status == "FINISHED"
    assert [name for thread, name in written if thread.startswith("cvtrack-")] == []
    assert not any("HTTP_REQUEST" in name or "SUPPRESS" in name for _, name in written)


RACE = """
import ctypes, sys, threading, time
from cvtrack_magics.store.client import creating, quietly
def call():
    while True:
        with creating(), quietly():
            pass
threading.Thread(target=call, daemon=True).start()
getenv = ctypes.CDLL(None).getenv  # lets go of the interpreter, as native libraries do
getenv.restype = ctypes.c_char_p
until = time.monotonic() + 4
while time.monotonic() < until:
    getenv(b"OMP_NUM_THREADS_X")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks the C library by its name")
def test_native_code_may_read_the_environment_meanwhile() -> None:
    ran = subprocess.run([sys.executable, "-c", RACE], check=False, timeout=120)
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "name",
    [
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
        "MLFLOW_HTTP_REQUEST_TIMEOUT",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR",
        "MLFLOW_ENABLE_ASYNC_LOGGING",
        "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER",
    ],
)
def test_the_settings_of_other_threads_stay_theirs(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    setting = getattr(settings, name)
    usual = setting.get()
    seen: list[Any] = []
    with quietly():
        ours_now = setting.get()
        other = threading.Thread(target=lambda: seen.append(setting.get()))
        other.start()
        other.join()
    assert ours_now != usual
    assert seen == [usual]
    assert setting.get() == usual


def test_only_our_own_log_lines_are_kept_back() -> None:
    seen: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    mlflows, handler = logging.getLogger("mlflow"), Listening()
    level, filters = mlflows.level, list(handler.filters)
    mlflows.addHandler(handler)
    try:
        with quietly():
            logging.getLogger("mlflow.store.db").warning("about our call")
            theirs = threading.Thread(
                target=lambda: logging.getLogger("mlflow.tracking").warning("about theirs")
            )
            theirs.start()
            theirs.join()
        logging.getLogger("mlflow.tracking").warning("afterwards")
    finally:
        mlflows.removeHandler(handler)
    assert seen == ["about theirs", "afterwards"]
    assert (mlflows.level, handler.filters) == (level, filters)


@pytest.mark.usefixtures("script")
def test_a_run_is_whole_where_mlflow_queues_its_calls(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    import mlflow

    queued: list[Any] = []
    async_store = mlflow.store.tracking.abstract_store.AbstractStore
    monkeypatch.setattr(async_store, "log_batch_async", lambda *a, **_: queued.append(a))
    with mlrun("async", output=False):
        for step in range(50):
            log({"x": step}, step=step)
        mlflow.log_metric("y", 1.0)
        mlflow.log_param("p", 1)
    assert queued == []
    run = runs_of(store)["async"]
    assert run.data.metrics.items() >= {"x": 49.0, "y": 1.0}.items()
    assert run.data.params["p"] == "1"


@pytest.mark.parametrize(
    "target",
    [
        "mlflow.MlflowClient.log_batch",
        "mlflow.MlflowClient.set_terminated",
        "mlflow.MlflowClient.log_metric",
        "mlflow.MlflowClient",
        "mlflow.tracking.MlflowClient",
    ],
)
def test_what_the_user_replaced_of_the_client_takes_no_point(
    target: str, store: str, script: None
) -> None:
    with mlrun("mocked", output=False, code=False):
        log({"a": 1.0}, 0)
        replaced = mock.patch(target)
        replaced.start()
        try:
            log({"a": 2.0}, 1)
            mlend()
        finally:
            replaced.stop()
    run = runs_of(store)["mocked"]
    assert run.info.status == "FINISHED"
    assert points(store, run, "a") == [(0, 1.0), (1, 2.0)]
