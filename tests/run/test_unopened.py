"""A run or a sweep that cannot be opened, since code has replaced what it needs: no raw error."""

from __future__ import annotations

import builtins
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from cvtrack_magics import log, mlend, mlparams, mlrun, mlsweep, mltags
from cvtrack_magics.errors import CvtrackError, UsageProblem
from cvtrack_magics.run import current
from tests.conftest import Shell
from tests.run.test_the_end_comes import closed_stream, no_descriptors, patched, settled
from tests.store_views import runs_of

BROKEN: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "open": lambda: patched(builtins, "open"),
    "os.open": lambda: patched(os, "open"),
    "os.replace": lambda: patched(os, "replace"),
    "os.environ": lambda: patched(os, "environ", None),
    "os.getpid": lambda: patched(os, "getpid"),
    "time.time": lambda: patched(time, "time"),
    "time.time that says nothing": lambda: patched(time, "time", lambda: None),
    "time.monotonic": lambda: patched(time, "monotonic"),
    "socket.gethostname": lambda: patched(socket, "gethostname"),
    "threading.Thread": lambda: patched(threading, "Thread"),
    "threading.Lock": lambda: patched(threading, "Lock"),
    "uuid.uuid4": lambda: patched(uuid, "uuid4"),
    "tempfile.mkstemp": lambda: patched(tempfile, "mkstemp"),
    "Path.mkdir": lambda: patched(Path, "mkdir"),
    "sorted": lambda: patched(builtins, "sorted"),
}
RUN_ALL_THE_SAME: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "json.dumps": lambda: patched(json, "dumps"),
    "re.compile": lambda: patched(re, "compile"),
    "os.getcwd": lambda: patched(os, "getcwd"),
    "no stdout": lambda: patched(sys, "stdout", None),
    "a closed stdout": lambda: patched(sys, "stdout", closed_stream()),
    "no descriptors": no_descriptors,
}
NO_RUN = "the run could not be opened"


def test_a_script_goes_on_without_its_run(
    store: str, script: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, make in {**BROKEN, **RUN_ALL_THE_SAME}.items():
        ran, error = [], ValueError("the user's own")
        with make(), mlrun(name, output=False) as run:
            ran.append(name)
            log({"a": 1.0}, step=0)
        said = capsys.readouterr()
        assert ran == [name]
        assert run.summary is not None
        assert run.summary.status == "FINISHED"
        assert (NO_RUN in said.out + said.err) == (name in BROKEN), (name, said)
        assert not current.get_session().scopes, name
        if name not in BROKEN:
            continue
        assert run.run_id == ""
        assert "not opened" in repr(run)
        with make(), pytest.raises(ValueError, match="own") as caught, mlrun(name, output=False):
            raise error
        assert caught.value is error, name
        capsys.readouterr()
    for name in RUN_ALL_THE_SAME:
        assert settled(store, name) == "FINISHED", name
    assert not BROKEN.keys() & runs_of(store).keys()


def test_the_first_run_of_a_script(store: str, script: None) -> None:
    """Neither is there a session then, which cannot be made either."""
    ran = False
    with patched(uuid, "uuid4"), patched(threading, "RLock"), mlrun("first", output=False):
        ran = True
    assert ran
    assert current.peek() is None
    with mlrun("second", output=False):
        log(a=1.0)
    assert settled(store, "second") == "FINISHED"


def unopened(name: str, **options: Any) -> Any:
    """Open a run where it cannot be; what follows runs with all as it was."""
    with patched(uuid, "uuid4"):
        return mlrun(name, output=False, **options)


def test_what_was_meant_for_it_goes_to_no_other_run(store: str, script: None) -> None:
    with unopened("missed"):
        mlparams({"lr": 0.1})
        mltags(team="theirs")
    run = unopened("pipeline")
    mlparams({"lr": 0.2})
    assert mlend().status == "FINISHED"
    assert run.run_id == ""
    left = unopened("never ended")
    with mlrun("next", output=False):
        mlparams({"batch": 8})
    assert left.end().run_id == ""
    mlparams({"later": 1})  # with no run: for the next one, as ever
    with mlrun("last", output=False):
        log(a=1.0)
    found = runs_of(store)
    assert "lr" not in found["next"].data.params
    assert found["next"].data.params["batch"] == "8"
    assert "team" not in found["next"].data.tags
    assert "later" in found["last"].data.params
    assert not {"missed", "pipeline", "never ended"} & found.keys()
    with pytest.raises(UsageProblem, match="No run is open"):
        mlend()


def test_a_run_that_is_nested_in_it_is_recorded(store: str, script: None) -> None:
    with unopened("outer"), mlrun("inner", nested=True, output=False) as inner:
        log(a=1.0)
    assert inner.summary is not None
    assert any("'outer'" in notice for notice in inner.summary.notices)
    assert settled(store, "inner") == "FINISHED"
    assert "mlflow.parentRunId" not in runs_of(store)["inner"].data.tags
    with pytest.raises(UsageProblem, match="no open run"):
        mlrun("alone", nested=True)


@pytest.mark.parametrize(
    "options", [{"name": 3}, {"name": None}, {"name": b"r"}, {"tags": 5}, {"tags": [("a", 1)]}]
)
def test_what_is_no_name_and_no_tags_is_an_error(options: Any, store: str, script: None) -> None:
    with pytest.raises(UsageProblem, match=r"name is text|are a dict"):
        mlrun(**{"name": "r", **options})


def tried(trial: Any) -> float:
    return float(trial.suggest_float("lr", 0, 1))


def test_a_sweep_says_why_it_cannot_go_on(store: str, script: None) -> None:
    for name, make in {**BROKEN, "json.dumps": RUN_ALL_THE_SAME["json.dumps"]}.items():
        with make(), pytest.raises(CvtrackError, match="cannot go on") as caught:
            mlsweep("lr", tried, metric="acc", trials=1)
        assert "\n" not in str(caught.value), name
        assert not current.get_session().scopes, name
    assert mlsweep("lr", tried, metric="acc", trials=1) is not None


def test_a_cell_with_a_sweep_says_it_in_a_line(shell: Shell, store: str) -> None:
    cell = "%%mlsweep lr --metric acc --trials 1\nlog(acc=trial.suggest_float('lr', 0, 1))"
    shell.run("from cvtrack_magics import log, mlparams")
    shell.run("%%mlrun before\n1")
    for name in ("open", "os.environ", "time.time", "threading.Thread", "sorted"):
        with BROKEN[name]():
            shell.ip.run_cell(cell)
        said = shell._capsys.readouterr()
        assert "cannot go on" in said.out + said.err, (name, said)
        assert "Traceback" not in said.out + said.err, name
    with patched(uuid, "uuid4"):
        shell.run("%%mlrun missed\nmlparams({'lr': 0.1})")
    shell.run(cell)
    assert shell.result.success
    assert "lr" not in runs_of(store)["lr"].data.params
