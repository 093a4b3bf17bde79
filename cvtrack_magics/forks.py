"""Forks of a process that has threads of this package: nothing is handed on half done.

A child has one thread, and memory as it was at the fork: a lock that another thread held stays
held for ever. So every lock of this package is made here, and is free in a child. What other
libraries hold meanwhile (SQLite a lock of all its connections, SQLAlchemy one of its mappings)
cannot be freed: a thread of ours that is in one of them says so, and a fork waits until it is
out.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from time import monotonic, sleep
from typing import TypeVar
from weakref import WeakSet

PATIENCE = 2.0  # seconds that a fork waits for calls of other threads, and once for each
LOOK = 0.001  # seconds between two looks

Made = TypeVar("Made", threading.RLock, threading.Condition, threading.Event)


class _Call:
    """A stay of a thread in another library; ``is_long`` once a fork has waited in vain."""

    is_long = False


class _Forks:
    """What is there of this process; it is one."""

    def __init__(self) -> None:
        self.locks: WeakSet[threading.RLock | threading.Condition | threading.Event] = WeakSet()
        self.calls: dict[int, _Call] = {}
        self.forking: set[int] = set()
        self.done = 0

    def made(self, lock: Made) -> Made:
        self.locks.add(lock)
        return lock

    def enter(self, me: int) -> bool:
        """Begin a call once no other thread forks; whether it is the outermost of this thread."""
        if me in self.calls:
            return False
        until = monotonic() + 2 * PATIENCE
        while True:
            self.calls[me] = _Call()  # said first: of two that begin at once one sees the other
            if not self.forking - {me} or monotonic() > until:
                return True
            self.calls.pop(me, None)
            sleep(LOOK)

    def leave(self, me: int) -> None:
        self.calls.pop(me, None)

    def before(self) -> None:
        """Wait until no other thread is in a call; one that goes on for long is not waited for."""
        me, until = get_ident(), monotonic() + PATIENCE
        self.forking.add(me)
        while others := self._calls_of_others(me):
            if monotonic() > until:
                for call in others:
                    call.is_long = True
            sleep(LOOK)

    def _calls_of_others(self, me: int) -> list[_Call]:
        calls = list(self.calls.items())
        return [call for thread, call in calls if thread != me and not call.is_long]

    def in_parent(self) -> None:
        self.done += 1
        self.forking.discard(get_ident())

    def in_child(self) -> None:
        """Free what threads hold that are not here; what this one holds it will give back."""
        me = get_ident()
        self.forking.clear()
        self.calls = {thread: call for thread, call in self.calls.items() if thread == me}
        for lock in list(self.locks):
            if not _is_owned(lock):
                lock._at_fork_reinit()  # type: ignore[union-attr]


def _is_owned(lock: threading.RLock | threading.Condition | threading.Event) -> bool:
    ask = getattr(lock, "_is_owned", None)
    return ask is not None and bool(ask())


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_forks.before,
        after_in_parent=_forks.in_parent,
        after_in_child=_forks.in_child,
    )


def so_far() -> int:
    """Return how often this process was forked by Python, and not only to start a program."""
    return _forks.done


def rlock() -> threading.RLock:
    """Make a lock that is free in a forked child, but for the thread that forks.

    A signal's handler may come into whoever holds it, and ask for it: hence no plain lock.
    """
    return _forks.made(threading.RLock())


def condition() -> threading.Condition:
    """Make a condition that is free in a forked child, and that nobody waits for there."""
    return _forks.made(threading.Condition(threading.RLock()))


def event() -> threading.Event:
    """Make an event that can be set and waited for in a forked child."""
    return _forks.made(threading.Event())


@contextmanager
def waiting_for_this() -> Iterator[None]:
    """Let forks of other threads wait while this one is in a library that is no fork's friend."""
    me = get_ident()
    is_outermost = _forks.enter(me)
    try:
        yield
    finally:
        if is_outermost:
            _forks.leave(me)


@contextmanager
def not_waiting() -> Iterator[None]:
    """Let forks go on for a part of such a stay that may take long, and that holds nothing."""
    me = get_ident()
    before = _forks.calls.pop(me, None)
    try:
        yield
    finally:
        if before is not None:
            _forks.enter(me)
