"""The processes that the user's code has started, of which each may log to the run it began in."""

from __future__ import annotations

import os
from contextlib import suppress
from multiprocessing import active_children

import psutil

from cvtrack_magics.delivery import processes

_TASKS = "/proc/self/task"


def of_the_user() -> set[int]:
    """Return the numbers of the processes below this one that may log: those that run Python.

    However they were started: by multiprocessing, by ``subprocess``, by a shell, by ``os.fork``.
    One whose own parent has ended, as a daemon's has, is below nobody and not found.
    """
    found = {one.pid for one in active_children() if one.pid}
    if _has_none():
        return found
    with suppress(psutil.Error, OSError):
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error, OSError):
                if _runs_python(process) and not processes.kind_of(process):
                    found.add(process.pid)
    return found


def _runs_python(process: psutil.Process) -> bool:
    """Whether it was forked, or is an interpreter; its name may be that of a script."""
    program = process.exe()
    return "python" in os.path.basename(program).lower() or program == psutil.Process().exe()


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
