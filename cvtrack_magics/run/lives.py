"""What goes on in the threads of this process: plain threads, and what pools have in hand.

A thread is known by its object, so that one that comes later under the same number is another.
A pool's thread is reused on purpose: what is looked at there is the task, as long as it runs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any
from weakref import ReferenceType, ref

OURS = "cvtrack_magics."
POOLS = (
    "anyio.",
    "apscheduler.",
    "concurrent.futures.",
    "dask.",
    "distributed.",
    "gevent.",
    "ipykernel.",
    "joblib.",
    "multiprocessing.",
    "torch.utils.data.",
    "tornado.",
    "tqdm.",
    "trio.",
    "twisted.",
)
"""Whose threads and processes are reused, or serve whoever asks."""
_TASKS = {
    ("concurrent.futures.thread", "_worker"): ("work_item",),
    ("concurrent.futures.process", "_process_worker"): ("call_item",),
    ("joblib.externals.loky.process_executor", "_process_worker"): ("call_item",),
    ("multiprocessing.pool", "worker"): ("job", "i"),
}
"""The functions of pools that go from task to task, and where they have the one in hand."""
_LOOPS = {*_TASKS, ("torch.utils.data._utils.worker", "_worker_loop")}


@dataclass(frozen=True)
class Task:
    """What a pool has in hand: numbers that come once, or the object itself, not kept alive."""

    what: Any

    def is_one_with(self, other: Task | None) -> bool:
        """Whether another look found the same task."""
        if other is None:
            return False
        if isinstance(self.what, ReferenceType):
            return self.what() is not None and self.what() is other.what()
        return bool(self.what == other.what)


@dataclass(frozen=True)
class Life:
    """What goes on in a thread: all of it, or the task that a pool's thread has in hand."""

    thread: threading.Thread
    task: Task | None = None


def lives() -> Iterator[Life]:
    """Yield what goes on now, but for this package's own and what waits in pools."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        if frame is None or isinstance(thread, threading._DummyThread):
            continue  # not begun; or begun by a library outside of Python, which will reuse it
        module = entry_of(frame)
        if module.startswith(OURS):
            continue
        if not is_pool(module):
            yield Life(thread)
        elif (task := in_hand(frame)) is not None:
            yield Life(thread, task)


def is_pool(module: str) -> bool:
    """Whether what begins in a module is reused, or serves whoever asks."""
    return f"{module}.".startswith(POOLS)


def entry_of(frame: FrameType) -> str:
    """Return the module of the function that a thread was started for."""
    stack = [name for one in _stack(frame) if (name := _module(one)) != "threading"]
    return stack[-1] if stack else ""


def in_hand(frame: FrameType) -> Task | None:
    """Return the task of a pool that a frame is in; None where it is in none."""
    for one in _stack(frame):
        names = _TASKS.get((_module(one), one.f_code.co_name))
        if names is not None:
            values = [one.f_locals.get(name) for name in names]
            return None if values[0] is None else _task(values)
    return None


def work_of_process() -> tuple[bool, Task | None]:
    """Return whether this process is a pool's, and which task it has in hand."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    looped = any((_module(one), one.f_code.co_name) in _LOOPS for one in _stack(frame))
    return looped, in_hand(frame) if looped and frame is not None else None


def _task(values: list[Any]) -> Task:
    first = values[0]
    number = getattr(first, "work_id", None)
    if number is not None:
        return Task(number)
    return Task(tuple(values) if len(values) > 1 else ref(first))


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
