"""How a page is heard while its cell runs, on a thread of the kernel's own."""

from __future__ import annotations

import weakref
from contextlib import suppress
from typing import Any

_own: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
"""The subshell that this package opened in a kernel, by the kernel's manager of them."""


def answer_while_busy(comm: Any) -> None:
    """Let a page be heard during a long cell: one that reloads, and a click.

    A kernel with subshells (ipykernel 7.4) sends a page's message to the shell that last
    used the comm, which is the one that runs the cell. The page's own choice is better, and
    where a page chooses none (VS Code, nbclassic) one that we open: its messages come to the
    shell of the cells otherwise, which handles them when the cell is over.

    Parameters
    ----------
    comm : Comm
        The widget's; one of another kernel is left as it is.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda _data, chosen: chosen or _opened(comm)


def _opened(comm: Any) -> str | None:
    """Return the subshell of ours, opened when first asked for; ``None`` where there is none.

    Called on the thread that hands messages out, the only one that may open a subshell.
    """
    with suppress(Exception):
        manager = comm.kernel.shell_channel_thread.manager
        if _own.get(manager) not in manager.list_subshell():
            _own[manager] = manager._create_subshell()
        return _own[manager]
    return None
