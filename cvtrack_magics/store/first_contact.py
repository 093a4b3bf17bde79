"""The first contact with a SQLite file: one process makes its tables, the others wait.

MLflow makes the tables of a new file without a lock. Of two notebooks that begin at once in a
new folder, one then fails half-way and may leave the other's file without its last tables.
"""

from __future__ import annotations

import os
from contextlib import suppress

from cvtrack_magics.store.alone import alone
from cvtrack_magics.store.client import client_of, quietly
from cvtrack_magics.store.uris import absolute, sqlite_file

_met: set[tuple[str, int]] = set()


def meet(uri: str) -> None:
    """Open a store for the first time in this process, alone on this machine.

    Whatever fails here shows itself in the call that comes next.
    """
    file = sqlite_file(uri)
    known = (absolute(uri), os.getpid())
    if file is None or (known in _met and file.exists()):
        return
    with alone(f"tables of {file.absolute()}"), suppress(Exception), quietly():
        client_of(uri).search_experiments(max_results=1)
    _met.add(known)
