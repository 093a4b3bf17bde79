"""Threads that code begins by ``_thread.start_new_thread``: in which run each was begun.

Nothing of Python keeps a list of them, and a thread that is found later may as well be one of a
library outside of Python, which serves whoever asks. So it is noted when one is begun.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

Born = Callable[[], "RunScope | None"]


class RawThread:
    """The function of such a thread, and the run that it was begun in.

    Parameters
    ----------
    function : callable
        What the thread calls.
    run : RunScope
        The innermost open run.
    """

    def __init__(self, function: Callable[..., Any], run: RunScope) -> None:
        self._function = function
        self._run: ReferenceType[RunScope] | None = ref(run)
        self._goes_on = True

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return str(getattr(self._function, "__name__", "a thread"))

    @property
    def run(self) -> RunScope | None:
        """The run, while anything knows it."""
        return self._run() if self._run is not None else None

    def is_alive(self) -> bool:
        """Whether it goes on."""
        return self._goes_on

    def be_free(self) -> None:
        """Let it follow the run that is open from now on."""
        self._run = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, in its thread."""
        _here.thread = self
        try:
            return self._function(*args, **kwargs)
        finally:
            self._goes_on = False

    def __repr__(self) -> str:
        return repr(self._function)  # Python names it where it fails


class _Starts:
    """What begins such threads, as it was before, and who says which run it is."""

    def __init__(self) -> None:
        self.plain = _thread.start_new_thread
        self.born: Born | None = None


_here = threading.local()
_starts = _Starts()


def here() -> RawThread | None:
    """Return the thread that this is called in, where it is one that was noted."""
    return getattr(_here, "thread", None)


def _start(function: Callable[..., Any], args: Any, *kwargs: Any) -> int:
    run = None
    with suppress(Exception):
        run = _starts.born() if _starts.born is not None and callable(function) else None
    return _starts.plain(function if run is None else RawThread(function, run), args, *kwargs)


def look_after(born: Born | None) -> None:
    """Note from now on in which run a thread is begun; None gives the function back as it was."""
    _starts.born = born
    now: Any = _thread.start_new_thread
    if born is not None and now is not _start:
        _starts.plain = now
        _thread.start_new_thread = _start
    elif born is None and now is _start:
        _thread.start_new_thread = _starts.plain
