"""Which processes below this one are the user's Python, and so may log to a run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from cvtrack_magics import forks
from cvtrack_magics.run import started_processes
from cvtrack_magics.run.after_end import Before

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def test_a_program_that_is_just_being_started_is_none() -> None:
    # between fork and exec it looks like this process: one look in five saw one so
    over = threading.Event()

    def start() -> None:
        while not over.is_set():
            subprocess.run(["true"], check=True)

    threads = [threading.Thread(target=start) for _ in range(3)]
    known = started_processes.of_the_user()
    for thread in threads:
        thread.start()
    try:
        seen = [started_processes.of_the_user(forked=False) - known for _ in range(600)]
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set().union(*seen) == set()


@needs_fork
def test_a_fork_and_an_interpreter_are() -> None:
    before, forks_before = Before(), forks.so_far()
    assert before.started_since() == set()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.read(reader, 1)
        os._exit(0)
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert forks.so_far() == forks_before + 1
        until = time.monotonic() + 30
        while len(before.started_since()) < 2 and time.monotonic() < until:
            time.sleep(0.01)  # until the interpreter has begun
        assert before.started_since() == {child, other.pid}
    finally:
        os.write(writer, b"x")
        os.waitpid(child, 0)
        other.communicate(b"\n", timeout=30)
        os.close(reader)
        os.close(writer)
    assert before.started_since() == set()


def test_what_frees_the_memory_of_workers_logs_nothing() -> None:
    code = "import time; print(flush=True); time.sleep(60)  # multiprocessing.resource_tracker"
    before = Before()
    tracker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert tracker.stdout is not None
        tracker.stdout.readline()
        assert before.started_since() == set()
    finally:
        tracker.kill()
        tracker.communicate()


def test_they_are_found_below_threads_and_shells_as_by_a_look_at_all_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = started_processes.of_the_user()
    python = f"{sys.executable} -c 'input()'"
    behind = f"exec 3<&0; ({python} <&3; true) & wait"  # a shell gives it no input otherwise
    lines = [f"{python}; true", behind, "read x", f"exec {python}"]
    started: list[subprocess.Popen[bytes]] = []

    def start(line: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        started.append(subprocess.Popen(["sh", "-c", line], **pipes))

    over = threading.Event()
    thread = threading.Thread(target=lambda: (start(lines[0]), over.wait(60)))
    thread.start()
    try:
        for line in lines[1:]:
            start(line)
        until = time.monotonic() + 60
        while len(found := started_processes.of_the_user() - known) < 3:
            assert time.monotonic() < until, found
            time.sleep(0.01)
        monkeypatch.setattr(started_processes, "_PROC", "/nowhere")
        assert started_processes.of_the_user() - known == found
    finally:
        over.set()
        thread.join()
        for one in started:
            one.communicate()
