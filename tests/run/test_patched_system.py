"""A test of the user's own replaces what the system offers, in an open run: nothing is lost."""

from __future__ import annotations

import asyncio
import builtins
import fcntl
import hashlib
import json
import mmap
import os
import sys
import tempfile
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.run import current
from tests.store_views import points, runs_of

REPLACED: dict[str, tuple[Any, str]] = {
    "asyncio.current_task": (asyncio, "current_task"),
    "builtins.open": (builtins, "open"),
    "fcntl.lockf": (fcntl, "lockf"),
    "hashlib.sha256": (hashlib, "sha256"),
    "json.dumps": (json, "dumps"),
    "json.loads": (json, "loads"),
    "mmap.mmap": (mmap, "mmap"),
    "Path.exists": (Path, "exists"),
    "Path.mkdir": (Path, "mkdir"),
    "Path.open": (Path, "open"),
    "Path.rename": (Path, "rename"),
    "Path.unlink": (Path, "unlink"),
    "sys._getframe": (sys, "_getframe"),
    "tempfile.mkstemp": (tempfile, "mkstemp"),
    "threading.current_thread": (threading, "current_thread"),
    "threading.get_ident": (threading, "get_ident"),
    "time.monotonic": (time, "monotonic"),
    "time.monotonic_ns": (time, "monotonic_ns"),
    "time.sleep": (time, "sleep"),
    "time.time": (time, "time"),
    "time.time_ns": (time, "time_ns"),
    "uuid.uuid4": (uuid, "uuid4"),
    "zlib.crc32": (zlib, "crc32"),
    **{
        f"os.{name}": (os, name)
        for name in (
            *("close", "fsync", "getpid", "listdir", "lseek", "open", "read", "rename", "replace"),
            *("scandir", "stat", "unlink", "write"),
        )
    },
}
EFFECTS = {"says nothing of use": None, "raises": RuntimeError("replaced"), "fails": OSError(5, "")}
CALLS = 12


def logged(name: str) -> None:
    """Log by the ways there are: a new name and a known one, floats and others, with no step."""
    for step in range(4):
        log({name: float(step)}, step=step)
    for step in range(4, 8):
        log({name: step}, step=step)
    for _ in range(8, CALLS):
        log({name: 1.0})


def a_moment(clock: Any = time.perf_counter) -> None:
    """Let the threads that send meet what is replaced."""
    current.get_session().sender.hurry()
    until = clock() + 0.02
    while clock() < until:
        pass


def all_looked_around() -> None:
    """Wait for threads that end: Python itself prints what a replaced ``get_ident`` raises then."""
    for thread in threading.enumerate():
        if thread.name in ("cvtrack-gather", "cvtrack-git-state"):
            thread.join()


def combinations() -> Iterator[tuple[str, Any, str, str]]:
    for name, (where, what) in REPLACED.items():
        for effect in EFFECTS:
            yield f"{name} {effect}", where, what, effect


@pytest.mark.usefixtures("script")
@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_all_that_log_returned_of_is_in_the_store(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    raised = {}
    with mlrun("r", output=False):
        all_looked_around()
        for name, where, what, effect in combinations():
            with mock.patch.object(where, what, side_effect=EFFECTS[effect]):
                try:
                    logged(name)
                    a_moment()
                except Exception as error:
                    raised[name] = error
    assert raised == {}
    run = runs_of(store)["r"]
    assert run.info.status == "FINISHED"
    found = {name: len(points(store, run, name)) for name, *_ in combinations()}
    assert {name: count for name, count in found.items() if count != CALLS} == {}
    assert "could not record" not in "".join(capsys.readouterr())
