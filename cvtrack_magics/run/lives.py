"""What goes on in the threads of this process: plain threads, and what pools have in hand.

A thread is known by its object, so that one that comes later under the same number is another.
A pool's thread is reused on purpose: what is looked at there is the task, as long as it runs.

The frames of other threads are never walked: those run on between two steps of a walk, and what
it stands on then is gone (CPython 3.11 crashes). A thread looks at its own frames only.
"""

from __future__ import annotations

import faulthandler
import functools
import multiprocessing
import re
import sys
import tempfile
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
    "loky.",
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
    ("loky.process_executor", "_process_worker"): ("call_item",),
    ("multiprocessing.pool", "worker"): ("job", "i"),
}
"""The functions of pools that go from task to task, and where they have the one in hand."""
_LOOPS = {*_TASKS, ("torch.utils.data._utils.worker", "_worker_loop")}
_INNERMOST = re.compile(
    r'^(?:Current thread|Thread) 0x([0-9a-f]+).*\n  File "(.*)", line \d+ in (\w+)', re.MULTILINE
)


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


def of_the_user() -> Iterator[threading.Thread]:
    """Yield the threads that somebody started for something: no pool's, none of this package."""
    for thread in threading.enumerate():
        if thread.ident is None or isinstance(thread, threading._DummyThread):
            continue  # not begun; or begun by a library outside of Python, which will reuse it
        module = _entry_of(thread)[0]
        if not module.startswith(OURS) and not is_pool(module):
            yield thread


def at_work() -> set[threading.Thread]:
    """Return the threads of pools that have a task in hand."""
    known = {t.ident: t for t in threading.enumerate() if _entry_of(t) in _TASKS}
    if not known:
        return set()
    found = set()
    for ident, file, function in _INNERMOST.findall(_where_threads_are()):
        thread = known.get(int(ident, 16))
        if thread is None:
            continue
        module, loop = _entry_of(thread)
        if function != loop or not file.endswith(f"{module.replace('.', '/')}.py"):
            found.add(thread)  # in the loop itself it waits for the next
    return found


def _where_threads_are() -> str:
    """Return what the interpreter says of all threads, looked at in one moment."""
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read().decode("utf-8", "replace").replace("\\", "/")


def is_pool(module: str) -> bool:
    """Whether what begins in a module is reused, or serves whoever asks."""
    return f"{module}.".startswith(POOLS)


def is_pools(thread: threading.Thread) -> bool:
    """Whether a thread is one of a pool, which takes tasks of whoever has some."""
    return _entry_of(thread) in _TASKS


def _entry_of(thread: threading.Thread) -> tuple[str, str]:
    """Return module and name of the function that a thread was started for."""
    target = getattr(thread, "_target", None)
    if isinstance(thread, threading.Timer):
        target = thread.function
    elif type(thread).run is not threading.Thread.run:
        target = type(thread).run
    return _named(target)


def _named(function: Any) -> tuple[str, str]:
    while isinstance(function, functools.partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    return str(module), str(getattr(function, "__name__", ""))


def in_hand(frame: FrameType) -> Task | None:
    """Return the task of a pool that a frame of this thread is in; None where it is in none."""
    at: FrameType | None = frame
    while at is not None:
        names = _TASKS.get((str(at.f_globals.get("__name__", "")), at.f_code.co_name))
        if names is not None:
            values = [at.f_locals.get(name) for name in names]
            return None if values[0] is None else _task(values)
        at = at.f_back
    return None


def work_of_process() -> tuple[bool, Task | None]:
    """Return whether this process is a pool's, and which task it has in hand.

    What a thread beside the main one is in is not known.
    """
    looped = _named(getattr(multiprocessing.current_process(), "_target", None)) in _LOOPS
    if not looped or threading.current_thread() is not threading.main_thread():
        return looped, None
    return True, in_hand(sys._getframe())


def _task(values: list[Any]) -> Task:
    first = values[0]
    number = getattr(first, "work_id", None)
    if number is not None:
        return Task(number)
    return Task(tuple(values) if len(values) > 1 else ref(first))
