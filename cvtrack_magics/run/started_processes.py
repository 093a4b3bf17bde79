"""The processes that the user's code has started, of which each may log to the run it began in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import active_children
from pathlib import Path

import psutil

from cvtrack_magics.delivery import processes
from cvtrack_magics.system import exists, os

_PROC = "/proc"
_TRACKER = "multiprocessing.resource_tracker"  # it frees what workers share, and logs nothing
_LOOKS = 2  # the kernel may leave one out of its list while another one ends


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
    for pid, parent in _below(os.getpid()).items():
        with suppress(psutil.Error, OSError):
            if pid not in found and _may_log(pid, parent, forked):
                found.add(pid)
    return found


def _below(top: int) -> dict[int, int]:
    """Return the processes below one, each with its parent.

    Linux keeps a list of each thread's children: nobody has to look at all processes of a machine.
    """
    found: dict[int, int] = {}
    if not exists(Path(_PROC, str(top), "task", str(top), "children")):
        with suppress(psutil.Error, OSError):
            for one in psutil.Process(top).children(recursive=True):
                with suppress(psutil.Error):  # it has ended
                    found[one.pid] = one.ppid()
        return found
    for _ in range(_LOOKS):
        left = [top]
        while left:
            parent = left.pop()
            for pid in _children(parent):
                found[pid] = parent
                left.append(pid)
        if not found:
            break
    return found


def _children(pid: int) -> Iterator[int]:
    folder = f"{_PROC}/{pid}/task"
    with suppress(OSError):  # it has ended
        for task in os.listdir(folder):
            with suppress(OSError), open(f"{folder}/{task}/children", "rb") as file:
                yield from map(int, file.read().split())


def _may_log(pid: int, parent: int, forked: bool) -> bool:
    """Whether it was forked, or is an interpreter, whose name may be that of a script."""
    command, me = _command(pid), os.getpid()
    if parent == me and command == _command(me):
        return forked
    if not command or any(_TRACKER in word for word in command) or processes.kind_of_line(command):
        return False
    program = _program(pid)  # asked last: what has a line of its own has its own program, too
    return "python" in os.path.basename(program).lower() or program == _program(me)


def _command(pid: int) -> list[str]:
    try:
        with open(f"{_PROC}/{pid}/cmdline", "rb") as file:
            said = file.read()
    except FileNotFoundError:
        return psutil.Process(pid).cmdline()
    return said.rstrip(b"\0").decode("utf-8", "replace").split("\0") if said else []


def _program(pid: int) -> str:
    try:
        return os.readlink(f"{_PROC}/{pid}/exe")
    except FileNotFoundError:
        return str(psutil.Process(pid).exe())
