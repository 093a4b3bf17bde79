"""Several processes begin at once with a store that is new."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cvtrack_magics.store import alone, first_contact

fcntl = pytest.importorskip("fcntl", reason="Windows has no such lock")

BEGIN = """
import os, sys, time
import mlflow
mlflow.set_tracking_uri(sys.argv[1])
from cvtrack_magics import log, mlexperiment, mlrun
print("ready", flush=True)
sys.stdin.readline()
print("told:", mlexperiment(f"exp-{sys.argv[2]}"))
for name in ("a", "b"):
    with mlrun(name, output=False) as run:
        log({"loss": 1.0})
    print("told:", run.summary.experiment, *run.summary.notices)
"""


def test_two_notebooks_begin_at_once_in_a_new_folder(tmp_path: Path) -> None:
    """MLflow alone makes the tables without a lock, and one of the two fails half-way."""
    begin = [sys.executable, "-c", BEGIN, f"sqlite:///{tmp_path / 'mlflow.db'}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": tmp_path}
    both = [subprocess.Popen([*begin, str(at)], **pipes) for at in range(2)]  # type: ignore[call-overload]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    for at, process in enumerate(both):
        said, _ = process.communicate(timeout=120)
        told = [line for line in said.splitlines() if line.startswith("told:")]
        assert told == [
            f"told: Experiment 'exp-{at}' in mlflow.db",
            f"told: exp-{at}",
            f"told: exp-{at}",
        ]


def test_who_holds_the_lock_for_ever_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone, "LONGEST", 0.2)
    file = tmp_path / "mlflow.db"
    with alone.lock_of(f"tables of {file}").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        first_contact.meet(f"sqlite:///{file}")
    assert file.exists()


def test_others_wait_until_the_tables_are_there(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    met = threading.Event()

    def meet() -> None:
        first_contact.meet(f"sqlite:///{file}")
        met.set()

    with alone.lock_of(f"tables of {file}").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=meet, daemon=True)
        thread.start()
        time.sleep(0.3)
        assert not met.is_set()
        assert not file.exists()
    assert met.wait(60)
    assert file.exists()


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9", "./mlruns", "sqlite://", "postgresql://h/db"]
)
def test_other_stores_are_not_waited_for(uri: str) -> None:
    first_contact.meet(uri)


def test_a_lock_that_cannot_be_had_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alone.tempfile, "gettempdir", lambda: str(tmp_path / "none"))
    file = tmp_path / "mlflow.db"
    first_contact.meet(f"sqlite:///{file}")
    assert file.exists()
