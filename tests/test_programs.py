"""A child that is forked while a program is being started has no part of its pipes."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

import cvtrack_magics
from cvtrack_magics import programs
from tests.run.test_workers import run_script

HOUSE = Path(cvtrack_magics.__file__).parent
STARTS = {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}
OTHERS = {
    "programs.py",
    "delivery/watcher.py",  # processes of their own, with one thread that starts a program
    "store/page_process.py",
}


def test_every_program_is_started_where_a_fork_waits_for_it() -> None:
    found = set()
    for path in HOUSE.rglob("*.py"):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if not isinstance(called, ast.Attribute) or not isinstance(called.value, ast.Name):
                continue
            if (called.value.id, called.attr) in {("subprocess", one) for one in STARTS} | {
                ("os", "popen"),
                ("os", "system"),
            }:
                found.add(path.relative_to(HOUSE).as_posix())
    assert found == OTHERS - {"programs.py"}


STARTERS = {
    "a program": "programs.run([sys.executable, '-c', 'print(1)'])",
    "git": "gitcall.Git(Path('.').resolve(), time.monotonic() + 60).run('version')",
    "the companion": "companion._start().stdin.close()",
    "the graphics card's list": "gpus._from_smi(None)",
}

# The start of a program lasts as long here as it does where a machine is busy.
SLOW = """
from pathlib import Path
from cvtrack_magics import programs
from cvtrack_magics.capture.code import gitcall
from cvtrack_magics.capture.machine import gpus
from cvtrack_magics.delivery import companion
Path("nvidia-smi").write_text("#!/bin/sh\\necho a\\n")
Path("nvidia-smi").chmod(0o755)
os.environ["PATH"] = os.getcwd() + os.pathsep + os.environ["PATH"]
plain, starting, started = subprocess._fork_exec, threading.Event(), threading.Event()
def slowly(*args):
    starting.set()
    time.sleep(0.3)
    pid = plain(*args)
    time.sleep(0.3)
    return pid
subprocess._fork_exec = slowly
def start():
    STARTER
    started.set()
threading.Thread(target=start, daemon=True).start()
starting.wait(60)
pid = os.fork()
if pid == 0:
    time.sleep(120)
    os._exit(0)
print("it went on beside the child:", started.wait(60))
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked there")
@pytest.mark.parametrize("starter", STARTERS)
def test_no_child_keeps_what_a_thread_waits_for(
    starter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run_script(SLOW.replace("STARTER", STARTERS[starter]), tmp_path)
    assert "it went on beside the child: True" in ran.stdout, ran.stdout + ran.stderr


ENDS_WITH_ITS_INPUT = {
    "a program": "programs.Program([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)",
    "the process that sends": "sending_process._start(os.environ)",
    "MLflow's page": """programs.Program(
        [sys.executable, page_process.__file__, "sleep", "200"], stdin=subprocess.PIPE)""",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked there")
@pytest.mark.parametrize("what", ENDS_WITH_ITS_INPUT)
def test_what_ends_with_its_input_ends_beside_a_child(
    what: str, store: str, tmp_path: Path
) -> None:
    code = f"""
from cvtrack_magics import programs
from cvtrack_magics.delivery import sending_process
from cvtrack_magics.store import page_process
program = {ENDS_WITH_ITS_INPUT[what]}
pid = os.fork()
if pid == 0:
    time.sleep(120)
    os._exit(0)
program.stdin.close()
program.wait(60)
print("it ended beside the child")
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
"""
    ran = run_script(code, tmp_path)
    assert "it ended beside the child" in ran.stdout, ran.stdout + ran.stderr


def test_a_run_says_what_a_program_said_and_how_it_ended() -> None:
    code = "import sys; print(sys.stdin.read().upper()); sys.exit('no')"
    ran = programs.run([sys.executable, "-c", code], given=b"words")
    assert (ran.stdout.strip(), ran.stderr.strip(), ran.returncode) == (b"WORDS", b"no", 1)


def test_a_program_that_takes_too_long_is_ended() -> None:
    code = "import time; time.sleep(100)"
    with pytest.raises(programs.subprocess.TimeoutExpired):
        programs.run([sys.executable, "-c", code], timeout=0.5)
