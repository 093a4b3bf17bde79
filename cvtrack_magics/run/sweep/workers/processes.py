"""Workers that are fresh processes of this machine, never forked from this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import IO, Any

from cvtrack_magics.programs import Program
from cvtrack_magics.run.sweep.workers.frames import read_frame, write_frame
from cvtrack_magics.run.sweep.workers.messages import Mailbox, Message, WorkerGone
from cvtrack_magics.run.sweep.workers.serve import without_credentials
from cvtrack_magics.threads import started
from cvtrack_magics.variables import variables

_COMMAND = [sys.executable, "-m", "cvtrack_magics.run.sweep.workers.process_main"]


class ProcessWorker:
    """One process; it is started by the first :meth:`ready`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._inbox = Mailbox()
        self._errors: IO[bytes] | None = None
        self._is_ready = False

    def ready(self, timeout: float) -> bool:
        """Wait until it can be given a trial; a process that is gone is started again."""
        if self._process is None:
            self._start()
        if not self._is_ready:
            self._is_ready = bool(self._taken(timeout))
        return self._is_ready

    def _start(self) -> None:
        self._inbox, self._is_ready = Mailbox(), False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed where the process is)
        self._process = Program(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**without_credentials(variables()), "PYTHONPATH": _path()},
            start_new_session=True,  # an interrupt is the driver's to pass on
        )
        started(_listen, self._process.stdout, self._inbox, name="cvtrack-trials")

    def send(self, message: Message) -> None:
        """Give it a message."""
        try:
            assert self._process is not None
            assert self._process.stdin is not None
            write_frame(self._process.stdin, message)  # type: ignore[arg-type]
        except OSError:
            raise self._gone() from None

    def take(self, timeout: float) -> list[Message]:
        """Return what it said since; waits for the first."""
        return self._taken(timeout)

    def _taken(self, timeout: float) -> list[Message]:
        found = self._inbox.take(timeout)
        if not found and self._inbox.is_closed:
            raise self._gone()
        return found

    def kill(self) -> None:
        """End it at once, and what it started in its session."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, self._errors):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    def _gone(self) -> WorkerGone:
        """Return what is said of a process that ended by itself, and forget it."""
        last, code = b"", None
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(5)
        if self._errors is not None:
            with suppress(OSError, ValueError):
                self._errors.seek(0)
                last = self._errors.read()[-4000:].strip().rpartition(b"\n")[2]
        self.kill()
        how = f"signal {-code}" if code is not None and code < 0 else f"code {code}"
        said = last.decode("utf-8", "replace")[:200]
        return WorkerGone(f"{how}{f': {said}' if said else ''}")


class Processes:
    """Fresh processes of this machine.

    Parameters
    ----------
    count : int
        How many.
    """

    def __init__(self, count: int) -> None:
        self.size = count
        self._workers: list[ProcessWorker] = []

    def worker(self) -> ProcessWorker:
        """Return one more."""
        self._workers.append(ProcessWorker())
        return self._workers[-1]

    def close(self) -> None:
        """End all."""
        for one in self._workers:
            one.kill()


def _path() -> str:
    """Return where this process finds its modules, for another one."""
    return os.pathsep.join(one for one in sys.path if one)


def _listen(stream: Any, inbox: Mailbox) -> None:
    with suppress(OSError, ValueError):
        while (message := read_frame(stream)) is not None:
            inbox.put(message)
    inbox.close()
