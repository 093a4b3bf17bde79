"""The kernel's side of the process that outlives it: starts it, and tells it what is open."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from cvtrack_magics import forks
from cvtrack_magics.delivery import watcher
from cvtrack_magics.plainjson import dumps
from cvtrack_magics.programs import Program
from cvtrack_magics.threads import started

TRIES = 2  # it may end between a look and a word


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """What the companion has to know of a run to end it when its process is gone.

    ``uri`` is the tracking URI with its credentials, and ``environment`` what MLflow reads the
    others from. Both go through a pipe that nobody else can open, and are never on disk.
    """

    folder: str
    journal: str
    owner: str
    boot: str
    uri: str
    environment: Mapping[str, str]


class Companion:
    """Starts the companion at the first run, in the background, and tells it of every run."""

    def __init__(self) -> None:
        self._pid = 0
        self._waiting: queue.SimpleQueue[OpenedRun] = queue.SimpleQueue()
        self._lock = forks.rlock()
        self.process: subprocess.Popen[bytes] | None = None

    def tell(self, run: OpenedRun) -> None:
        """Tell of a run; returns at once."""
        with self._lock:
            if self._pid != os.getpid():  # the first run, or a forked child's
                self.process = None  # a child has its parent's, and not who waits for its end
                self._waiting = queue.SimpleQueue()
                if started(self._work, self._waiting, name="cvtrack-companion") is None:
                    return  # the next load heals what nobody watches
                self._pid = os.getpid()
        self._waiting.put(run)

    def _work(self, waiting: queue.SimpleQueue[OpenedRun]) -> None:
        while True:
            line = dumps(asdict(waiting.get())).encode() + b"\n"
            for _ in range(TRIES):
                with suppress(OSError, ValueError):
                    self._tell(line)
                    break

    def _tell(self, line: bytes) -> None:
        if self.process is None or self.process.poll() is not None:
            self.process = _start()
            # one that has ended stays in the list of processes until somebody has waited for it
            started(self.process.wait, name="cvtrack-companion-end")
        pipe = self.process.stdin
        assert pipe is not None
        pipe.write(line)
        pipe.flush()


def _start() -> subprocess.Popen[bytes]:
    """Start the process: a clean interpreter, in a session of its own, without our files.

    Who interrupts the kernel, or ends its group, does not end it.
    """
    return Program(
        [sys.executable, "-I", "-S", str(Path(watcher.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


companion = Companion()
