"""MLflow in a forked child: database connections are not shared with the parent.

A connection that two processes use is broken for both, and a lock that a thread of the parent
held at the fork is never released in the child. Nor may the child close what it inherited:
SQLite takes a lock of the whole process for it, which a thread of the parent may have held, so
that a child hung when it collected garbage.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import Any

from cvtrack_magics.store import client

_STORES = (
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
)


_inherited: list[Any] = []


class _Once:
    """Whether children begin anew already."""

    done = False


def begin_anew_in_children() -> None:
    """Let every child that is forked from now on open connections of its own."""
    if not _Once.done and hasattr(os, "register_at_fork"):
        _Once.done = True
        os.register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    for name in _STORES:
        store = getattr(sys.modules.get(name), "SqlAlchemyStore", None)
        if store is not None:
            with suppress(Exception):
                _renew(store)
    client.begin_anew()


def _renew(store: Any) -> None:
    for name in [item for item in vars(store) if item.endswith("_lock")]:
        setattr(store, name, threading.Lock())
    for name in [item for item in vars(store) if item.endswith("_engine_map")]:
        for engine in getattr(store, name).values():
            _never_closed(engine.pool)
            engine.dispose(close=False)  # the connections stay the parent's


def _never_closed(pool: Any) -> None:
    """Let an object be there, with all it holds, to the very end of this process and behind."""
    _inherited.append(pool)
    with suppress(ImportError, AttributeError):  # a Python without: then to its exit
        import ctypes

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))
