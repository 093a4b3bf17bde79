"""Speaking to MLflow quietly, without touching what other threads read."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from mlflow import environment_variables as settings

from cvtrack_magics import log, mlrun
from cvtrack_magics.store.client import creating, ours, quietly
from tests.store_views import runs_of

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
