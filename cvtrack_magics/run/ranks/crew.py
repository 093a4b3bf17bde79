"""The ranks of a cell, as the notebook has them: started, heard, ended with all they started."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Any

import psutil

from cvtrack_magics.programs import Program
from cvtrack_magics.run.ranks.failure import Failure, death_of, error_of, no_start
from cvtrack_magics.run.ranks.launcher import end_groups
from cvtrack_magics.run.ranks.member import Board
from cvtrack_magics.run.ranks.output import Output
from cvtrack_magics.run.ranks.plan import Plan
from cvtrack_magics.run.ranks.wire import BOARD, ERRORS, SOCKET, Wire, greeting
from cvtrack_magics.text import json_object
from cvtrack_magics.variables import variables

LOOK = 0.2  # seconds between two looks whether the launcher is there
GRACE = 5.0  # seconds that an interrupt has until the ranks are killed
LEFT = 2.0  # seconds that output is read which is left behind by ranks that have ended
_DEADLY = {signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE}
LAUNCHER = "cvtrack_magics.run.ranks.launcher"


@dataclass
class Rank:
    """What is known of one rank."""

    number: int
    wire: Wire
    pid: int
    started: float | None = None
    has_ended: bool = False
    failure: Failure | None = None


class Crew:
    """The ranks of a cell.

    Parameters
    ----------
    plan : Plan
        What they execute.
    heard : callable
        Given the number of a rank, and what it tells.
    environment : mapping of str to str
        Theirs.
    folder : str
        In which they begin.
    """

    def __init__(
        self,
        plan: Plan,
        heard: Callable[[int, Mapping[str, Any]], None],
        environment: Mapping[str, str],
        folder: str,
    ) -> None:
        self._plan = plan
        self._heard = heard
        self._folder = Path(tempfile.mkdtemp(prefix="cvtrack-ranks-"))  # nobody else's
        self._at = folder
        self._environment = environment
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._ranks: dict[int, Rank] = {}
        self._outputs: set[Output] = set()
        self._failed: list[int] = []
        """Ranks whose code raised, or that went without a word, in the order of their ends."""
        self._is_asked_to_stop = False
        self._launcher: subprocess.Popen[bytes] | None = None

    # -- from the buttons, on other threads

    def tell(self, number: int, **message: Any) -> None:
        """Tell a rank something, if it is there."""
        rank = self._ranks.get(number)
        if rank is not None and not rank.has_ended:
            with suppress(OSError):
                rank.wire.send(**message)

    def stop(self) -> None:
        """End the cell as an interrupt does."""
        self._is_asked_to_stop = True

    # -- from the cell's thread

    def _interrupt(self) -> None:
        """Interrupt the code of all ranks."""
        for number in list(self._ranks):
            self.tell(number, do="interrupt")

    def run(self) -> None:
        """Start the ranks and wait for their ends; raises what the first of them failed with."""
        try:
            try:
                self._start()
                self._wait(lambda: self._is_over)
            except KeyboardInterrupt:
                self._interrupt()
                until = monotonic() + GRACE
                self._wait(lambda: self._is_done or monotonic() > until)
                raise
            code = self._launcher.wait() if self._launcher is not None else 0
            self._judge(code)
        finally:
            self._end()

    def _start(self) -> None:
        self._listener.bind(str(self._folder / SOCKET))
        self._listener.listen(4 * self._plan.count)
        self._selector.register(self._listener, selectors.EVENT_READ)
        Board.make(self._folder / BOARD, self._plan.count)
        with (self._folder / ERRORS).open("wb") as errors:
            self._launcher = Program(
                [sys.executable, "-m", LAUNCHER, str(self._folder), str(self._plan.count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(self._environment),
                cwd=self._at,
                start_new_session=True,  # an interrupt of the notebook's is ours to hand on
            )

    @property
    def _is_over(self) -> bool:
        return self._launcher is None or self._launcher.poll() is not None

    @property
    def _is_done(self) -> bool:
        """Whether no code of the ranks is there to be waited for."""
        return self._is_over or not self._ranks or self._all_ended

    @property
    def _all_ended(self) -> bool:
        return bool(self._ranks) and all(one.has_ended for one in self._ranks.values())

    def _wait(self, is_enough: Callable[[], bool]) -> None:
        """Hear what ranks say until that is enough, and then what they had said before."""
        while not is_enough():
            self._hear(LOOK)
            if self._is_asked_to_stop:
                self._is_asked_to_stop = False
                raise KeyboardInterrupt
        until = monotonic() + LEFT
        while (self._outputs or not self._all_ended) and monotonic() < until:
            if not self._hear(0.05):
                break

    def _hear(self, patience: float) -> bool:
        """Hear whoever says something; whether anybody did."""
        ready = [key for key, _ in self._selector.select(patience)]
        for key in sorted(ready, key=lambda one: isinstance(one.data, Output)):
            if key.data is None:
                self._accept()
            elif isinstance(key.data, Output):
                self._read_output(key.data)
            else:
                key.data()
        return bool(ready)

    def _accept(self) -> None:
        """Take up a connection, whose first line says whose it is and what for."""
        connection, _ = self._listener.accept()
        hello = greeting(connection)
        number, kind = hello.get("rank"), hello.get("kind")
        if not isinstance(number, int):
            connection.close()
        elif kind == "control":
            rank = self._ranks[number] = Rank(number, Wire(connection), int(hello.get("pid", 0)))
            rank.started = started_at(rank.pid)
            self._selector.register(connection, selectors.EVENT_READ, lambda: self._listen(rank))
            cells = {"cells": self._plan.cells, "cell": self._plan.cell}
            rank.wire.send(do="run", **cells, **self._plan.settings)
        else:
            output = Output(connection, number, str(kind))
            self._outputs.add(output)
            self._selector.register(connection, selectors.EVENT_READ, output)

    def _listen(self, rank: Rank) -> None:
        messages = rank.wire.receive()
        if messages is None:
            self._selector.unregister(rank.wire.connection)
            if not rank.has_ended:
                self._failed.append(rank.number)
            rank.has_ended = True
            return
        for message in messages:
            self._take(rank, message)

    def _take(self, rank: Rank, message: Mapping[str, Any]) -> None:
        if "ended" not in message:
            self._heard(rank.number, message)
            return
        rank.has_ended = True
        if message.get("ended") == "failed":
            rank.failure = Failure.of(message)
            self._failed.append(rank.number)

    def _read_output(self, output: Output) -> None:
        if not output.read():
            self._selector.unregister(output.connection)
            self._outputs.discard(output)

    def _judge(self, code: int) -> None:
        """Raise what the first rank ended with that did not come to the cell's end."""
        if not code and not self._failed:
            return
        exits = self._exits()
        died = next((number for number, exit_code in exits.items() if -exit_code in _DEADLY), None)
        if died is not None:  # what others raised since is that they lost it
            raise death_of(died, exits[died])
        for number in self._failed:
            failure = self._ranks[number].failure
            if failure is not None:
                raise error_of(number, self._plan.count, failure)
            raise death_of(number, exits.get(number, code))
        for number, exit_code in exits.items():
            raise death_of(number, exit_code)
        raise no_start(_text_of(self._folder / ERRORS))

    def _exits(self) -> dict[int, int]:
        """Return the exit codes of the ranks that failed first, as the launcher has them."""
        printed = self._launcher.stdout if self._launcher is not None else None
        last = printed.read().splitlines()[-1:] if printed is not None else []
        found = json_object(last[0]) if last else {}
        return {int(number): int(code) for number, code in found.items()}

    def _end(self) -> None:
        """Leave no process, and no file."""
        launcher = self._launcher
        if launcher is not None:
            _close(launcher.stdin)  # which ends it, and all below
            with suppress(subprocess.TimeoutExpired):
                launcher.wait(GRACE)
            launcher.kill()
            launcher.wait()
            _close(launcher.stdout)
        end_groups([one.pid for one in self._ranks.values() if _is_the_same(one)])
        for output in self._outputs:
            output.close()
        for rank in self._ranks.values():
            rank.wire.connection.close()
        self._selector.close()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def started_at(pid: int) -> float | None:
    """Return when a process has begun; None where it is not there."""
    with suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return None


def _is_the_same(rank: Rank) -> bool:
    """Whether a rank's number was not given to another process since; what it started may live."""
    now = started_at(rank.pid)
    return rank.pid > 0 and (now is None or now == rank.started)


def _close(file: IO[bytes] | None) -> None:
    if file is not None:
        with suppress(OSError):
            file.close()


def _text_of(path: Path) -> str:
    with suppress(OSError):
        return path.read_text("utf-8", "replace")
    return ""


def environment_of(run: Mapping[str, str], count: int) -> dict[str, str]:
    """Return the environment of ranks: the notebook's, and what they are told of the run."""
    several = {
        "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count)),
    }
    return {**several, **variables(), **run}
