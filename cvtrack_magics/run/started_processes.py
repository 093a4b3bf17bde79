"""The processes that the user's code has started, of which each may log to the run it began in."""

from __future__ import annotations

import os
from contextlib import suppress
from multiprocessing import active_children

import psutil

from cvtrack_magics.delivery import processes

_TASKS = "/proc/self/task"
_TRACKER = "multiprocessing.resource_tracker"  # it frees what workers share, and logs nothing


def of_the_user(*, forked: bool = True) -> set[int]:
    """Return the numbers of the processes below this one that may log: those that run Python.

    However they were started: by multiprocessing, by ``subprocess``, by a shell, by ``os.fork``.
    One whose own parent has ended, as a daemon's has, is below nobody and not found.

    Parameters
    ----------
    forked : bool
        Whether this process can have been forked. Where not, a copy of it is a program that is
        just being started, git for example.
    """
    found = {one.pid for one in active_children() if one.pid}
    if _has_none():
        return found
    with suppress(psutil.Error, OSError):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error, OSError):
                if _runs_python(process, forked) and not processes.kind_of(process):
                    found.add(process.pid)
    return found


def _runs_python(process: psutil.Process, forked: bool) -> bool:
    """Whether it was forked, or is an interpreter; its name may be that of a script."""
    me, command = psutil.Process(), process.cmdline()
    if command == me.cmdline() and process.ppid() == me.pid:
        return forked
    if not command or any(_TRACKER in word for word in command):
        return False
    program = process.exe()  # asked last: what has a line of its own has its own program, too
    return "python" in os.path.basename(program).lower() or program == me.exe()


def _has_none() -> bool:
    """Whether no process is below this one; looked up where that is cheaper than all of them."""
    try:
        for task in os.listdir(_TASKS):
            with open(f"{_TASKS}/{task}/children", "rb") as file:
                if file.read(1):
                    return False
    except OSError:  # another system, or a thread that has ended meanwhile
        return False
    return True
