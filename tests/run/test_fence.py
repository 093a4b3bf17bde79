"""Who still sends what a killed kernel left does not end a run that is resumed meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import mlflow
import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.journal.fact_lines import Batch
from cvtrack_magics.journal.folder import RunNote, me, read_folders
from cvtrack_magics.records import End
from cvtrack_magics.run import resume
from cvtrack_magics.store.deferred_runs import goes_on_as
from cvtrack_magics.store.tracking import OpenRun, Tracking
from cvtrack_magics.store.writer import FilesHeld
from tests import warm
from tests.run.test_sync import journal
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")

KILLED = """
import os, sys, time
from cvtrack_magics import log, mlrun
with mlrun("d", output=False) as run:
    for step in range(3):
        log({"a": float(step)}, step=step)
    while not run.run_id:
        time.sleep(0.01)
    os.kill(os.getpid(), 9)
"""

COMPANION = """
import sys
from cvtrack_magics.delivery import recovery
from cvtrack_magics.run.current import get_session

session = get_session()
left = recovery.claim(session.tracking, recovery.left_behind(session.journal, []))
print(len(left), flush=True)
for line in sys.stdin:
    for delivery in left:
        delivery.advance()
    print([delivery.done for delivery in left], flush=True)
"""


class Companion:
    """A process that has claimed what a killed one left, and sends it when it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self._to: IO[str] = process.stdin
        self._from: IO[str] = process.stdout
        self.claimed = int(self._from.readline())

    def sends(self) -> str:
        """Let it send all, and return what it says of it."""
        self._to.write("\n")
        self._to.flush()
        return self._from.readline().strip()


@contextmanager
def companion() -> Iterator[Companion]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMPANION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Companion(process)
    finally:
        process.kill()
        process.communicate()


def killed() -> None:
    done = warm.run(["-c", KILLED])
    assert done.returncode == -9, done.stderr


def test_a_resumed_run_is_not_ended_by_who_sends_its_first_stretch(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed()
    monkeypatch.setattr(resume, "BEFORE", 0.0)  # it takes longer than a resume waits
    with companion() as other:
        assert other.claimed == 1
        with mlrun("d", resume=True, output=False):
            log({"a": 3.0}, step=3)
            assert other.sends() == "[True]"
            assert runs_of(store)["d"].info.status == "RUNNING"
        (run,) = runs_of(store).values()
    assert run.info.status == "FINISHED"
    assert points(store, run, "a") == [(step, float(step)) for step in range(4)]
    assert run.data.tags["cvtrack.stretches"] == "2"


def test_an_end_that_comes_after_the_resumed_run_is_over_changes_nothing(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed()
    monkeypatch.setattr(resume, "BEFORE", 0.0)
    with companion() as other:
        with mlrun("d", resume=True, output=False):
            log({"a": 3.0}, step=3)
        ended = runs_of(store)["d"].info
        assert other.sends() == "[True]"
    now = runs_of(store)["d"].info
    assert (now.status, now.end_time) == ("FINISHED", ended.end_time)


def test_a_run_that_nobody_resumes_is_killed(store: str) -> None:
    killed()
    with companion() as other:
        assert other.sends() == "[True]"
    assert runs_of(store)["d"].info.status == "KILLED"


def test_a_resume_waits_for_who_sends_what_was_left(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed()
    monkeypatch.setattr(resume, "BEFORE", 60.0)
    seen: list[str] = []
    with companion() as other:
        telling = threading.Timer(1.0, lambda: seen.append(other.sends()))
        telling.start()
        with mlrun("d", resume=True, output=False):
            assert seen == ["[True]"]
            log({"a": 3.0})
        telling.join()
    (run,) = runs_of(store).values()
    assert run.info.status == "FINISHED"
    assert points(store, run, "a") == [(step, float(step)) for step in range(4)]
    assert not list(read_folders(journal()))


def test_who_died_while_sending_is_no_reason_to_wait(store: str) -> None:
    killed()
    with companion() as other:
        assert other.claimed == 1
    with mlrun("d", resume=True, output=False):
        log({"a": 3.0})
    (run,) = runs_of(store).values()
    assert points(store, run, "a") == [(step, float(step)) for step in range(4)]
    assert run.info.status == "FINISHED"
    assert mlflow.active_run() is None


TWICE = """
import os
from cvtrack_magics import log, mlrun
from cvtrack_magics.run.current import get_session
get_session().config.close_timeout = get_session().config.exit_timeout = 0.1
try:
    with mlrun("d", output=False):
        log({"a": 0.0}, step=0)
        raise KeyError("the first stretch fails")
except KeyError:
    pass
with mlrun("d", resume=True, output=False):
    log({"a": 1.0}, step=1)
os._exit(0)
"""


def test_two_stretches_that_were_recorded_without_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, gone = tmp_path / "there", tmp_path / "gone"
    there.mkdir()
    store = f"sqlite:///{there}/mlflow.db"
    mlflow.MlflowClient(store).search_experiments()  # makes the tables
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    there.rename(gone)
    done = warm.run(["-c", TWICE])
    assert done.returncode == 0, done.stderr
    gone.rename(there)
    warm.run(["-m", "cvtrack_magics", "sync"], check=True)
    (run,) = runs_of(store).values()
    assert run.info.status == "FINISHED"
    assert run.data.tags["cvtrack.stretches"] == "2"
    assert points(store, run, "a") == [(0, 0.0), (1, 1.0)]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_late_end_is_set_once_and_only_where_it_is_the_runs(
    store: str, monkeypatch: pytest.MonkeyPatch, resumed: bool
) -> None:
    client = mlflow.MlflowClient(store)
    info = client.create_run("0").info
    tracking = Tracking(store, 3.0)
    note = RunNote("k" * 32, "d", store, 1, *me(), run_id=info.run_id)
    delivery = Delivery(tracking, note, {}, lambda: 0, uri=store)
    delivery.end = End("FAILED", 5_000)  # long ago
    held = FilesHeld(OSError("a file waits"), [])
    monkeypatch.setattr(delivery, "_held", [Batch(1, (), None, None)])
    monkeypatch.setattr(delivery, "_why_held", held)
    if resumed:
        goes_on_as(store, info.run_id, 2)
    run = OpenRun(info.run_id, "d", "0", "Default", store, 1, {})
    with pytest.raises(FilesHeld):
        delivery._finish(run, delivery.end)
    assert client.get_run(info.run_id).info.status == ("RUNNING" if resumed else "FAILED")
    client.set_terminated(info.run_id, "FINISHED")
    with pytest.raises(FilesHeld):  # it is tried again, for the file
        delivery._finish(run, delivery.end)
    assert client.get_run(info.run_id).info.status == "FINISHED"
