"""Scripts run in forks of an interpreter that has imported MLflow and this package already.

Their imports cost three seconds of processor time, a fork costs none. It is what a script is
after its imports: the parent starts no thread, opens no store and makes no session, and the fork
reads its code, words, folder and environment like a new interpreter. What is about the start of
an interpreter (which modules are there, what an environment variable does to it) is no matter for
this, nor what reads its input.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import json
import os
import random
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.zygote import DIES_WITH_PARENT, preload

ROOT = Path(__file__).parents[1]
PRELOADED = (
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.artifact.local_artifact_repo",
    "mlflow.data",
    "git",
    "ipykernel.kernelapp",
)
MOST = 1 << 20  # bytes of a request


class Script:
    """A script that runs, with what it says.

    Parameters
    ----------
    words : sequence of str
        What would follow ``python``: a file, ``-c`` and code or ``-m`` and a module; then its own.
    cwd, env
        As of :class:`subprocess.Popen`.
    heard : bool
        Whether somebody reads what it says.
    """

    def __init__(
        self,
        words: Sequence[str],
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        heard: bool = True,
    ) -> None:
        self.args = [sys.executable, *words]
        self.returncode: int | None = None
        self._said = {"out": b"", "err": b""}
        self._ends, theirs = socket.socketpair()
        (out, out_end), (err, err_end) = (_pipe(heard), _pipe(heard))
        self._pipes = {"out": out, "err": err} if heard else {}
        request = {
            "words": list(words),
            "cwd": str(cwd or Path.cwd()),
            "env": dict(os.environ if env is None else env),
        }
        with theirs:
            fds = [theirs.fileno(), out_end, err_end]
            socket.send_fds(_parent(), [json.dumps(request).encode()], fds)
        os.close(out_end)
        os.close(err_end)
        self.pid = int(json.loads(self._ends.recv(100)))

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait until it has ended and all of its output is there; return that.

        Raises
        ------
        subprocess.TimeoutExpired
            It goes on; this can be called again.
        """
        until = None if timeout is None else time.monotonic() + timeout
        with selectors.DefaultSelector() as waiting:
            for name, pipe in self._pipes.items():
                waiting.register(pipe, selectors.EVENT_READ, name)
            while waiting.get_map():
                for key, _ in waiting.select(_left(until, self.args)):
                    got = os.read(key.fd, 65536)
                    self._said[key.data] += got
                    if not got:
                        waiting.unregister(key.fd)
                        os.close(self._pipes.pop(key.data))
        self.wait(None if until is None else until - time.monotonic())
        out, err = (self._said[name].decode(errors="replace") for name in ("out", "err"))
        return out, err

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its code, negative after a signal."""
        if self.returncode is None:
            until = None if timeout is None else time.monotonic() + max(timeout, 0.01)
            while not _can_be_read(self._ends, _left(until, self.args)):
                pass
            self.returncode = int(json.loads(self._ends.recv(100)))
            self._ends.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return its code where it has ended."""
        if self.returncode is None and _can_be_read(self._ends, 0):
            self.wait()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, and nobody else."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal, and what it started and left in its group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def run(
    words: Sequence[str],
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 240,
    check: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, as :func:`subprocess.run` does with captured output."""
    script = Script(words, cwd, env)
    try:
        out, err = script.communicate(timeout)
    except subprocess.TimeoutExpired:
        script.kill()
        raise
    if check and script.wait():
        raise AssertionError(f"{script.args} ended with {script.returncode}:\n{out}\n{err}")
    return subprocess.CompletedProcess(script.args, script.wait(), out, err)


class Kernel(Script):
    """A Jupyter kernel, as :func:`jupyter_client.launcher.launch_kernel` would start it."""

    stdin = stdout = stderr = None

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        words = [word for word in command[1:] if not word.startswith("-X")]
        super().__init__(words, options.get("cwd"), options.get("env"), heard=False)


def _pipe(heard: bool) -> tuple[int, int]:
    return os.pipe() if heard else (-1, os.open(os.devnull, os.O_WRONLY))


def _can_be_read(end: socket.socket, patience: float | None) -> bool:
    """Wait until something can be read; :func:`select.select` knows no descriptor above 1023."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(end, selectors.EVENT_READ)
        return bool(waiting.select(patience))


def _left(until: float | None, words: Sequence[str]) -> float | None:
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise subprocess.TimeoutExpired(words, 0)
    return left


@functools.cache
def _parent() -> socket.socket:
    """Start the interpreter that is forked; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "CVTRACK_"))}
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.warm", str(theirs.fileno())],
            cwd=ROOT,
            env={**environment, "OPENBLAS_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    if ours.recv(100) != b"ready":
        raise RuntimeError("the interpreter that is forked did not come up")
    return ours


# -- the parent of all scripts


def serve(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Fork for each request; return it in the child, None in the parent at the end."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    tell: dict[int, socket.socket] = {}
    control.send(b"ready")
    while True:
        ready, _, _ = select.select([control, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _reap(tell)
        if control in ready:
            got, fds, _, _ = socket.recv_fds(control, MOST, 3)
            if not got:
                return None
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                if sys.platform == "linux":
                    ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
                os.setsid()  # before anybody knows of it: a signal to its group is no one else's
                with socket.socket(fileno=fds[0]) as ends:
                    ends.send(json.dumps(os.getpid()).encode())
                for one in (wake_read, wake_write, control.detach()):
                    os.close(one)
                for ends in tell.values():
                    ends.close()
                return json.loads(got), fds[1:]
            for one in fds[1:]:
                os.close(one)
            tell[pid] = socket.socket(fileno=fds[0])


def _reap(tell: dict[int, socket.socket]) -> None:
    """Take the dead away at once: a zombie would count as a living process."""
    while tell:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with tell.pop(pid) as ends, suppress(OSError):
            ends.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def become(request: dict[str, Any], out: int, err: int) -> None:
    """Turn the fork into the process that was asked for."""
    for source, target in ((out, 1), (err, 2)):
        os.dup2(source, target)
        os.close(source)
    os.environ.clear()
    os.environ.update(request["env"])
    if "ipykernel_launcher" in request["words"]:
        os.environ["JPY_PARENT_PID"] = str(os.getppid())  # with which it ends
    os.chdir(request["cwd"])
    time.tzset()
    random.seed()
    places = request["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [place for place in places if place and place not in sys.path[1:]]


def perform(words: Sequence[str]) -> None:
    """Do what an interpreter does with these words."""
    sys.orig_argv = [sys.executable, *words]
    if words[0] == "-m":
        sys.argv, sys.path[0] = list(words[1:]), str(Path.cwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    if words[0] == "-c":
        sys.argv, sys.path[0] = ["-c", *words[2:]], ""
        code = compile(words[1], "<string>", "exec")
    else:
        sys.argv, sys.path[0] = list(words), str(Path(words[0]).resolve().parent)
        main.__file__ = words[0]
        code = compile(Path(words[0]).read_bytes(), words[0], "exec")
    exec(code, main.__dict__)


if __name__ == "__main__":
    _own = sys.modules["__main__"]  # whose names are still needed when another takes its place
    for _name in PRELOADED:
        importlib.import_module(_name)
    preload()
    _wanted = serve(socket.socket(fileno=int(sys.argv[1])))
    if _wanted is not None:
        become(_wanted[0], *_wanted[1])
        perform(_wanted[0]["words"])
