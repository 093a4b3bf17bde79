"""Threads of this package's own, where the system may give none."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

FORK_PATIENCE = 5.0  # seconds that a fork waits for the imports of other threads


def started(work: Callable[..., object], *args: Any, name: str) -> threading.Thread | None:
    """Start a thread that ends with the process.

    Parameters
    ----------
    work : callable
        What it does, with ``args``.
    name : str
        What it is called in stacks.

    Returns
    -------
    threading.Thread or None
        None where the user's limit of threads is reached (``ulimit -u``, a container's
        ``pids.max``) or the interpreter ends: what the thread is for waits or is left out, and
        the user's code goes on.
    """
    thread = threading.Thread(target=work, args=args, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def wait_for_imports() -> None:
    """Wait, before a fork, until no other thread is in the middle of an import.

    A child has the module's lock as it was at the fork, held by a thread that it does not have,
    and would wait for ever where it imports the same.
    """
    with suppress(Exception):  # the locks are the interpreter's own
        me, until = threading.get_ident(), time.monotonic() + FORK_PATIENCE
        while _imported_by_others(me) and time.monotonic() < until:
            time.sleep(0.002)


def forget_imports_of_others() -> None:
    """Let a forked child import what another thread was importing at the fork.

    That thread is not there, so the module is neither finished nor let go by anybody. A lock
    that has no owner is dropped as well: each has another one inside, which a thread holds while
    it becomes or ceases to be the owner.
    """
    with suppress(Exception):
        me = threading.get_ident()
        half_done = _imported_by_others(me)
        for name, lock in _known_locks():
            if getattr(lock, "owner", None) != me:
                _module_locks().pop(name, None)
        for name in half_done:
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if getattr(spec, "_initializing", False):
                sys.modules.pop(name, None)


def _module_locks() -> dict[str, Any]:
    known: dict[str, Any] = importlib._bootstrap._module_locks  # type: ignore[attr-defined]
    return known


def _known_locks() -> list[tuple[str, Any]]:
    return [(name, reference()) for name, reference in list(_module_locks().items())]


def _imported_by_others(me: int) -> list[str]:
    """Return the modules that other threads are in the middle of importing."""
    return [n for n, lock in _known_locks() if getattr(lock, "owner", None) not in (None, me)]
