"""MLflow in a forked child: database connections are not shared with the parent.

A connection that two processes use is broken for both, and a lock that a thread of the parent
held at the fork is never released in the child.
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
            engine.dispose(close=False)  # the connections stay the parent's
