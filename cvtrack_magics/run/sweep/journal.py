"""Optuna's journal file, which a process that dies while it writes neither locks nor breaks.

Optuna's own lock is a link that stays when its process is killed: everybody waits 30 s for it. And
half a line, left by a full disk or a kill, makes all that follows unreadable. Here the lock goes
with its process, and half a line, which nobody was told of, goes before the next one is written.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.journal import liveness

WAIT = 0.02  # seconds between two tries for a lock, at most
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_here: dict[Path, threading.RLock] = {}
"""Locks of this process's threads: the file system's own is one a process."""


class JournalProblem(UsageProblem):
    """The journal of sweeps cannot be read or written; no trial is to blame."""


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock file; a process that ends in any way gives it back.

    Raises
    ------
    JournalProblem
        The file system has no locks, or the file cannot be made.
    """
    with _here.setdefault(path, forks.rlock()):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise unusable(path, error) from error
        try:
            _wait_for(handle, path)
            yield
        finally:
            with contextlib.suppress(OSError):
                os.close(handle)  # and so gives the lock back


def _wait_for(handle: int, path: Path) -> None:
    pause = WAIT / 20
    while True:
        try:
            return liveness.lock(handle)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise unusable(path, error) from error
        time.sleep(pause)
        pause = min(2 * pause, WAIT)


class Journal:
    """What Optuna's ``JournalStorage`` reads from and writes to.

    Parameters
    ----------
    path : Path
        The file; it is as Optuna's own ``JournalFileBackend`` writes it.
    reader : callable
        Returns that one, which reads it.

    Raises
    ------
    JournalProblem
        The file cannot be made.
    """

    def __init__(self, path: Path, reader: Callable[[], Any]) -> None:
        self._path = path
        self._lock = path.with_name("writing")
        try:
            self._backend = reader()
        except OSError as error:
            raise unusable(path, error) from error

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Return what was written since."""
        try:
            for log in self._backend.read_logs(log_number_from):
                if not isinstance(log, dict) or "op_code" not in log:
                    raise ValueError("a line is not Optuna's")
                yield log
        except (OSError, ValueError) as error:
            raise unusable(self._path, error) from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write, wholly or not at all."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with alone(self._lock):
            try:
                handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
                try:
                    _append(handle, text.encode())
                finally:
                    os.close(handle)
            except OSError as error:
                raise unusable(self._path, error) from error


def _append(handle: int, data: bytes) -> None:
    end = _whole(handle)
    try:
        os.lseek(handle, end, os.SEEK_SET)
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(handle, end)
        raise


def _whole(handle: int) -> int:
    """Cut off half a line at the end; return where the next one begins."""
    end = size = os.lseek(handle, 0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        os.lseek(handle, start, os.SEEK_SET)
        found = os.read(handle, end - start).rfind(b"\n")
        end = start + found + 1 if found >= 0 else start
        if found >= 0:
            break
    if end < size:
        os.ftruncate(handle, end)
    return end


def unusable(path: Path, error: BaseException) -> JournalProblem:
    """Return what is said where the journal cannot be read or written."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if isinstance(error, OSError):
        return JournalProblem(
            f"What sweeps tried is in {path.parent}, which cannot be used: {why}.",
            "Run the cell again when it can: the sweep goes on.",
        )
    return JournalProblem(
        f"{path} is damaged, so what sweeps tried cannot be read: {why}.",
        "Move the file away: sweeps begin anew, and the runs of the old ones stay in the store.",
    )
