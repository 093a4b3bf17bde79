"""Looks around a run in the background, while the store opens it and the cell runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.records import Artifact, Param, Record
from cvtrack_magics.runs import surroundings
from cvtrack_magics.runs.host import CellFacts

if TYPE_CHECKING:
    from cvtrack_magics.runs.session import Session

WINDOW = 1.0  # seconds: a run that ends sooner writes its surroundings with its end


class Gathering:
    """Environment, hardware, git state and code of one run.

    Parameters
    ----------
    session : Session
        Knows what is the same for all runs of the process.
    cell : CellFacts
        The cell the run is opened in.
    code : bool
        Whether code and git state are wanted.
    deliver : callable
        Takes the records, when the run goes on for longer than a moment.
    """

    def __init__(
        self,
        session: Session,
        cell: CellFacts,
        code: bool,
        deliver: Callable[[list[Record]], None],
    ) -> None:
        self._session = session
        self._cell = cell
        self._code = code
        self._deliver = deliver
        self._records: list[Record] = []
        self._modules: list[Path] = []
        self._opened = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="cvtrack-gather", daemon=True)
        self.machine_params: set[str] = set()
        self._machine: list[Record] = []

    def start(self) -> None:
        """Begin to look around."""
        self._thread.start()

    def run_is_open(self) -> None:
        """Say that records can be delivered from now on."""
        self._opened.set()

    def finish(self, timeout: float) -> list[Record]:
        """Return what was gathered and not delivered; wait at most ``timeout`` seconds."""
        self._ended.set()
        self._thread.join(timeout)
        records, self._records = self._records, []
        return records

    def late(self, written: set[str]) -> list[Record]:
        """Return the session so far, and modules the cell imported; ``written`` is there.

        Packages that were installed while the run was open replace those of its start.
        """
        fresh = surroundings.safely("packages", self._packages_now)
        if not self._code:
            return fresh
        host = self._session.host
        return [
            *fresh,
            *surroundings.safely("the session", lambda: surroundings.session_records(host.cells())),
            *surroundings.safely(
                "imported modules",
                lambda: surroundings.late_code_records(
                    host.notebook(), self._session.own_modules(), self._modules, written
                ),
            ),
        ]

    def _packages_now(self) -> list[Record]:
        now = self._session.machine_records()
        if not self._machine or now is self._machine:
            return []
        known = {item.path: item for item in self._machine if isinstance(item, Artifact)}
        return [i for i in now if isinstance(i, Artifact) and known.get(i.path) != i]

    def _work(self) -> None:
        records = surroundings.safely("environment and hardware", self._session.machine_records)
        self._machine = self._session.machine_records() if records else []
        self.machine_params = {item.key for item in records if isinstance(item, Param)}
        if self._code:
            records += surroundings.safely("git state", self._describe_code)
        self._records = records
        self._opened.wait()
        if not self._ended.wait(WINDOW):
            self._records = []
            self._deliver(records)

    def _describe_code(self) -> list[Record]:
        self._modules = self._session.own_modules()
        notebook = self._session.host.notebook()
        return surroundings.code_records(self._cell, notebook, self._modules)


def paths_of(records: list[Record]) -> set[str]:
    """Return the paths of the artifacts among some records."""
    return {item.path for item in records if isinstance(item, Artifact)}
