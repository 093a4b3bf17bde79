"""What a cell put in the place of Python's own functions costs no run its end, and no point."""

from __future__ import annotations

import builtins
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import mlflow
import pytest

from cvtrack_magics import log, mlrun, standard
from tests.conftest import Shell
from tests.interruptions import raises_at
from tests.store_views import points, runs_of

RAISE = (
    *("__import__", "any", "dict", "float", "getattr", "hasattr", "hash", "int", "isinstance"),
    *("issubclass", "iter", "len", "list", "max", "next", "open", "print", "range", "repr"),
    *("setattr", "sorted", "str", "super", "tuple", "type", "vars", "OSError"),
)
DO_NOTHING = ("__import__", "float", "isinstance", "len", "open", "print", "sorted", "str")
SET, DELETE, NAMES = setattr, delattr, vars
GONE = object()


def broken(*args: Any, **kwargs: Any) -> Any:
    raise ValueError("replaced")


class Left:
    """A replacement that the code does not take back."""

    def __init__(self, owner: Any, name: str, value: Any) -> None:
        self._owner, self._name, self._value = owner, name, value
        self._before = NAMES(owner).get(name, GONE)

    def put(self) -> None:
        if self._value is GONE:
            DELETE(self._owner, self._name)
        else:
            SET(self._owner, self._name, self._value)

    def is_there(self) -> bool:
        return NAMES(self._owner).get(self._name, GONE) is self._value

    def take_back(self) -> None:
        if self._before is GONE:
            DELETE(self._owner, self._name)
        else:
            SET(self._owner, self._name, self._before)


def cases() -> Iterator[tuple[str, Left]]:
    for name in RAISE:
        yield f"{name} raises", Left(builtins, name, broken)
    for name in DO_NOTHING:
        yield f"{name} does nothing", Left(builtins, name, mock.MagicMock())


REPLACED: dict[str, Callable[[], Left]] = {
    "json.dumps": lambda: Left(json, "dumps", broken),
    "json.JSONEncoder.encode": lambda: Left(json.JSONEncoder, "encode", broken),
    "os.replace": lambda: Left(os, "replace", broken),
    "os.stat, deleted": lambda: Left(os, "stat", GONE),
    "os.path.join": lambda: Left(os.path, "join", broken),
    "Path.write_text": lambda: Left(pathlib.Path, "write_text", broken),
    "PosixPath.exists": lambda: Left(pathlib.PosixPath, "exists", broken),
    "pathlib.Path": lambda: Left(pathlib, "Path", broken),
    "shutil.rmtree": lambda: Left(shutil, "rmtree", broken),
    "sqlite3.connect": lambda: Left(sqlite3, "connect", broken),
    "tempfile.mkdtemp": lambda: Left(tempfile, "mkdtemp", broken),
    "threading.Thread.start": lambda: Left(threading.Thread, "start", broken),
    "threading.Event.wait": lambda: Left(threading.Event, "wait", broken),
    "threading.Lock": lambda: Left(threading, "Lock", broken),
    "time.sleep": lambda: Left(time, "sleep", broken),
    "time.time": lambda: Left(time, "time", lambda: 0.0),
    "datetime.datetime": lambda: Left(datetime, "datetime", broken),
    "hashlib.sha256": lambda: Left(hashlib, "sha256", broken),
    "uuid.uuid4": lambda: Left(uuid, "uuid4", broken),
}


def ended(store: str, name: str) -> tuple[str, list[float]]:
    """Return a run's status and what was logged of ``a``."""
    run = runs_of(store)[name]
    return run.info.status, [value for _, value in points(store, run, "a")]


def played(name: str, left: Left) -> BaseException | None:
    """Log before and after something is replaced, in a run that is closed with it so."""
    caught = None
    try:
        with mlrun(name, output=False):
            log({"a": 1.0}, step=0)
            left.put()
            log({"a": 2}, step=1)
    except BaseException as error:
        caught = error
    there = left.is_there()
    left.take_back()
    assert there, name
    return caught


def test_the_end_comes_whatever_stands_in_a_functions_place(store: str, script: None) -> None:
    played_all = {name: played(name, left) for name, left in cases()}
    played_all |= {name: played(name, make()) for name, make in REPLACED.items()}
    assert {name: error for name, error in played_all.items() if error is not None} == {}
    found = {name: ended(store, name) for name in played_all}
    assert {n: it for n, it in found.items() if it != ("FINISHED", [1.0, 2.0])} == {}
    assert mlflow.active_run() is None


def test_time_is_the_systems(store: str, script: None) -> None:
    with mlrun("frozen", output=False), mock.patch("time.time", return_value=0.0):
        log(a=1.0)
    info = runs_of(store)["frozen"].info
    assert info.end_time >= info.start_time > 0


@pytest.mark.parametrize(
    "name", [*(f"builtins.{n}" for n in ("sorted", "open", "max")), "json.dumps"]
)
def test_a_cells_run_ends_with_what_it_left(shell: Shell, store: str, name: str) -> None:
    shell.run(
        "%%mlrun left\nfrom unittest import mock\nfrom cvtrack_magics import log\nlog(a=1.0)\n"
        f"patcher = mock.patch('{name}', side_effect=ValueError('replaced'))\n"
        "_ = patcher.start()"
    )
    patcher = shell.ip.user_ns["patcher"]
    assert getattr(patcher.target, patcher.attribute) is not patcher.temp_original
    patcher.stop()
    assert ended(store, "left") == ("FINISHED", [1.0])


def test_what_somebody_sets_meanwhile_stays() -> None:
    left = Left(json, "dumps", broken)
    left.put()
    try:
        with standard.AsAtLoad():
            assert not left.is_there()
            with standard.AsTheUserHasIt():
                assert left.is_there()
            json.dumps = other = lambda *_: "other"  # type: ignore[assignment]
        assert json.dumps is other
    finally:
        left.take_back()


def test_one_that_is_closed_beside_another_keeps_them() -> None:
    left = Left(builtins, "len", broken)
    left.put()
    try:
        with standard.AsAtLoad():
            with standard.AsAtLoad():
                pass
            assert not left.is_there()
        assert left.is_there()
    finally:
        left.take_back()


def test_what_arrives_meanwhile_spoils_no_later_closing() -> None:
    def closing() -> None:
        with standard.AsAtLoad():
            pass

    for place in range(0, 200, 3):
        raises_at(place, closing, RuntimeError)
    left = Left(builtins, "len", broken)
    left.put()
    try:
        with standard.AsAtLoad():
            assert not left.is_there()
        assert left.is_there()
    finally:
        left.take_back()


EARLY = """
import cvtrack_magics, os, sys, time
from cvtrack_magics import log, mlrun
owner, name = {"os": os, "time": time}[sys.argv[1]], sys.argv[2]
kept = getattr(owner, name)
setattr(owner, name, lambda *args, **named: 1 / 0)
for run in ("with", "without"):
    try:
        with mlrun(run, output=False, code=False):
            log(a=1.0)
            log(a=2.0)
    finally:
        setattr(owner, name, kept)
"""


@pytest.mark.parametrize("name", ["os stat", "time monotonic"])
def test_what_was_there_before_the_first_run_stays_in_no_later_one(store: str, name: str) -> None:
    """The first run imports most of this package: with the system's functions as they were."""
    words = [sys.executable, "-c", EARLY, *name.split()]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert ended(store, "without") == ("FINISHED", [1.0, 2.0])
