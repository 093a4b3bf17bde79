"""Looks around a run in the background, while the store opens it and the cell runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics import forks
from cvtrack_magics.capture.code.scripts import compiled_records, script_records, unkept
from cvtrack_magics.records import Artifact, Notice, Param, Record, Tag
from cvtrack_magics.run import context as surroundings
from cvtrack_magics.run.host import CellFacts
from cvtrack_magics.run.notebook_state import NotebookState
from cvtrack_magics.system import time
from cvtrack_magics.threads import started

if TYPE_CHECKING:
    from cvtrack_magics.run.session import Session

WINDOW = 1.0  # seconds: a run that ends sooner writes its surroundings with its end
SLOW = 5.0  # seconds of git, after which it is not waited for a second time
HARDLY = 0.2  # seconds it then gets


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
    machine : bool
        Whether this process's environment and hardware are the run's.
    """

    def __init__(
        self,
        session: Session,
        cell: CellFacts,
        code: bool,
        deliver: Callable[[list[Record]], None],
        *,
        machine: bool = True,
    ) -> None:
        self._session = session
        self._cell = cell
        self._code = code
        self._deliver = deliver
        self._here = machine
        self._records: list[Record] = []
        self._modules: list[Path] = []
        self._lock = forks.rlock()
        self._asked_git = False
        self._git_is_slow = False
        self._opened = forks.event()
        self._ended = forks.event()
        self._looked_at_git = forks.event()
        self._done = forks.event()
        self._thread: threading.Thread | None = None
        self._scripts: list[Record] = []
        self._state: NotebookState | None = None
        self.machine_params: set[str] = set()
        self._machine: list[Record] = []
        self._loads = surroundings.loads_so_far()

    def start(self) -> None:
        """Begin to look around; scripts are read at once, for the cell may change them."""
        if self._code:
            self._scripts = surroundings.safely("scripts", self._scripts_now)
            surroundings.safely("the notebook's state", self._look_at_state)
        self._thread = started(self._work, name="cvtrack-gather")

    def run_is_open(self) -> None:
        """Say that records can be delivered from now on."""
        self._opened.set()

    def finish(self, timeout: float) -> list[Record]:
        """Return what was gathered and not delivered; wait at most ``timeout`` seconds."""
        self._ended.set()
        self._opened.set()  # a signal may end a run that is being opened
        if self._thread is None:  # there was none to be had
            self._work()
        else:
            self._done.wait(timeout)
        records = self._taken()
        if self._code and not self._asked_git:
            self._git_is_slow = True
            records.append(Notice("git did not answer in time: the code version was not recorded."))
        return records

    def late(self, written: set[str]) -> list[Record]:
        """Return the session so far, and modules the cell imported; ``written`` is there.

        Packages that were installed while the run was open replace those of its start.
        """
        fresh = surroundings.safely("packages", self._packages_now)
        if not self._code:
            return fresh
        host = self._session.host
        patience = HARDLY if self._git_is_slow else None
        there = {*written, *(r.path for r in self._scripts if isinstance(r, Artifact))}
        return [
            *fresh,
            *surroundings.safely("scripts", lambda: self._scripts_but(there)),
            *surroundings.safely("modules of zip files", surroundings.packed_module_records),
            *surroundings.safely("the session", lambda: surroundings.session_records(host.cells())),
            *surroundings.safely("the cells that it needs", self._minimal),
            *surroundings.safely("whether it can be run again", self._replayable),
            *surroundings.safely("the notebook's state", self._state_at_end),
            *surroundings.safely(
                "imported modules",
                lambda: surroundings.late_code_records(
                    host.notebook(), self._own_modules(), self._modules, written, patience
                ),
            ),
        ]

    def _look_at_state(self) -> list[Record]:
        self._state = NotebookState(self._session.host, self._cell)
        return []

    def _stale(self) -> list[Record]:
        """Return what is stale of what a cell reads; a run over several is asked at its end."""
        if self._state is None:
            return []
        return self._state.stale_records() if self._state.is_cell else []

    def _state_at_end(self) -> list[Record]:
        if self._state is None:
            return []
        return self._state.carried_records() if self._state.is_cell else self._state.stale_records()

    def _minimal(self) -> list[Record]:
        return self._state.minimal_records() if self._state is not None else []

    def _own_modules(self) -> list[Path]:
        return surroundings.own_modules_since(self._session.machine.own_modules(), self._loads)

    def _replayable(self) -> list[Record]:
        from cvtrack_magics.replay.plan import why_not

        sources, cell = self._session.host.sources(), self._cell.source
        # a cell that a program runs is in no history
        before = sources[:-1] if sources and sources[-1].strip() == cell.strip() else sources
        why = why_not(before, cell, self._session.host.names())
        if not why:
            return []
        return [Tag("replayable", f"no: {why}"), Notice(f"replayable: no, {why}.")]

    def _scripts_now(self) -> list[Record]:
        names = self._session.host.names()
        return script_records(self._cell.source, names=names) if self._cell.source else []

    def _scripts_but(self, there: set[str]) -> list[Record]:
        """Return the scripts that the cell made itself."""
        names = self._session.host.names()
        found = self._scripts_now()
        fresh = [r for r in found if isinstance(r, Artifact) and r.path not in there]
        known = {str(path.resolve()) for path in self._own_modules()}
        kept = {*there, *(r.path for r in fresh)}
        compiled = compiled_records(names, known)
        more = [r for r in compiled if isinstance(r, Artifact) and r.path not in kept]
        return [*fresh, *more, *unkept(self._cell.source, names, kept)]

    def _packages_now(self) -> list[Record]:
        now = self._session.machine.records()
        if not self._machine or now is self._machine:
            return []
        return [
            item
            for item in now
            if isinstance(item, Artifact | Notice) and item not in self._machine
        ]

    def _machine_now(self) -> list[Record]:
        self._machine = self._session.machine.records() if self._here else []
        return self._machine

    def _work(self) -> None:
        try:
            self._gather()
        finally:
            self._done.set()

    def _gather(self) -> None:
        # beside each other, because git may hang where a file server does
        git = started(self._look_at_git, name="cvtrack-git-state") if self._code else None
        if self._state is not None:  # first of all: the notebook may be saved again soon
            self._state.look()
        records = [*surroundings.safely("environment and hardware", self._machine_now)]
        self.machine_params = {item.key for item in records if isinstance(item, Param)}
        if self._code:
            records += surroundings.safely("code", lambda: surroundings.cell_records(self._cell))
            records += surroundings.safely("locks and requirements", self._project_files)
            records += self._scripts
            records += surroundings.safely("the notebook's state", self._stale)
        self._keep(records)
        self._hand_over()
        if git is not None:
            self._looked_at_git.wait()  # joining would ask Python's threads, which code may patch
            self._hand_over()

    def _project_files(self) -> list[Record]:
        return surroundings.project_file_records(self._session.host.notebook())

    def _look_at_git(self) -> None:
        start = time.monotonic()
        try:
            self._keep(surroundings.safely("git state", self._describe_repository))
            self._git_is_slow = time.monotonic() - start > SLOW
            self._asked_git = True
        finally:
            self._looked_at_git.set()

    def _keep(self, records: list[Record]) -> None:
        with self._lock:
            self._records += records

    def _taken(self) -> list[Record]:
        with self._lock:
            records, self._records = self._records, []
        return records

    def _hand_over(self) -> None:
        """Deliver what is there, unless the run ends within a moment and takes it along."""
        self._opened.wait()
        if not self._records or self._ended.wait(WINDOW):
            return
        records = self._taken()
        if records:
            self._deliver(records)

    def _describe_repository(self) -> list[Record]:
        self._modules = self._session.machine.own_modules()
        notebook = self._session.host.notebook()
        return surroundings.repository_records(notebook, self._modules)


def paths_of(records: list[Record]) -> set[str]:
    """Return the paths of the artifacts among some records."""
    return {item.path for item in records if isinstance(item, Artifact)}
