"""Programs that this process starts, of whose pipes no forked child has a part.

A pipe is at its end when the last one who holds it lets it go. A child that is forked while a
program is being started would hold the program's ends, and who reads to the end here would wait
for the child: so a fork waits until the program stands. A child that is forked later would hold
ours, and a program that ends with its input would go on: so a child lets them go.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any
from weakref import WeakSet

from cvtrack_magics import forks

if TYPE_CHECKING:
    Popen = subprocess.Popen[bytes]
else:
    Popen = subprocess.Popen


class Program(Popen):
    """A :class:`subprocess.Popen` that no child of another thread has a part of."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        with forks.waiting_for_this():
            super().__init__(command, **options)
            _standing.add(self)


_standing: WeakSet[Program] = WeakSet()


def _let_go() -> None:
    """Let the pipes go in a child; what stands in a buffer of theirs goes nowhere."""
    pipes = [pipe for one in list(_standing) for pipe in (one.stdin, one.stdout, one.stderr)]
    nowhere = os.open(os.devnull, os.O_RDWR) if pipes else -1
    for pipe in pipes:
        with suppress(OSError, ValueError):  # it is closed already
            if pipe is not None:
                os.dup2(nowhere, pipe.fileno(), inheritable=False)
    if pipes:
        os.close(nowhere)
    _standing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def run(
    command: Sequence[str],
    *,
    timeout: float | None = None,
    given: bytes | None = None,
    **options: Any,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, as :func:`subprocess.run` does.

    Parameters
    ----------
    command : sequence of str
        The program and its words.
    timeout : float, optional
        Seconds after which it is killed.
    given : bytes, optional
        What it reads; nothing otherwise.
    **options
        As of :class:`subprocess.Popen`; what it writes is kept where nothing else is said.

    Raises
    ------
    OSError
        It cannot be started.
    subprocess.TimeoutExpired
        It took longer.
    """
    reads = subprocess.DEVNULL if given is None else subprocess.PIPE
    kept: dict[str, int | IO[bytes]] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Program(command, **{"stdin": reads, **kept, **options}) as program:
        try:
            out, err = program.communicate(given, timeout=timeout)
        except BaseException:
            program.kill()
            raise
        return subprocess.CompletedProcess(command, program.returncode, out, err)
