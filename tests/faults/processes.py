"""The processes of a schedule: forked from the zygote, or real kernels."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kernels import Kernel

ROOT = Path(__file__).parents[2]
KERNELS_AT_ONCE = threading.Semaphore(2)


@dataclass
class Process:
    """A forked process."""

    out: Path
    err: Path
    pid: int = 0
    status: int | None = None
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def signal(self, number: int) -> None:
        """Send a signal, unless it is gone."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout: float) -> int | None:
        """Wait for its end; None when it did not come in time."""
        self.ended.wait(timeout)
        return self.status

    def close(self) -> None:
        """Kill it if it still lives."""
        self.signal(signal.SIGKILL)
        self.ended.wait(10)

    @property
    def said(self) -> str:
        """What it printed, errors last."""
        parts = [path.read_text(errors="replace") for path in (self.out, self.err) if path.exists()]
        return "\n".join(parts)


class Zygote:
    """The parent of all forked processes."""

    def __init__(self, environment: dict[str, str]) -> None:
        quiet = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=ROOT,
            env={**environment, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._ids = itertools.count()
        self._processes: dict[int, Process] = {}
        self._lock = threading.Lock()
        if b"ready" not in self._lines().readline():
            raise RuntimeError("the zygote did not come up")
        threading.Thread(target=self._listen, daemon=True).start()

    def _lines(self) -> Any:
        assert self._popen.stdout is not None
        return self._popen.stdout

    def _listen(self) -> None:
        for line in self._lines():
            answer = json.loads(line)
            process = self._processes[answer["id"]]
            if "pid" in answer:
                process.pid = answer["pid"]
                process.started.set()
            else:
                process.status = answer["status"]
                process.ended.set()

    def fork(
        self, what: str, *arguments: object, folder: Path, name: str, env: dict[str, str]
    ) -> Process:
        """Start a process in a folder; its output goes to files there."""
        number = next(self._ids)
        process = Process(folder / f"{name}.out", folder / f"{name}.err")
        self._processes[number] = process
        request = {
            "id": number,
            "what": what,
            "arguments": [str(argument) for argument in arguments],
            "out": str(process.out),
            "err": str(process.err),
            "cwd": str(folder),
            "env": env,
        }
        assert self._popen.stdin is not None
        with self._lock:
            self._popen.stdin.write(json.dumps(request).encode() + b"\n")
            self._popen.stdin.flush()
        if not process.started.wait(30):
            raise RuntimeError("the zygote did not fork")
        return process

    def close(self) -> None:
        """End it, and all its children with it."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(10)
        except subprocess.TimeoutExpired:
            self._popen.kill()


class KernelVictim:
    """A victim whose run is a ``%%mlrun`` cell of a real kernel."""

    CELL = "%%mlrun {run} --tag by={run}\n_victim.body(_run)\n"
    CELL += "_victim.end(_run.name)\n_victim.closing(_run.name)\n"

    def __init__(self, seed: int, name: str, run: str, folder: Path, env: dict[str, str]) -> None:
        self.out = folder / f"{name}.out"
        self.status: int | None = None
        KERNELS_AT_ONCE.acquire()
        try:
            self.kernel = _kernel(folder, env)
        except BaseException:
            KERNELS_AT_ONCE.release()
            raise
        self.pid = int(self.kernel.manager.provisioner.pid)
        self._closed = False
        prepare = (
            f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
            "%load_ext cvtrack_magics\n"
            "from tests.faults.victim import victim_of\n"
            f"_victim = victim_of({seed}, {name!r}, {str(folder)!r})\n"
            "_run = _victim.plan.runs[0]\n"
            "_victim.begin(); _victim.acks.say('opening', run=_run.name)\n"
        )
        self.kernel.run(prepare).check()
        self._message = self.kernel.start(self.CELL.format(run=run))
        self._said = ""

    def signal(self, number: int) -> None:
        """Do to the kernel what a front end does: interrupt it, shut it down, or worse."""
        if self._closed:
            return
        with suppress(ProcessLookupError):
            if number == signal.SIGTERM:
                self.kernel.manager.shutdown_kernel(now=False)
            else:
                os.kill(self.pid, number)

    def wait(self, timeout: float) -> int | None:
        """Wait for the cell's end, then shut the kernel down; 0 when the cell was right."""
        deadline = time.monotonic() + timeout
        while self.status is None and time.monotonic() < deadline:
            if not self.kernel.manager.has_kernel or not self.kernel.manager.is_alive():
                self.status = -signal.SIGKILL
                break
            with suppress(TimeoutError):
                ran = self.kernel.finish(self._message, timeout=1)
                self._said = ran.text
                self.status = 0 if ran.status == "ok" else 1
        self.out.write_text(self._said)
        return self.status

    def close(self) -> None:
        """Take the kernel away."""
        if self._closed:
            return
        self._closed = True
        try:
            if self.status in (0, 1) and self.kernel.manager.has_kernel:
                self.kernel.manager.shutdown_kernel(now=False)
            self.kernel.close()
        finally:
            KERNELS_AT_ONCE.release()

    @property
    def said(self) -> str:
        """What the cell printed."""
        return self._said


def _kernel(folder: Path, env: dict[str, str]) -> Kernel:
    for _ in range(5):
        with suppress(KeyError):  # another thread's test took a variable out meanwhile
            return Kernel(folder, **env)
    raise RuntimeError("the kernel did not start")
