"""A thread, or a task of a pool, is in the run that it was started in.

It is noted while threads or tasks have runs of their own that are nested in none, as trainings side
by side have: there is no run around them which what nobody knows could go to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cvtrack_magics.delivery import lanes
from cvtrack_magics.run import lives
from cvtrack_magics.standard import AsTheUserHasIt

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

Born = Callable[[], "RunScope | None"]


class _Starts:
    """What starts threads and takes tasks, as it was before, and who says which run it is."""

    def __init__(self) -> None:
        self.born: Born | None = None
        self.start: Any = threading.Thread.start
        self.submit: Any = ThreadPoolExecutor.submit

    def run(self) -> RunScope | None:
        """Return the run of the code that asks."""
        with suppress(Exception):
            return self.born() if self.born is not None else None
        return None


_starts = _Starts()


class Handed:
    """A function that is handed to a pool, and called in the run of who did that."""

    def __init__(self, function: Callable[..., Any], run: RunScope) -> None:
        self._function = function
        self._run = run

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        with lanes.within(self._run):
            return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return repr(self._function)


def _start(thread: threading.Thread) -> None:
    run = _starts.run()
    if run is not None and not lives.is_pools(thread):
        lanes.note_start(thread, run)
    _starts.start(thread)


def _submit(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    run = _starts.run()
    handed = function if run is None or not callable(function) else Handed(function, run)
    return _starts.submit(pool, handed, *args, **kwargs)


def look_after(born: Born | None) -> None:
    """Note from now on in which run a thread is started; None gives all back as it was.

    Parameters
    ----------
    born : callable or None
        Returns the run that the running code is in.
    """
    was_noted, _starts.born = _starts.born is not None, born
    thread: Any = threading.Thread
    pool: Any = ThreadPoolExecutor
    if born is not None:
        if thread.start is not _start:
            _starts.start, thread.start = thread.start, _start
        if pool.submit is not _submit:
            _starts.submit, pool.submit = pool.submit, _submit
        return
    if was_noted:
        with AsTheUserHasIt():  # while a run is closed others stand there
            if thread.start is _start:
                thread.start = _starts.start
            if pool.submit is _submit:
                pool.submit = _starts.submit
