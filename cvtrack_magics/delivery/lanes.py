"""Which of the open runs code is in, where several are open side by side.

A run belongs to the thread or task that opened it, and to tasks made there since. Trials of a
search that run in threads, or as tasks of one thread, are so kept apart. Code that opened no run
itself (a helper's thread, a callback) is in that of the thread that opened the outermost: in the
innermost which all that are open there stand in. Where several runs that are nested in none are
open, it is in the one that it was started in, and in none where that is not known. What was made
in a run and goes on after its end is looked after by :mod:`cvtrack_magics.run.after_end`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Thread, current_thread, get_ident, main_thread
from typing import Any, Protocol, TypeVar
from weakref import ReferenceType, WeakKeyDictionary, ref


class _Nested(Protocol):
    @property
    def lane(self) -> Lane: ...

    @property
    def parent(self) -> Any: ...


R = TypeVar("R", bound=_Nested)

_opened: ContextVar[tuple[Any, ...]] = ContextVar("cvtrack_runs", default=())
_started: WeakKeyDictionary[Thread, ReferenceType[Any]] = WeakKeyDictionary()
"""In which run a thread was started, where that was noted."""


def opened(run: _Nested, open_runs: Sequence[_Nested]) -> None:
    """Note that the running code has opened a run; those that are over are forgotten."""
    _opened.set((*(one for one in _opened.get() if one in open_runs), run))


def left(run: _Nested) -> None:
    """Note that the running code has ended a run: what it makes from here on is not of it."""
    _opened.set(tuple(one for one in _opened.get() if one is not run))


def stay_in(open_runs: Sequence[_Nested]) -> None:
    """Let the running code, and what it makes, be in what code that opened none itself is in."""
    found = shared(open_runs) if open_runs else None
    around = list(line(found)) if found is not None else []
    _opened.set(tuple(reversed(around)))


def made_in() -> Any:
    """Return the run that the running code opened last, or was made in; it may have ended."""
    found = _opened.get()
    return found[-1] if found else _thread_started_in()


def note_start(thread: Thread, run: _Nested) -> None:
    """Note that a thread is started in a run."""
    _started[thread] = ref(run)


def _thread_started_in() -> Any:
    at = _started.get(current_thread()) if _started else None
    return at() if at is not None else None


@contextmanager
def within(run: _Nested) -> Iterator[None]:
    """Let the running code be in a run that it was handed over in, for as long as it runs."""
    token = _opened.set(tuple(reversed([*line(run)])))
    try:
        yield
    finally:
        _opened.reset(token)


@dataclass(frozen=True)
class Lane:
    """A thread, or a task of one."""

    thread: int
    task: ReferenceType[Any] | None

    @property
    def is_over(self) -> bool:
        """Whether nothing can be done in it any more, as in a cell that has run."""
        task = self.task() if self.task is not None else None
        return self.task is not None and (task is None or task.done())


def task_here() -> asyncio.Task[Any] | None:
    """Return the task that this is called in, if it is in one."""
    with suppress(RuntimeError):
        return asyncio.current_task()
    return None


def lane() -> Lane:
    """Return the thread and task that this is called in."""
    task = task_here()
    return Lane(get_ident(), ref(task) if task is not None else None)


def several(open_runs: Sequence[R]) -> bool:
    """Whether more than one thread or task has opened some of the runs and goes on."""
    return len({one.lane for one in open_runs if not one.lane.is_over}) > 1


def innermost(open_runs: Sequence[R]) -> R | None:
    """Return the run that the running code is in.

    Parameters
    ----------
    open_runs : sequence
        The open runs, each behind the one it is nested in.
    """
    for one in reversed(_opened.get()):
        if one in open_runs:
            found: R = one
            return found
    started_in = _thread_started_in()
    return started_in if started_in in open_runs else shared(open_runs)


def tops(open_runs: Sequence[R]) -> list[R]:
    """Return the open runs that are nested in none."""
    return [one for one in open_runs if one.parent is None]


def stands_beside(open_runs: Sequence[_Nested]) -> bool:
    """Whether the running code is in none of the open runs: all are of other threads or tasks.

    A task that was made in a run has it in its context, and what is started in one that stands
    beside others is noted. A thread beside the one of a cell or a script may be the run's own.
    """
    if made_in() in open_runs or any(one in open_runs for one in _opened.get()):
        return False
    here = lane()
    return all(_is_elsewhere(one.lane, here) for one in tops(open_runs))


def may_stand_beside(run: Lane) -> bool:
    """Whether runs of other threads and tasks may be opened beside one that was opened here."""
    return run.task is not None or run.thread != main_thread().ident


def _is_elsewhere(run: Lane, here: Lane) -> bool:
    if run.thread == here.thread:
        return here.task is not None
    return run.thread != main_thread().ident


def shared(open_runs: Sequence[R]) -> R | None:
    """Return the run of code that opened none itself, whose thread opened none: see above."""
    if len(tops(open_runs)) > 1:
        return None
    first = [one for one in open_runs if one.lane.thread == open_runs[0].lane.thread]
    around = line(first[-1]) if first else ()
    return next((one for one in around if _all_in_or_around(one, first)), None)


def line(run: R) -> Iterator[R]:
    """Yield a run, the one it is nested in, and so on."""
    at: R | None = run
    while at is not None:
        yield at
        at = at.parent


def inside(run: R, open_runs: Sequence[R]) -> R | None:
    """Return the run that was opened last in another one and is open, if there is one."""
    found = (one for one in reversed(open_runs) if one is not run and run in line(one))
    return next(found, None)


def _all_in_or_around(run: R, open_runs: Sequence[R]) -> bool:
    around = list(line(run))
    return all(one in around or run in line(one) for one in open_runs)
