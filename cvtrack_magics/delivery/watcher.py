"""A small process that outlives a killed kernel, and ends its runs in the store.

It is started by :mod:`cvtrack_magics.delivery.companion` with a pipe as its input, and needs
nothing but the standard library: what imports MLflow is a child of its own, started only when
there is a run to end. It learns which runs are open from lines of JSON, and that the kernel is
gone from the lock that the kernel holds (:mod:`cvtrack_magics.journal.liveness`): the pipe alone
would not do, since the kernel's forked children hold it too.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOOK = 0.5  # seconds between two looks at the lock
TRIES = (0.0, 5.0, 20.0)  # seconds to wait before each try of sending
SEND_TIMEOUT = 120.0  # seconds that one try may take
QUIET = {"CVTRACK_WATCH": "0", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""Environment of a process that only sends. MLflow's telemetry changes the environment in a
thread of its own, and a request that reads the environment just then fails."""


@dataclass
class Watched:
    """What is known of the kernel: its lock, and the runs that it opened."""

    owner: str = ""
    boot: str = ""
    journal: str = ""
    stores: dict[str, dict[str, str]] = field(default_factory=dict)
    """The environment to send with, by tracking URI."""
    runs: dict[str, str] = field(default_factory=dict)
    """Tracking URI by the folder of a run."""

    def take(self, line: bytes) -> None:
        """Learn what a line from the kernel says."""
        said: dict[str, Any] = json.loads(line)
        self.owner, self.boot, self.journal = said["owner"], said["boot"], said["journal"]
        self.stores[said["uri"]] = said["environment"]
        self.runs[said["folder"]] = said["uri"]

    def left(self) -> set[str]:
        """Return the stores of the runs that are still on disk."""
        return {uri for folder, uri in self.runs.items() if Path(folder).is_dir()}


def watch(pipe: int) -> Watched:
    """Take in lines until the kernel is gone; return what is known of it."""
    from cvtrack_magics.delivery.lines import Lines
    from cvtrack_magics.journal.liveness import is_alive

    watched, lines, closed = Watched(), Lines(), False
    chooser = selectors.DefaultSelector()
    chooser.register(pipe, selectors.EVENT_READ)
    while True:
        if closed:
            time.sleep(LOOK)
        elif chooser.select(LOOK):
            data = os.read(pipe, 1 << 16)
            closed = not data
            for line in lines.take(data):
                watched.take(line)
        if closed and not watched.owner:
            return watched
        gone = watched.owner and not is_alive(Path(watched.journal), watched.owner, watched.boot)
        if gone:
            return watched


def send(watched: Watched) -> None:
    """End and send what the kernel left, each store by a process with its environment."""
    for pause in TRIES:
        time.sleep(pause)
        children = [_sender(watched, uri) for uri in watched.left()]
        for child in children:
            try:
                child.wait(SEND_TIMEOUT)
            except subprocess.TimeoutExpired:
                child.kill()
        if not watched.left():
            return


def _sender(watched: Watched, uri: str) -> subprocess.Popen[bytes]:
    journal = Path(watched.journal)
    command = [sys.executable, "-m", "cvtrack_magics", "sync", "--state", str(journal.parent)]
    return subprocess.Popen(
        [*command, "--timeout", str(SEND_TIMEOUT / 2)],
        cwd=journal,  # nobody's modules lie there
        env={**watched.stores[uri], "MLFLOW_TRACKING_URI": uri, **QUIET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    """Watch the process that holds the other end of the standard input."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    send(watch(sys.stdin.fileno()))


if __name__ == "__main__":
    main()
