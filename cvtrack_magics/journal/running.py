"""Which process is which, and whether it runs, where no lock says so."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from cvtrack_magics.journal.process_times import began_at, process_clock
from cvtrack_magics.system import os, time

FRESH = 150.0  # seconds for which a claim of a process counts that cannot be looked at


def boot_id() -> str:
    """Return what tells this start of this machine from any other; empty where unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def process_mark(pid: int) -> str:
    """Return what tells a living process of this machine from all others that live."""
    space = ""
    with contextlib.suppress(OSError):  # containers count their processes each for itself
        space = os.readlink("/proc/self/ns/pid")
    return f"{pid}/{space}/{boot_id() or socket.gethostname()}".replace(" ", "")


def is_running(mark: str, moment: int) -> bool:
    """Whether the process lives that bore a mark at a moment by :func:`process_clock`."""
    number = mark.partition("/")[0]
    if not number.isdecimal() or mark != process_mark(int(number)):
        return False  # of another machine, or counted in another namespace
    return 0 < began_at(int(number)) <= moment


def claim_without_locks(path: Path) -> int | None:
    """Claim what a file stands for, on a file system that knows no locks.

    Who makes the file has the claim; that of a process which has ended, or of another machine
    that made it long ago, is taken over.

    Returns
    -------
    int or None
        A descriptor of the file; None where somebody else has the claim.
    """
    said = f"{process_mark(os.getpid())} {process_clock()}"
    for _ in range(2):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            if _is_claimed(path):
                return None
            with contextlib.suppress(OSError):
                os.unlink(path)
            continue
        except OSError:
            return None
        os.write(handle, said.encode())
        return handle
    return None


def _is_claimed(path: Path) -> bool:
    try:
        mark, _, moment = path.read_text(encoding="ascii", errors="replace").partition(" ")
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    if mark == process_mark(os.getpid()):
        return False  # of an earlier try: one thread of a process heals
    if mark.partition("/")[2] == process_mark(0).partition("/")[2] and moment.isdecimal():
        return is_running(mark, int(moment))
    return abs(age) < FRESH
