"""A process that has imported everything, and forks one that is to be killed.

Importing MLflow costs more processor time than a whole schedule; a fork costs none.
It is safe because the parent starts no thread and makes no session: what is forked is
what a script is after its imports. Requests and answers are lines of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import random
import runpy
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any

PRELOADED = (
    "mlflow",
    "mlflow.tracking.fluent",
    "mlflow.store.tracking.rest_store",
    "mlflow.store.artifact.mlflow_artifacts_repo",
    "tests.faults.victim",
)
UNUSED = "cvtrack_magics.release."  # what it imports starts threads
DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def preload() -> None:
    """Import what a victim imports."""
    import cvtrack_magics

    for name in PRELOADED:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(cvtrack_magics.__path__, "cvtrack_magics."):
        if not module.name.endswith("__main__") and not module.name.startswith(UNUSED):
            importlib.import_module(module.name)
    if threading.active_count() > 1:
        raise RuntimeError(f"an import started threads: {threading.enumerate()}")
    gc.collect()
    gc.freeze()  # else each fork copies all memory when it looks for garbage, a second at its end


def say(**answer: Any) -> None:
    """Answer with one line."""
    os.write(1, json.dumps(answer).encode() + b"\n")


def serve() -> dict[str, Any] | None:
    """Fork for each request; returns the request in the child, None at the end."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    names: dict[int, int] = {}
    rest = b""
    say(ready=True)
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            reap(names)
        if 0 in ready:
            got = os.read(0, 65536)
            if not got:
                return None
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.close(wake_read)
                    os.close(wake_write)
                    return dict(request)
                names[pid] = request["id"]
                say(id=request["id"], pid=pid)


def reap(names: dict[int, int]) -> None:
    """Take the dead away at once: a zombie would count as a living process."""
    while names:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        say(id=names.pop(pid), status=os.waitstatus_to_exitcode(status))


def become(request: dict[str, Any]) -> None:
    """Turn the fork into the process that was asked for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(request["out"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    err = os.open(request["err"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    random.seed()


def perform(what: str, arguments: list[str]) -> None:
    """Be a victim, a script, ``python -m cvtrack_magics …``, or a shell that loads it."""
    if what == "victim":
        from tests.faults.victim import main

        main(*arguments)
    elif what == "module":
        sys.argv = ["cvtrack_magics", *arguments]
        runpy.run_module("cvtrack_magics", run_name="__main__", alter_sys=True)
    elif what == "script":
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")
    elif what == "load":
        load(Path(arguments[0]))


def load(until: Path) -> None:
    """Load the extension in a new shell, and live on until a file is there."""
    import time

    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_cell("%load_ext cvtrack_magics")
    while not until.exists():
        time.sleep(0.05)


if __name__ == "__main__":
    preload()
    wanted = serve()
    if wanted is not None:
        become(wanted)
        perform(wanted["what"], wanted["arguments"])
