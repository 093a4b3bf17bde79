"""A script waits at its end until its runs are in the store, as long as the store takes them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests import warm
from tests.conftest import closed_uri
from tests.store_views import points, runs_of

MANY = 4000

SCRIPT = """
import os, sys, time
from cvtrack_magics import log, mlrun
from cvtrack_magics.delivery import sender
from cvtrack_magics.run.current import get_session
from cvtrack_magics.store.tracking import Tracking

config = get_session().config
sender.SOON = float(sys.argv[3])
config.close_timeout, config.exit_timeout = 0.01, float(sys.argv[1])
plainly = Tracking.write_points
def slowly(self, run, points):
    time.sleep(float(sys.argv[2]))
    return plainly(self, run, points)
Tracking.write_points = slowly
with mlrun("a"):
    for step in range({many}):
        log({{"loss": float(step)}}, step=step)
"""


def ran(exit_timeout: float, pause: float, uri: str, soon: float = 1.0) -> tuple[float, str, int]:
    """Return for how long the script ran, what it said and how it ended."""
    began = time.monotonic()
    done = warm.run(
        ["-c", SCRIPT.format(many=MANY), str(exit_timeout), str(pause), str(soon)],
        env={**os.environ, "MLFLOW_TRACKING_URI": uri, "CVTRACK_WATCH": "0"},
    )
    return time.monotonic() - began, done.stdout + done.stderr, done.returncode


def test_a_script_waits_until_all_is_sent(store: str) -> None:
    _, said, code = ran(60, 0.6, store)
    assert code == 0, said
    run = runs_of(store)["a"]
    assert run.info.status == "FINISHED"
    assert points(store, run, "loss") == [(step, float(step)) for step in range(MANY)]
    assert said.count("cvtrack: waiting at most 60 s until") == 1


def test_what_is_sent_at_once_is_not_spoken_of(store: str) -> None:
    _, said, code = ran(60, 0.0, store, soon=30.0)
    assert code == 0, said
    assert runs_of(store)["a"].info.status == "FINISHED"
    assert "waiting at most" not in said


def test_it_waits_no_longer_than_it_is_told(store: str) -> None:
    seconds, said, code = ran(2, 3600, store)
    assert code == 0, said
    assert seconds < 600
    assert "cvtrack: waiting at most 2 s until" in said
    ended = warm.run(["-m", "cvtrack_magics", "sync"])
    assert ended.returncode == 0
    run = runs_of(store)["a"]
    assert run.info.status == "FINISHED"
    assert len(points(store, run, "loss")) == MANY


def test_it_does_not_wait_for_a_store_that_is_away(tmp_path: Path) -> None:
    del tmp_path
    _, said, code = ran(3600, 0.0, closed_uri())
    assert code == 0, said
    assert "kept on disk" in said
    assert "waiting at most" not in said


def test_a_run_that_is_left_open_is_ended_and_sent(store: str) -> None:
    code = SCRIPT.replace('with mlrun("a"):', 'mlrun("a")\nif True:').format(many=MANY)
    done = warm.run(["-c", code, "60", "0.3", "1"])
    assert done.returncode == 0, done.stderr
    run = runs_of(store)["a"]
    assert run.info.status == "KILLED"
    assert len(points(store, run, "loss")) == MANY


def told_to_go(number: int, pause: float) -> subprocess.CompletedProcess[str]:
    """Run a script that gets a signal in its run."""
    code = SCRIPT.format(many=MANY)
    done = warm.run(
        ["-c", f"{code}\n    os.kill(os.getpid(), {number})\n", "3600", str(pause), "1"],
        timeout=120,
        env={**os.environ, "CVTRACK_WATCH": "0"},
    )
    assert done.returncode == -number
    return done


def test_who_is_told_to_go_sends_what_can_be_sent_soon(store: str) -> None:
    told_to_go(signal.SIGTERM, 0.3)  # longer than the end of a run waits here
    run = runs_of(store)["a"]
    assert run.info.status == "KILLED"
    assert len(points(store, run, "loss")) == MANY


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nobody_who_is_told_to_go_waits_long(number: int, store: str) -> None:
    done = told_to_go(number, 3600)
    assert "3600" not in done.stdout
    warm.run(["-m", "cvtrack_magics", "sync"], check=True)
    run = runs_of(store)["a"]
    assert run.info.status == "KILLED"
    assert len(points(store, run, "loss")) == MANY
