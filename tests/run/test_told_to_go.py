"""A signal that ends the process may come at any place while a run is opened."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests import warm
from tests.store_views import runs_of

PLACES = {
    "before the journal": "run.recorder.KeptRun._hold",
    "in the journal": "journal.folder.RunFolder.make",
    "before the store": "store.probe.probe",
    "in the store": "store.tracking.mlflow",
    "after the store": "run.recorder.KeptRun.opened",
    "in the plot": "display.plot_feed.Pump.open",
    "at the sender": "delivery.sender.Sender.open",
    "in what is said": "run.stretch.Stretch.fit",
}

SCRIPT = """
import functools, importlib, signal, sys
from cvtrack_magics import log, mlrun
from cvtrack_magics.run import finalize as closing, process
from cvtrack_magics.run.current import get_session

get_session().prepare()
closing.HURRIED = closing.GATHERED = 3600.0
process.LONGEST = 3600.0
*path, name = sys.argv[1].split(".")
for count in range(len(path), 0, -1):
    try:
        owner = importlib.import_module("cvtrack_magics." + ".".join(path[:count]))
        break
    except ImportError:
        pass
for part in path[count:]:
    owner = getattr(owner, part)
plain = owner.__dict__[name]
call = getattr(plain, "__func__", plain)
told = []
@functools.wraps(call)
def comes(*args, **kwargs):
    if not told:
        told.append(1)
        signal.raise_signal(signal.SIGTERM)
    return call(*args, **kwargs)
setattr(owner, name, type(plain)(comes) if call is not plain else comes)
with mlrun("a"):
    log({"loss": 1.0})
print("told" if told else "never told")
"""


def ran(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return warm.run(
        ["-c", script, *words],
        timeout=120,
        env={**os.environ, "CVTRACK_EXIT_TIMEOUT": "5", "CVTRACK_CLOSE_TIMEOUT": "5"},
    )


@pytest.mark.parametrize("place", list(PLACES))
def test_a_run_that_is_being_opened(place: str, store: str) -> None:
    done = ran(SCRIPT, PLACES[place])
    assert done.returncode == -signal.SIGTERM, done.stdout + done.stderr
    assert "Could not" not in done.stdout + done.stderr
    warm.run(["-m", "cvtrack_magics", "sync"], check=True)
    assert {run.info.status for run in runs_of(store).values()} <= {"KILLED"}


HELD = """
import signal, threading
from cvtrack_magics import log, mlrun
from cvtrack_magics.run import process
from cvtrack_magics.store.tracking import Tracking

process.LONGEST = 1.0
lock = threading.Lock()
plainly = Tracking.end_run
def needs(*args):
    with lock:
        return plainly(*args)
Tracking.end_run = needs
with mlrun("a"):
    log({"loss": 1.0})
    with lock:
        signal.raise_signal(signal.SIGTERM)
"""


def test_what_the_signal_interrupts_may_hold_what_we_need(store: str) -> None:
    done = ran(HELD)
    assert done.returncode == 128 + signal.SIGTERM
    assert "'cvtrack sync' sends what is on disk" in done.stderr
    warm.run(["-m", "cvtrack_magics", "sync"], check=True)
    (run,) = runs_of(store).values()
    assert run.info.status == "KILLED"
    assert run.data.metrics["loss"] == 1.0


PRINTS = """
import signal
from cvtrack_magics import log, mlrun
from cvtrack_magics.capture import streams
from cvtrack_magics.run import process

process.LONGEST = 60.0
plainly, told = streams._Log.add, []
def add(self, *words):
    if not told:
        told.append(1)
        signal.raise_signal(signal.SIGTERM)
    return plainly(self, *words)
streams._Log.add = add
with mlrun("a"):
    log({"loss": 1.0})
    print("and here it comes")
"""


def test_it_may_come_while_something_is_printed(store: str) -> None:
    done = ran(PRINTS)
    assert done.returncode == -signal.SIGTERM, done.stderr
    (run,) = runs_of(store).values()
    assert run.info.status == "KILLED"


INTERRUPTED = """
import signal, time
from cvtrack_magics import log, mlrun
from cvtrack_magics.run import process
from cvtrack_magics.run.session import Session

process.LONGEST = 0.5
def stop(self, *given):
    raise KeyboardInterrupt
plainly, Session._close_all = Session._close_all, stop
try:
    with mlrun("a"):
        log({"loss": 1.0})
        signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    time.sleep(2)
    print("a checkpoint is saved")
Session._close_all = plainly
"""


@pytest.mark.usefixtures("store")
def test_an_interrupt_of_its_end_leaves_the_code_its_time() -> None:
    done = ran(INTERRUPTED)
    assert "a checkpoint is saved" in done.stdout, done.stderr
    assert done.returncode == 0
