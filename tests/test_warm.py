"""A fork of the warm interpreter is for a script what a new interpreter is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import warm

LOOKS = (
    "import os, sys, threading\n"
    "print(__name__, sys.argv, sys.orig_argv[1:], sys.path[0], os.getcwd(), os.environ['SAID'])\n"
    "print(globals().get('__file__'), sys.modules['__main__'].__dict__ is globals())\n"
    "print(threading.active_count(), os.getppid() != 1, sys.stdin.read(), sys.flags.isolated)\n"
)
ENDINGS = {
    "to its end": ("", 0),
    "exits": ("sys.exit(3)", 3),
    "says why it exits": ("sys.exit('why')", 1),
    "fails": ("1/0", 1),
    "is killed": ("sys.stdout.flush(); os.kill(os.getpid(), 9)", -9),
    "is interrupted": ("import signal; signal.raise_signal(signal.SIGINT)", -2),
    "at its exit": ("import atexit; atexit.register(print, 'at exit')", 0),
    "a thread goes on": ("threading.Timer(0.2, print, ['later']).start()", 0),
    "a child": ("print(os.waitpid(os.fork() or os._exit(7), 0)[1])", 0),
    "a spawned child": (
        "import multiprocessing as mp\nif __name__ == '__main__':\n"
        "    with mp.get_context('spawn').Pool(1) as pool: print(pool.apply(abs, (-3,)))",
        0,
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("way", ["code", "file", "module"])
def test_a_script_is_what_it_is_in_a_new_interpreter(
    way: str, ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAID", "ü")
    code, expected = ENDINGS[ending]
    script = tmp_path / "script_of_mine.py"
    script.write_text(LOOKS + code)
    words = {
        "code": ["-c", LOOKS + code, "a", "-b"],
        "file": [str(script), "a", "-b"],
        "module": ["-m", "script_of_mine", "a", "-b"],
    }[way]
    cold = subprocess.run(
        [sys.executable, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = warm.run(words)
    assert cold.returncode == expected, cold.stderr
    assert (found.returncode, found.stdout) == (cold.returncode, cold.stdout)
    assert found.stderr.splitlines()[-1:] == cold.stderr.splitlines()[-1:]


def test_one_that_does_not_end_is_killed_with_what_it_started() -> None:
    script = warm.Script(["-c", "import os, time\nprint(os.fork(), flush=True); time.sleep(600)"])
    with pytest.raises(subprocess.TimeoutExpired):
        script.communicate(1.5)
    script.kill()
    out, _ = script.communicate(60)  # both have let the pipe go
    assert script.wait() == -9
    assert "0\n" in out
    assert os.getsid(0) != script.pid
