"""Whatever code has left patched, or used up: the next cell runs, with its run or with a line."""

from __future__ import annotations

import atexit
import builtins
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from cvtrack_magics.plainjson import dumps, loads
from tests.conftest import Shell
from tests.run.test_the_end_comes import no_descriptors, patched, settled
from tests.store_views import points, runs_of

NO_RUN = "the run could not be opened"

LEFT: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "json.dumps": lambda: patched(json, "dumps"),
    "json.loads": lambda: patched(json, "loads"),
    "json.dump": lambda: patched(json, "dump"),
    "time.time": lambda: patched(time, "time"),
    "time.sleep": lambda: patched(time, "sleep"),
    "os.getpid": lambda: patched(os, "getpid"),
    "os.environ": lambda: patched(os, "environ", None),
    "socket.socket": lambda: patched(socket, "socket"),
    "socket.gethostname": lambda: patched(socket, "gethostname"),
    "open": lambda: patched(builtins, "open"),
    "print": lambda: patched(builtins, "print"),
    "threading.Thread": lambda: patched(threading, "Thread"),
    "threading.RLock": lambda: patched(threading, "RLock"),
    "uuid.uuid4": lambda: patched(uuid, "uuid4"),
    "subprocess.Popen": lambda: patched(subprocess, "Popen"),
    "tempfile.mkstemp": lambda: patched(tempfile, "mkstemp"),
    "Path.mkdir": lambda: patched(Path, "mkdir"),
    "atexit.register": lambda: patched(atexit, "register"),
    "no descriptors": no_descriptors,
}
RUN_ALL_THE_SAME = {
    "json.dumps",
    "json.loads",
    "json.dump",
    "time.sleep",
    "socket.socket",
    "print",
    "subprocess.Popen",
    "no descriptors",
}


def test_the_next_cell_runs_whatever_is_left_patched(shell: Shell, store: str) -> None:
    shell.run("from cvtrack_magics import log\nran = []")
    shell.run("%%mlrun before\nlog(a=1.0)")
    for name, make in LEFT.items():
        with make():
            shell.ip.run_cell(f"%%mlrun {name}\nran.append({name!r})\nlog({{'a': 1.0}}, step=0)")
        said = shell._capsys.readouterr()
        result = shell.ip.user_ns["ran"]
        assert result[-1:] == [name], said.out + said.err
        opened = NO_RUN not in said.out + said.err
        assert opened == (name in RUN_ALL_THE_SAME), (name, said.out + said.err)
        assert "Traceback" not in said.out + said.err, name
        shell.run("%%mlrun after\nlog(a=1.0)")
        assert shell.result.success, name
    found = runs_of(store)
    for name in RUN_ALL_THE_SAME:
        assert settled(store, name) == "FINISHED", name
        assert points(store, found[name], "a") == [(0, 1.0)], name


def test_a_line_says_what_was_replaced_and_what_is_full(shell: Shell, store: str) -> None:
    shell.run("def mine(*_): raise RuntimeError('in mine')\nran = 0")
    with patched(uuid, "uuid4", lambda *_: shell.ip.user_ns["mine"]()):
        said = shell.run("%%mlrun r\nran += 1")
    assert "(RuntimeError: in mine, raised in mine())" in said
    assert "Put back what your code has replaced" in said
    assert shell.ip.user_ns["ran"] == 1


def test_an_error_of_the_line_keeps_the_cell_from_running(shell: Shell, store: str) -> None:
    for line in ("", "r --nested", "r --params missing", "r --seed", "r --params 1/0"):
        shell.run(f"%%mlrun {line}\nran = 1")
        assert not shell.result.success, line
        assert "ran" not in shell.ip.user_ns, line


FIRST = """
import sys
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance(colors="nocolor")
ip.run_cell("%load_ext cvtrack_magics")
{before}
done = ip.run_cell("%%mlrun r\\nprint('the cell has run')")
{after}
print("success:", done.success)
"""
FULL = (
    "import resource; limits = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
    "resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))",
    "resource.setrlimit(resource.RLIMIT_NOFILE, limits)",
)
JSON = (
    "import json\ndef fails(*a, **k): raise RuntimeError('in mine')\n"
    "kept = json.loads; json.loads = fails",
    "json.loads = kept",
)
PID = (
    "import os\ndef fails(*a, **k): raise RuntimeError('in mine')\n"
    "kept = os.getpid; os.getpid = fails",
    "os.getpid = kept",
)


@pytest.mark.parametrize("what", [FULL, JSON, PID], ids=["no descriptors", "json", "pid"])
@pytest.mark.parametrize("preload", ["0", "1"])
def test_the_first_run_of_a_session(
    what: tuple[str, str], preload: str, store: str, tmp_path: Path
) -> None:
    code = FIRST.format(before=what[0], after=what[1])
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        env={
            **os.environ,
            "CVTRACK_PRELOAD": preload,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )
    said = ran.stdout + ran.stderr
    assert "the cell has run" in said, said
    assert "success: True" in said, said
    assert "Traceback" not in said, said


def test_json_is_the_librarys_own() -> None:
    values = [{"b": 1, "a": [1.5, None, True, "ü"]}, [], "x", float("inf")]
    with patched(json, "dumps"), patched(json, "loads"):
        texts = [dumps(value) for value in values]
        ordered = dumps(values[0], sort_keys=True)
        assert [loads(text.encode()) for text in texts] == values
    assert texts == [json.dumps(value) for value in values]
    assert ordered == json.dumps(values[0], sort_keys=True)
    assert dumps({"p": Path("x")}, default=str) == '{"p": "x"}'
    with pytest.raises(ValueError, match="Expecting"):
        loads(b"{")
