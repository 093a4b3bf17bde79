"""A lock between this user's processes on one machine, which none of them can keep for ever."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST = 30.0  # seconds to wait for another process
AGAIN = 0.05

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Do something while no other process does it, as far as that can be had.

    Parameters
    ----------
    what : str
        What is done, and to what: processes that say the same wait for each other. Where the
        system has no such lock (Windows) nobody waits.
    """
    handle = None
    with suppress(OSError):  # another user's, or no folder for it: as if there were no lock
        handle = os.open(lock_of(what), os.O_RDWR | os.O_CREAT | _NOFOLLOW, 0o600)
    try:
        if handle is not None:
            _wait_for(handle)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def lock_of(what: str) -> Path:
    """Return the lock's file."""
    name = hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir(), f"cvtrack-{user}-{name}.lock")


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
