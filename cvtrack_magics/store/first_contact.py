"""The first contact with a SQLite file: one process makes its tables, the others wait.

MLflow makes the tables of a new file without a lock. Of two notebooks that begin at once in a
new folder, one then fails half-way and may leave the other's file without its last tables.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.uris import absolute, sqlite_file

LONGEST = 30.0  # seconds to wait for another process's tables; they take some three
AGAIN = 0.05

_met: set[tuple[str, int]] = set()


def meet(uri: str) -> None:
    """Open a store for the first time in this process, alone on this machine.

    Whatever fails here shows itself in the call that comes next. Where the system has no such
    lock (Windows) nobody waits.
    """
    file = sqlite_file(uri)
    known = (absolute(uri), os.getpid())
    if file is None or (known in _met and file.exists()):
        return
    with _alone(file), suppress(Exception), quietly():
        client_of(uri).search_experiments(max_results=1)
    _met.add(known)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    handle = None
    with suppress(OSError):  # another user's, or no folder for it: as if there were no lock
        handle = os.open(_lock_of(file), os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
    try:
        if handle is not None:
            _wait_for(handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)


_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def _lock_of(file: Path) -> Path:
    name = hashlib.sha256(os.fsencode(file.absolute())).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir(), f"cvtrack-tables-{user}-{name}.lock")


def _wait_for(handle: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            time.sleep(AGAIN)
