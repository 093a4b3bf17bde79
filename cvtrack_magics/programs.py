"""Programs that this process starts, whatever its other threads do meanwhile.

While a program is being started, the ends of its pipes are open here. A child that another thread
forks just then holds them as long as it lives, and who reads until the program closes its end
would wait for the child. So a fork waits until a program stands.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

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
