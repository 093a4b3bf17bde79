"""Threads of this package's own, where the system may give none."""

from __future__ import annotations

import importlib
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
        while _another_imports(me) and time.monotonic() < until:
            time.sleep(0.002)


def _another_imports(me: int) -> bool:
    known: dict[str, Any] = importlib._bootstrap._module_locks  # type: ignore[attr-defined]
    locks = [reference() for reference in list(known.values())]
    owners = [getattr(lock, "owner", None) for lock in locks if lock is not None]
    return any(owner not in (None, me) for owner in owners)
