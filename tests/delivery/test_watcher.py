"""A killed kernel's runs are KILLED in the store, with all their points and no next load."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cvtrack_magics.delivery import watcher
from cvtrack_magics.delivery.companion import Companion, OpenedRun

SCRIPT = """
import multiprocessing, os, sys, time
from cvtrack_magics import log, mlrun
def sleep(): time.sleep(120)
with mlrun("outer"):
    log({"o": 1.0}, step=0)
    with mlrun("inner", nested=True):
        if sys.argv[1] == "forked":
            multiprocessing.get_context("fork").Process(target=sleep, daemon=True).start()
        for i in range(500): log({"x": float(i)}, step=i)
        from cvtrack_magics.delivery.companion import companion
        while companion.process is None: time.sleep(0.05)
        print(companion.process.pid, flush=True)
        if sys.argv[1] != "ends": time.sleep(120)
"""


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "m.db", timeout=30) as store:
        return store.execute(query).fetchall()


def wait_for(what: Callable[[], bool], seconds: float = 120.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


def gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def start(folder: Path, how: str) -> tuple[subprocess.Popen[str], psutil.Process]:
    env = {
        **os.environ,
        "XDG_STATE_HOME": str(folder / "state"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/m.db",
        "CVTRACK_WATCH": "1",
        "MLFLOW_TRACKING_TOKEN": "a-token-of-the-session",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, how],
        env=env,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, psutil.Process(int(process.stdout.readline()))


@pytest.mark.parametrize("how", ["alone", "forked", "group"])
def test_a_killed_process_is_killed_in_the_store(tmp_path: Path, how: str) -> None:
    process, companion = start(tmp_path, how)
    assert not any("token" in word for word in companion.cmdline())
    if how == "group":
        os.killpg(process.pid, signal.SIGKILL)  # as a notebook server ends a kernel
    else:
        process.kill()
    process.wait()
    status = "select name, status from runs order by name"
    try:
        killed = [("inner", "KILLED"), ("outer", "KILLED")]
        assert wait_for(lambda: rows(tmp_path, status) == killed), rows(tmp_path, status)
        counts = "select key, count(*) from metrics where key in ('o', 'x') group by key"
        assert rows(tmp_path, counts) == [("o", 1), ("x", 500)]
        assert wait_for(lambda: gone(companion))
        assert not list((tmp_path / "state/cvtrack_magics/journal").iterdir())
        found = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
        assert not any(b"a-token-of-the-session" in path.read_bytes() for path in found)
    finally:
        if how == "forked":
            os.killpg(process.pid, signal.SIGKILL)


def test_the_companion_goes_with_a_process_that_ends_by_itself(tmp_path: Path) -> None:
    process, companion = start(tmp_path, "ends")
    assert companion.memory_info().rss < 25e6
    assert process.wait(60) == 0
    assert rows(tmp_path, "select distinct status from runs") == [("FINISHED",)]
    assert wait_for(lambda: gone(companion))


def test_the_companion_needs_nothing_but_the_standard_library() -> None:
    code = (
        "import sys, runpy; before = set(sys.modules)\n"
        f"sys.path.insert(0, {str(Path(watcher.__file__).parents[2])!r})\n"
        "import cvtrack_magics.delivery.watcher, cvtrack_magics.journal.liveness\n"
        "print([n for n in sys.modules if n.split('.')[0] not in sys.stdlib_module_names\n"
        "       and n.split('.')[0] != 'cvtrack_magics' and n not in before])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def test_one_that_is_ended_is_waited_for_by_its_kernel_and_the_next_run_has_another(
    by: signal.Signals, tmp_path: Path
) -> None:
    companion = Companion()
    run = OpenedRun("a", str(tmp_path), "nobody", "", "sqlite://", {})
    companion.tell(run)
    assert wait_for(lambda: companion.process is not None)
    assert companion.process is not None
    first = companion.process.pid
    with contextlib.suppress(ProcessLookupError):  # of nothing to watch it ends by itself
        os.kill(first, by)
    assert wait_for(lambda: not psutil.pid_exists(first)), "it is a zombie yet"
    companion.tell(run)
    assert wait_for(lambda: companion.process is not None and companion.process.pid != first)
    companion.process.kill()
    assert wait_for(lambda: companion.process is None or companion.process.poll() is not None)
