"""A Ray cluster of two nodes on loopback, one of which can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.conftest import free_port

UP = 120.0  # seconds that a node may take to be there
TRIES = 4


class TwoNodes:
    """A head and a second node of one CPU each; the shell that starts them has a token.

    Parameters
    ----------
    folder : Path
        Of their logs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        self._head = self._start("head", "--head", f"--port={port}", "--include-dashboard=false")
        self._second: subprocess.Popen[bytes] | None = None
        self.second = 0

    def start_second(self) -> None:
        """Start the second node where it is not there."""
        if self.second and psutil.pid_exists(self.second):
            return
        self._end(self._second)
        self._second = self._start("second", f"--address={self.address}")
        self.second = _raylet(self._second)

    def _start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        for left in reversed(range(TRIES)):
            try:
                return self._started(name, *words)
            except RuntimeError:  # Ray gives a node 30 s, and a busy machine takes longer
                if not left:
                    raise
        raise AssertionError

    def _started(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        ray = Path(sys.executable).with_name("ray")
        command = [str(ray)] if ray.exists() else [sys.executable, "-m", "ray.scripts.scripts"]
        shared = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--disable-usage-stats", "--block"]
        log = (self._folder / f"{name}.log").open("wb")
        process = subprocess.Popen(
            [*command, "start", *words, *shared, "--object-store-memory=100000000"],
            stdout=log,
            stderr=log,
            env={**os.environ, "MLFLOW_TRACKING_TOKEN": "secret-of-the-store"},
            start_new_session=True,
        )
        log.close()
        until = time.monotonic() + UP
        while not _raylet(process) or b"runtime started" not in self._said(name):
            if process.poll() is not None or time.monotonic() > until:
                self._end(process)
                raise RuntimeError(self._said(name).decode()[-3000:])
            time.sleep(0.2)
        return process

    def _said(self, name: str) -> bytes:
        return (self._folder / f"{name}.log").read_bytes()

    def _end(self, process: subprocess.Popen[bytes] | None) -> None:
        if process is None:
            return
        with suppress(psutil.Error):
            below = psutil.Process(process.pid).children(recursive=True)
            for one in below:
                with suppress(psutil.Error):
                    one.kill()
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End both."""
        self._end(self._second)
        self._end(self._head)


def _raylet(process: subprocess.Popen[bytes] | None) -> int:
    """Return the number of a node's raylet, 0 where it is not there."""
    if process is None:
        return 0
    with suppress(psutil.Error):
        for one in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if one.name() == "raylet":
                    return one.pid
    return 0
