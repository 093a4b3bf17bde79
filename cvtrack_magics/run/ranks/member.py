"""What a rank has of its run: the way of what it logs, and loops that all ranks stop together."""

from __future__ import annotations

import fcntl
import mmap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.records import Notice, Record
from cvtrack_magics.run.control import Control
from cvtrack_magics.run.ranks.wire import Wire, packed
from cvtrack_magics.run.session import Session
from cvtrack_magics.run.step_axis import Loop
from cvtrack_magics.run.writing import Worker

_SIZE = 8  # bytes of a number


class Board:
    """How many rounds each rank has begun, and at which all stop, in a file that all have mapped.

    Parameters
    ----------
    path : Path
        Made by whoever starts the ranks.
    rank : int
        Whose rounds are counted.
    """

    def __init__(self, path: Path, rank: int) -> None:
        self._file = path.open("r+b")  # of its own: the lock is the open file's
        self._memory = mmap.mmap(self._file.fileno(), 0)
        self._numbers = memoryview(self._memory).cast("q")
        self._own = rank + 1

    @staticmethod
    def make(path: Path, count: int) -> None:
        """Make the file: nobody has begun, and nobody stops."""
        path.write_bytes(bytes(_SIZE * (count + 1)))

    def begin(self, number: int, ask: Callable[[int], bool]) -> int:
        """Note that a round is about to begin; return at which all ranks stop, 0 for at none.

        Parameters
        ----------
        number : int
            The round, counted over all loops of this rank.
        ask : callable
            Told at which they were asked to stop so far; says whether they are now to stop at the
            first that none of them has begun.
        """
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._numbers[self._own] = number
            if ask(self._numbers[0]):
                self._numbers[0] = max(self._numbers[1:]) + 1
            return self._numbers[0]
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def _unseen(*said: object) -> None:
    """Say nothing: a rank shows no plot."""
    del said


class RankControl(Control):
    """The loops of a rank, which end before the same round in all ranks.

    Rounds are counted over all loops. Rank 0 says at which all stop: the first that no rank has
    begun, so that none waits for another that has stopped.

    Parameters
    ----------
    board : Board
        That of all ranks.
    decides : bool
        Whether it is rank 0.
    last_step, written : callable
        As :class:`Control` has them.
    """

    def __init__(
        self,
        board: Board,
        decides: bool,
        last_step: Callable[[], int],
        written: Callable[[], object],
    ) -> None:
        super().__init__(_unseen, _unseen, last_step, written)
        self._board = board
        self._decides = decides
        self._rounds = self._stop_at = self._done_with = 0
        self.is_asked = False
        """Whether the button was pressed."""

    def enter(self, desc: str, total: int | None, site: object = None) -> Loop:
        """Begin a pass, whose every round looks at the board."""
        loop = super().enter(desc, total, site)
        loop.asked = True
        return loop

    def go_on(self, loop: Loop) -> bool:
        """Whether all ranks go on with the round that is about to begin."""
        self._rounds += 1
        self._stop_at = self._board.begin(self._rounds, self._ask)
        loop.stopping = self._done_with < self._stop_at <= self._rounds
        return not loop.stopping

    def leave(self, loop: Loop) -> None:
        """End a pass; loops that begin once all open ones have stopped were not asked to."""
        super().leave(loop)
        if not self._loops.open and self._stop_at <= self._rounds:
            self._done_with = self._stop_at

    def _ask(self, before: int) -> bool:
        """Whether the button was pressed since, where what it asked for before is done."""
        if not (self._decides and self.is_asked and before <= self._done_with):
            return False
        self.is_asked = False
        return True


class RankPlace(Worker):
    """Where ``log()`` of rank 0 goes: numbers into the run's folder, the rest to the notebook."""

    member: Member

    def tell(self, key: str, line: str) -> bool:
        """Let the run's card say a line, once for a key."""
        is_new = key not in self._said
        if is_new:
            self._said.add(key)
            self.member.send_records([Notice(line)])
        return is_new

    def step_of(self, given: int | None) -> int:
        """Return a step as given, or that of the loop."""
        step = given if given is not None else self.member.control.step_now()
        return super().step_of(step)

    def add(self, records: Iterable[Record]) -> None:
        """Send facts."""
        self.member.send_records([*records])

    def imply(self, records: Iterable[Record]) -> None:
        """Send settings that a library reports."""
        self.member.send_records([*records], implied=True)


class Member:
    """A process as one of the ranks of a cell.

    Parameters
    ----------
    session : Session
        Of this process.
    wire : Wire
        To the notebook.
    rank : int
        Which it is.
    board : Board
        Where all ranks stop.
    name : str
        The run's.
    """

    def __init__(
        self, session: Session, wire: Wire, rank: int, board: Board, name: str = ""
    ) -> None:
        self._name = name
        self._session = session
        self._wire = wire
        self._channel: Channel | None = None
        self.rank = rank
        self.is_recording = False
        """Whether the run's own cell is executed, and not those before it."""
        self.control = RankControl(board, rank == 0, self._last_step, self._written)

    def place(self, channel: Channel) -> RankPlace:
        """Return where ``log()`` goes, which counts steps by this rank's loops."""
        self._channel = channel
        channel.step_now = self.control.step_now
        channel.least_step = lambda _: self.control.reached
        made = RankPlace(self._session, channel)
        made.member = self
        return made

    def record(self, records: Sequence[Record]) -> tuple[str, list[str]]:
        """Take facts for the run, from rank 0."""
        if self.is_recording and self.rank == 0:
            self.send_records(records)
        return self._name, []

    def send_records(self, records: Sequence[Record], *, implied: bool = False) -> None:
        """Let the notebook record facts."""
        self._wire.send(**{"implied" if implied else "records": packed(records)})

    def bars(self) -> list[dict[str, Any]]:
        """Return how far the loops have come."""
        return [asdict(bar) for bar in self.control.bars()]

    def _last_step(self) -> int:
        return self._channel.last_step if self._channel is not None else 0

    def _written(self) -> object:
        return self._channel.written_by_loop if self._channel is not None else None
