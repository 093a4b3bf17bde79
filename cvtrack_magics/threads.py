"""Threads of this package's own, where the system may give none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


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
