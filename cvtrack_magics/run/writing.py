"""Where ``log()`` of this process writes, and what it says where it cannot."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cvtrack_magics import forks
from cvtrack_magics.delivery import lanes
from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.records import Record
from cvtrack_magics.run import current, raw_threads, thread_starts, worker_starts
from cvtrack_magics.run.after_end import AfterEnd, Outliving
from cvtrack_magics.run.host import ScriptHost
from cvtrack_magics.run.parent_run import above, show
from cvtrack_magics.run.ranks.identity import is_other_rank
from cvtrack_magics.run.unrecorded import Unrecorded
from cvtrack_magics.system import os, time

if TYPE_CHECKING:
    from cvtrack_magics.journal.run_note import RunNote
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session


LATE = (
    "the run that this worker was started in has ended; what it logs goes to that run, also while "
    "another one is open. Wait for it in the run's cell, or start it in the run it is to log to."
)

IN_NONE = "-"
"""Stands for the run of a program that is started where several are open, nested in none."""


class Place(Protocol):
    """What takes that of a call of ``log()`` which is no number."""

    @property
    def auto(self) -> bool:
        """Whether it takes what libraries report without a call."""

    def tell(self, key: str, line: str) -> bool:
        """Say a line, once for a key; return whether it was said now."""

    def step_of(self, given: int | None) -> int:
        """Return a step as given, or the one that was reached."""

    def add(self, records: Iterable[Record]) -> Any:
        """Record facts."""

    def imply(self, records: Iterable[Record]) -> None:
        """Record settings that nobody said, but where the user says otherwise."""

    def shown(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record numbers that the code shows, unless it logs some itself."""


class Worker:
    """The place of a worker process, whose numbers arrive and nothing else.

    Parameters
    ----------
    session : Session
        Says what is not recorded.
    channel : Channel
        Where the numbers go.
    """

    def __init__(self, session: Session, channel: Channel) -> None:
        self.channel = channel
        self._session = session
        self._said: set[str] = set()
        channel.names.told = self._tell_of

    auto = True

    def tell(self, key: str, line: str) -> bool:
        """Say a line, once for a key; return whether it was said now."""
        is_new = key not in self._said
        if is_new:
            self._said.add(key)
            self._session.host.say(f"cvtrack (worker {os.getpid()}): {line}")
        return is_new

    def _tell_of(self, line: str) -> None:
        self.tell(line, line)

    def step_of(self, given: int | None) -> int:
        """Return a step as given, or the last one logged here."""
        return self.channel.last_step if given is None else given

    def imply(self, records: Iterable[Record]) -> None:
        """Leave settings to the process that opened the run."""
        del records

    def shown(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Leave what is shown to the process that opened the run."""
        del values, step

    def add(self, records: Iterable[Record]) -> None:
        """Say that there is no way for files."""
        del records
        self.tell(
            "files",
            "figures and images that log() is given in a worker process are not recorded. Return "
            "them, and log them in the process that opened the run.",
        )


def _keys(scope: RunScope | None) -> list[str]:
    around = lanes.line(scope) if scope is not None else ()
    folders = [one.kept.delivery.folder for one in around if one.is_open]
    return [folder.note.key for folder in folders if folder is not None]


class Writing:
    """Knows the run that ``log()`` writes into.

    Parameters
    ----------
    session : Session
        Whose runs they are.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = forks.rlock()
        self._worker: Worker | None = None
        self._journals: list[Path] = []
        self.outliving = Outliving()
        raw_threads.look_after(self._here)
        self._unrecorded = Unrecorded(
            session.host.say,
            not isinstance(session.host, ScriptHost),
            lambda: multiprocessing.parent_process() is not None or self._is_worker,
        )

    def begin_cell(self) -> None:
        """Say again from now on when nothing is recorded; a cell is in what is open now."""
        self.outliving.free_here()
        lanes.stay_in([one for one in self._session.scopes if one.is_open])
        self._unrecorded.begin_cell()

    def end_cell(self) -> None:
        """Say how often ``log()`` was called with no run open; bring what came late to the store.

        Who awaits a task of an earlier cell reads the whole curve in the next one.
        """
        self._unrecorded.end_cell()
        late, until = self.outliving.settle(), time.monotonic() + self._session.config.close_timeout
        with suppress(KeyboardInterrupt):
            for delivery in late:
                self._session.sender.wait(delivery, until - time.monotonic())

    def goes_to(self, scope: RunScope | None) -> None:
        """Let ``log()`` write into a run from now on."""
        self._short_way(scope)
        if scope is not None:
            self._unrecorded.run_is_open()
        self.show()

    def show(self) -> None:
        """Let the workers of this process know its open runs."""
        with self._lock, worker_starts.showing():
            here: dict[Path, list[str]] = {journal: [] for journal in self._journals}
            scopes = [item for item in self._session.scopes if item.is_open]
            side_by_side, tops = lanes.several(scopes), lanes.tops(scopes)
            last = lanes.shared(scopes) if side_by_side else None
            for scope in sorted(scopes, key=lambda one: one is last):
                folder = scope.kept.delivery.folder
                if folder is not None:  # its own journal: the setting may have changed since
                    keys = here.pop(folder.path.parent, [])
                    here[folder.path.parent] = [*keys, folder.note.key]
            if not any(here.values()):
                with suppress(OSError):  # no folder can be made
                    here.setdefault(self._session.journal, [])
            late = self.outliving.for_workers()
            for journal in late:
                here.setdefault(journal, [])
            show(
                here,
                _keys(last or (scopes[-1] if scopes else None)) if len(tops) < 2 else [IN_NONE],
                late,
                beside=side_by_side,
            )
            worker_starts.look_after(self._born if side_by_side else None)
            beside = len(tops) > 1 or any(lanes.may_stand_beside(one.lane) for one in tops)
            thread_starts.look_after(self._here if beside else None)
            self._journals = list(here)

    def _born(self) -> list[str]:
        """Return the keys of the runs that the running code is in, the innermost first."""
        return _keys(self._here())

    def now(self, *, quietly: bool = False) -> tuple[Place, Channel] | None:
        """Return the run to write into; says once in a cell when there is none."""
        if self._is_quiet:
            return None
        over = self.over_here()
        if over is not None:
            return over, over.channel()
        scope = lanes.innermost([item for item in self._session.scopes if item.is_open])
        if scope is not None:
            self._short_way(scope)
            return scope, scope.channel
        channel = self._above()
        if channel is not None:
            self._unrecorded.run_is_open()
            if self._worker is None or self._worker.channel is not channel:
                member = self._session.member
                self._worker = member.place(channel) if member else Worker(self._session, channel)
            if self._is_worker and above.is_late:
                self._worker.tell("late", LATE)
            return self._worker, channel
        if not quietly:
            self._unrecorded.add()
        return None

    @property
    def _is_quiet(self) -> bool:
        """Whether another process records for this one, or what is executed is no run's."""
        if not isinstance(self._session.host, ScriptHost):
            return False
        member = self._session.member
        return is_other_rank() or (member is not None and not member.is_recording)

    def over_here(self) -> AfterEnd | None:
        """Return the place of the run that the running code belongs to, where that has ended."""
        made_in = lanes.made_in()
        if made_in is not None and made_in in self._session.scopes:
            return None
        return self.outliving.place_of_here(made_in)

    def begins(self, scope: RunScope) -> None:
        """Note what goes on when a run is opened: it belongs to no run, or to others."""
        with suppress(Exception):  # threading may be patched; the run is opened all the same
            self.outliving.begins(scope)

    def ends(self, scope: RunScope) -> None:
        """Note what was started in a run and goes on after it.

        It is not known who started what while threads have runs open side by side: it is then
        in the run of the thread that opened the outermost.
        """
        with suppress(Exception):
            if lanes.shared(self._session.scopes) is scope:
                self.outliving.ends(scope)

    def _here(self) -> RunScope | None:
        """Return the run that the running code is in."""
        return lanes.innermost([one for one in self._session.scopes if one.is_open])

    def end_late(self) -> None:
        """Take nothing more for runs that have ended; this process ends."""
        raw_threads.look_after(None)
        self.outliving.settle(all_of_it=True)
        with suppress(Exception):
            self.show()

    def _short_way(self, scope: RunScope | None) -> None:
        """Let ``log()`` write into a run at once, unless it has to ask whose run it is in."""
        asks = scope is None or lanes.several(self._session.scopes)
        current.log_to(None if scope is None or asks else scope.channel)

    def above(self) -> RunNote | None:
        """Return the run of the process above that runs of this one are nested in."""
        return above.note() if self._is_worker else None

    @property
    def _is_worker(self) -> bool:
        """Whether this process works for another.

        A notebook that was started from within a run is no worker of it.
        """
        if not isinstance(self._session.host, ScriptHost):
            return False
        above.look(self._session.journal)
        return above.told

    def _above(self) -> Channel | None:
        """Return the channel of a run of the process above."""
        if self._is_worker:
            channel = above.channel(self._no_room)
            if channel is not None:
                channel.names.clean = self._session.masking().metric
            return channel
        parent = current.forked_from()  # whose file system knows no locks
        scopes = parent.scopes if parent is not None else []
        scope = lanes.innermost([item for item in scopes if item.is_open])
        return scope.kept.here if scope is not None else None

    def _no_room(self, error: OSError) -> None:
        self._session.host.say(
            f"cvtrack (worker {os.getpid()}): nothing can be written to the run's folder "
            f"({error.strerror or error}); what this worker logs from now on is lost."
        )
