"""A sending process that is there at once: forked before the victim does anything."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Mapping
from typing import Any


class Forked:
    """As much of ``subprocess.Popen`` as the kernel's side of a sending process uses."""

    def __init__(self, pid: int, stdin: Any, stdout: Any) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return how it ended; None while it lives."""
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                pid, status = self.pid, 0
            if pid:
                self._status = status
        return self._status

    def wait(self, timeout: float) -> int | None:
        """Do not wait: the victim's end is the schedule's to say."""
        del timeout
        return self.poll()


def prefork(seed: int) -> None:
    """Fork the process that will send this victim's runs, from their first moment on.

    In one of four schedules it is killed, at a moment that the seed says.
    """
    from cvtrack_magics.delivery import sending
    from cvtrack_magics.delivery import sending_process as outside

    heard, told = os.pipe()
    answered, answers = os.pipe()
    pid = os.fork()
    if not pid:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(told)
        os.close(answered)
        try:
            sending.Work(heard, answers).run()
        finally:
            os._exit(0)
    os.close(heard)
    os.close(answers)
    made = [Forked(pid, os.fdopen(told, "wb"), os.fdopen(answered, "rb"))]

    def start(environment: Mapping[str, str]) -> Any:
        del environment
        if not made:
            raise OSError("there is one for each victim")
        return made.pop()

    outside.AFTER = 0.0
    outside._start = start
    draw = random.Random(f"sender {seed}")
    if draw.random() < 0.25:
        timer = threading.Timer(draw.uniform(0.1, 3.0), os.kill, (pid, signal.SIGKILL))
        timer.daemon = True
        timer.start()
