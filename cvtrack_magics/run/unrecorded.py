"""Counts the calls of ``log()`` that found no run to write into, and says how many they were."""

from __future__ import annotations

import os
from collections.abc import Callable

NO_RUN = (
    "cvtrack: log() was called with no run open; nothing is recorded. "
    "Start the cell with %%mlrun NAME."
)
NO_RUN_IN_SCRIPT = (
    f"{NO_RUN} A script opens one by 'with mlrun(NAME):'; a process that works for the run of "
    "another one needs that one's environment, of which CVTRACK_RUN names the run."
)
NO_RUN_ABOVE = (
    "cvtrack: log() was called in a worker process; nothing is recorded, since no run is open "
    "that this was started in. Return the value, and log it in the process that opened the run."
)


class Unrecorded:
    """What is said of calls that are not recorded: the first at once, and then their count.

    A cell's are counted up to its end. A script and a worker have none: there the count is said
    at each tenfold, for a worker may be terminated, at the next run, and at the process's end.

    Parameters
    ----------
    say : callable
        Says a line to the user.
    in_cells : bool
        Whether what runs is cells.
    is_worker : callable
        Whether this process works for another one.
    """

    def __init__(
        self, say: Callable[[str], None], in_cells: bool, is_worker: Callable[[], bool]
    ) -> None:
        self._say = say
        self._in_cells = in_cells
        self._is_worker = is_worker
        self._count = self._said = 0
        self._pid = 0

    def add(self) -> None:
        """Count one more."""
        self._count += 1
        if self._count == 1:
            self._say(self._line())
            self._said = 1
            if not self._in_cells:
                self._at_the_end_of_the_process()
        elif not self._in_cells and self._count == 10 * self._said:
            self._tell()

    def _line(self) -> str:
        if self._is_worker():
            return NO_RUN_ABOVE
        return NO_RUN if self._in_cells else NO_RUN_IN_SCRIPT

    def begin_cell(self) -> None:
        """Count anew."""
        self._count = 0

    def end_cell(self) -> None:
        """Say how many there were in the cell."""
        if self._count > 1:
            self._say(
                f"cvtrack: log() was called {self._count:,} times without a run in this "
                "cell; none of it was recorded."
            )
        self._count = 0

    def run_is_open(self) -> None:
        """Say how many there were before it, where no cell's end does."""
        if self._count and not self._in_cells:
            self._end()

    def _end(self) -> None:
        if self._count > self._said:
            self._tell()
        self._count = 0

    def _tell(self) -> None:
        self._said = self._count
        who = f"cvtrack (worker {os.getpid()})" if self._is_worker() else "cvtrack"
        self._say(
            f"{who}: log() was called {self._count:,} times without a run; none of it was recorded."
        )

    def _at_the_end_of_the_process(self) -> None:
        from multiprocessing import util  # whose children run no exit handlers but these

        if self._pid != os.getpid():
            self._pid = os.getpid()
            util.Finalize(None, self._if_here, exitpriority=1)

    def _if_here(self) -> None:
        if self._pid == os.getpid():
            self._end()
