"""When a process began, by a clock that can be asked and that nobody sets."""

from __future__ import annotations

import contextlib

from cvtrack_magics.system import os, time


def process_clock() -> int:
    """Return hundredths of a second by the clock that says when a process has begun."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 100)
    return int(time.time() * 100)


def began_at(pid: int | None = None) -> int:
    """Return when a process of this machine has begun, by :func:`process_clock`.

    Without a number of this one; 0 where that cannot be told, or the process has ended.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid or 'self'}/stat", "rb") as file:
                words = file.read().rpartition(b")")[2].split()  # what is behind the name
            if words[0] not in (b"Z", b"X"):
                return int(words[19]) * 100 // int(os.sysconf("SC_CLK_TCK"))
        return 0
    import psutil  # the watcher, which imports this, has the standard library alone

    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).create_time() * 100)
    return 0
