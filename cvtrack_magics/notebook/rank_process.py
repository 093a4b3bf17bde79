"""One rank of a cell: a fresh process that executes the cells before it, and then the cell.

``python -m cvtrack_magics.notebook.rank_process FOLDER``, started by torch elastic.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cvtrack_magics import forks

PR_SET_PDEATHSIG = 1
TICK = 0.2  # seconds between two looks at how far the loops are
GRACE = 3.0  # seconds that an interrupted rank waits for the others


def main() -> int:
    """Do what the notebook says, and tell it what came of it."""
    launcher = os.getppid()
    _end_with(launcher)
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    from cvtrack_magics.run.ranks.wire import SOCKET

    _give_output_to(folder / SOCKET, rank)
    control = _connected(folder / SOCKET)
    from cvtrack_magics.run.ranks.wire import Wire

    wire = Wire(control)
    wire.send(rank=rank, kind="control", pid=os.getpid())
    return Rank(wire, rank, folder).run()


def _end_with(launcher: int) -> None:
    """Be ended by the kernel when the launcher is, whatever this process does then."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:
        os._exit(1)


def _connected(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.connect(str(path))
    return made


def _give_output_to(path: Path, rank: int) -> None:
    """Let what is written go to the notebook; nothing can be read."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for number, name in ((1, "stdout"), (2, "stderr")):
        made = _connected(path)
        made.sendall(f'{{"rank":{rank},"kind":"{name}"}}\n'.encode())
        os.dup2(made.fileno(), number)
        made.close()
        stream = open(  # noqa: SIM115 (as long as the process)
            number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


class Rank:
    """What this process does.

    Parameters
    ----------
    wire : Wire
        To the notebook.
    rank : int
        Which it is.
    folder : Path
        That of all ranks.
    """

    def __init__(self, wire: Any, rank: int, folder: Path) -> None:
        self._wire = wire
        self._rank = rank
        self._folder = folder
        self._asked: Mapping[str, Any] = {}
        self._is_asked = forks.event()
        self._may_go = forks.event()
        self._member: Any = None
        self._was_interrupted = False

    def run(self) -> int:
        """Execute the cells; return the exit code."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=self._listen, daemon=True).start()
        self._is_asked.wait()
        from cvtrack_magics.notebook.rank_shell import RankShell

        try:
            ended = RankShell(self._wire, self._rank, self._folder, self._asked, self._meet).run()
        except KeyboardInterrupt as error:
            ended = failure_of(error)
        except BaseException as error:
            ended = failure_of(error)
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):
                stream.flush()
        self._wire.send(**ended)
        if self._was_interrupted:
            self._may_go.wait(GRACE)
        return 0 if ended["ended"] == "done" else 1

    def _meet(self, member: Any) -> None:
        self._member = member

    def _listen(self) -> None:
        while (messages := self._wire.receive()) is not None:
            for message in messages:
                self._do(message)
        os.killpg(0, signal.SIGKILL)  # the notebook is gone

    def _do(self, message: Mapping[str, Any]) -> None:
        what = message.get("do")
        if what == "run":
            self._asked = message
            self._is_asked.set()
        elif what == "stop" and self._member is not None:
            self._member.control.is_asked = True
        elif what == "interrupt":
            self._was_interrupted = True
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def failure_of(error: BaseException, shown: list[str] | None = None) -> dict[str, Any]:
    """Return what the notebook is told of an exception."""
    from cvtrack_magics.redact import kind_and_line
    from cvtrack_magics.text import kind_of, text_of

    try:
        plain = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:  # such as an exception whose attributes raise
        plain = kind_and_line(error)
    return {
        "ended": "failed",
        "kind": kind_of(error),
        "message": text_of(error),
        "shown": shown or plain.splitlines(),
        "plain": plain,
    }


if __name__ == "__main__":
    sys.exit(main())
