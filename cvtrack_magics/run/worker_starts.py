"""A worker begins in the run of the thread or task that starts it.

What tells it is the environment, which is one for all threads of a process. Where several have
runs open side by side, as trials of a search have, ``multiprocessing`` names the right one while
it starts a process, and a forked child names its own.
"""

from __future__ import annotations

import multiprocessing.process
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.run import parent_run
from cvtrack_magics.threads import forget_imports_of_others, wait_for_imports

_plain = multiprocessing.process.BaseProcess.start


class _Starts:
    """Whether starts are looked after; there is one for each process."""

    def __init__(self) -> None:
        self.born: Callable[[], Sequence[str]] | None = None
        self.naming = forks.rlock()  # a signal's handler may start a process
        self._forking = threading.local()

    def before_fork(self) -> None:
        """Let imports come to their end; note the run of the thread that forks."""
        wait_for_imports()
        if self.born is not None:
            with suppress(Exception):
                self._forking.keys = self.born()

    def in_child(self) -> None:
        """Begin in that run."""
        forget_imports_of_others()
        if self.born is not None:
            look_after(None)
            parent_run.name_birth(getattr(self._forking, "keys", ()))
            parent_run.above.in_child()


_starts = _Starts()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_starts.before_fork, after_in_child=_starts.in_child)


def _start(process: Any) -> None:
    if _starts.born is None:
        _plain(process)
        return
    keys = _starts.born()
    parent_run.note_birth(process, keys)
    with _born_in(keys):
        _plain(process)


@contextmanager
def _born_in(keys: Sequence[str]) -> Iterator[None]:
    with _starts.naming:
        before = parent_run.name_birth(keys)
        try:
            yield
        finally:
            if before:
                os.environ[parent_run.VARIABLE] = before


def showing() -> threading.RLock:
    """Return the lock under which the environment is changed."""
    return _starts.naming


def look_after(born: Callable[[], Sequence[str]] | None) -> None:
    """Say from now on in which run a process begins; None where all of them begin in one.

    Parameters
    ----------
    born : callable or None
        Returns the keys of the runs that the running code is in, the innermost first.
    """
    _starts.born = born
    process = multiprocessing.process.BaseProcess
    if born is not None and process.start is _plain:
        process.start = _start  # type: ignore[assignment, method-assign]
    elif born is None and process.start is _start:
        process.start = _plain  # type: ignore[method-assign]
