"""Runs a command until whoever started this is gone, however that ends.

It is started as a file by itself, so that the kernel's folder is no place to import from. Its
standard input is a pipe that only the kernel holds: where that is closed, the kernel is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

GRACE = 5.0  # seconds that the command has to end before it is killed


def main(command: list[str]) -> int:
    """Run a command in a group of its own; return its exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_the_kernel, args=(child,), daemon=True).start()
    return child.wait()


def _end_with_the_kernel(child: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        sys.stdin.buffer.read()
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with suppress(OSError):
            os.killpg(child.pid, number) if hasattr(os, "killpg") else child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
