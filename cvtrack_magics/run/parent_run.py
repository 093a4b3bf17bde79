"""The run that is open in the process above: the one that this worker was started by.

A worker that is spawned (by multiprocessing, joblib or a shell) inherits no memory, but the
environment. That names the lock file of the process above and the run that the worker was
started in, with those that it is nested in; the lock file says which runs are open now. A
worker that was started before the first run, or with an environment of its own, was told nothing:
it looks for the lock file of a process that it was started by, and that says which run was open
when this one began. What a worker logs goes to streams of its own in that run's
folder, be it spawned or forked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import current_process
from pathlib import Path
from typing import Any

import psutil

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.delivery.children import child_names
from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.process_times import began_at
from cvtrack_magics.journal.run_note import RunNote, read_note
from cvtrack_magics.run import lives
from cvtrack_magics.system import os, time

VARIABLE = "CVTRACK_RUN"
NOTE = "cvtrack_runs"  # in the settings that a process of multiprocessing gives its workers
LOOK = 1.0  # seconds between two looks whether the process above still lives
SETTLED = 10.0  # seconds after which a folder that was looked through can hold nothing unseen


def show(
    open_here: Mapping[Path, Sequence[str]],
    born: Sequence[str],
    late: Mapping[Path, Mapping[str, str]] | None = None,
    *,
    beside: bool = False,
) -> None:
    """Say which runs are open here, to workers that are there and to come.

    Parameters
    ----------
    open_here : mapping of Path to sequence of str
        The keys of the open runs of each journal, last that of code which opened none itself;
        its journal is the last, and one that has no run open any more has none.
    born : sequence of str
        The keys of the runs that workers to come begin in, the innermost first.
    late : mapping of Path to mapping of str to str, optional
        Of each journal, where workers log to that go on after their runs.
    beside : bool
        Whether threads or tasks have runs open side by side.
    """
    path = None
    for journal, here in open_here.items():
        with suppress(OSError):  # no room, no folder: the runs are kept all the same
            path = liveness.show(journal, here, (late or {}).get(journal), beside=beside)
    if above.inherited and not any(open_here.values()):
        os.environ[VARIABLE] = above.inherited  # its children are workers of the run above, too
    elif path is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = f"{path}#{'/'.join(born)}"


def name_birth(born: Sequence[str]) -> str:
    """Let workers begin in a run, the first of these keys that is open; return what was said."""
    before = os.environ.get(VARIABLE, "")
    path = before.rpartition("#")[0]
    if path and born:
        os.environ[VARIABLE] = f"{path}#{'/'.join(born)}"
    return before


def lock_shown() -> str:
    """Return the lock file that this process's workers are told of; empty where there is none."""
    return os.environ.get(VARIABLE, "").rpartition("#")[0]


def note_birth(process: Any, born: Sequence[str]) -> None:
    """Let a process of multiprocessing, not started yet, know in which runs it begins.

    One of the fork server has the environment of the first that was started.
    """
    with suppress(AttributeError):
        process._config[NOTE] = tuple(born)


@dataclass(frozen=True)
class _Place:
    """The folder of a run, or of what is logged to it after its end."""

    folder: Path
    is_late: bool


class Above:
    """Where this process logs as the worker of another; there is one for each process."""

    def __init__(self) -> None:
        self.in_child()

    def in_child(self) -> None:
        """Take up what the environment says at this process's start."""
        self.inherited = os.environ.get(VARIABLE, "")
        self._said, _, born = self.inherited.rpartition("#")
        self._born = born.split("/")
        self._began = began_at()
        self._channel: tuple[Path, Channel] | None = None
        self.is_late = False
        """Whether that run has ended, and is written to all the same."""
        self._task: lives.Task | None = None
        self._in = ""
        self._lives_until = 0.0
        self._marks: list[str] | None = None
        self._looked: tuple[Path, int] | None = None
        self._look_from: set[int] = set()  # threads

    def look(self, journal: Path) -> None:
        """Look for the process above in a journal, where this one was told of none.

        A signal's handler that logs while its thread looks does not look, too: where signals
        come faster than a look takes, none would ever end.
        """
        here = threading.get_ident()
        if self._said or here in self._look_from:
            return
        self._look_from.add(here)
        try:
            self._look(journal)
        finally:
            self._look_from.discard(here)

    def _look(self, journal: Path) -> None:
        try:
            changed = (journal.parent / liveness.FOLDER).stat().st_mtime_ns
        except OSError:
            return  # nobody has had a run
        if self._looked == (journal, changed):
            return
        if self._marks is None:
            self._marks = [liveness.process_mark(pid) for pid in _started_by()]
        found = liveness.held_by(journal, self._marks)
        self._said = str(found) if found is not None else ""
        if time.time_ns() - changed > SETTLED * 1e9:
            self._looked = (journal, changed)

    @property
    def told(self) -> bool:
        """Whether there is a process above that says which runs it has open."""
        return bool(self._said)

    def channel(self, no_room: Callable[[OSError], None]) -> Channel | None:
        """Return the channel of the run that this worker works for.

        None where no process is above, it is gone, or nobody reads what is logged.
        ``no_room`` is told when the disk has no room for it.
        """
        place = self._place()
        if place is None:
            return None
        if self._channel is None or self._channel[0] != place.folder:
            before, channel = self._channel, Channel(place.folder, no_room, child_names())
            if before is not None and place.is_late:
                channel.go_back(before[1].next_steps())
            self._channel = (place.folder, channel)
        self.is_late = place.is_late
        return self._channel[1]

    def note(self) -> RunNote | None:
        """Return what is known of that run, for runs that are nested in it."""
        place = self._place()
        try:
            return None if place is None or place.is_late else read_note(place.folder)
        except (OSError, ValueError, TypeError):
            return None

    def has_open(self, key: str = "") -> bool:
        """Whether the process above lives and has a run open: this one, or any."""
        lock = Path(self._said)
        open_now = liveness.shown(lock)
        return (key in open_now if key else bool(open_now)) and self._lives(lock)

    def _place(self) -> _Place | None:
        """Return where this worker logs now; None where nobody reads it.

        What a worker was started for belongs to the run it was started in, also after its end.
        The workers of a pool are reused: a task of theirs is in the run that is open when it
        begins to log, and stays in that.
        """
        if not self._said:
            return None
        lock = Path(self._said)
        shown = liveness.all_shown(lock)
        if not (shown.keys or shown.late) or not self._lives(lock):
            return None
        noted = getattr(current_process(), "_config", {}).get(NOTE, ())
        born = [key for key in (*noted, *self._born) if key]
        is_pool, task = lives.work_of_process()
        if self._in and task is not None and task.is_one_with(self._task):
            born = [self._in]
        elif not (is_pool or born or shown.beside) and (then := shown.open_at(self._began)):
            born = then  # nobody told it: its environment was made anew
        elif is_pool or not born:
            open_born = [key for key in born if key in shown.keys] if shown.beside else []
            born = [*open_born, *shown.keys[-1:]][:1]
        self._task, self._in = task, born[0] if born else ""
        root = lock.parent.parent / "journal"
        for key in born:
            if key in shown.keys:
                return _Place(root / key, is_late=False)
            if key in shown.late:
                return _Place(root / shown.late[key], is_late=True)
        return None

    def _lives(self, lock: Path) -> bool:
        now = time.monotonic()
        if now > self._lives_until:
            root = lock.parent.parent / "journal"
            if not liveness.is_alive(root, lock.name, liveness.boot_id()):
                return False
            self._lives_until = now + LOOK
        return True


def _started_by() -> list[int]:
    """Return the processes that this one was started by, the nearest first."""
    try:
        return [process.pid for process in psutil.Process().parents()]
    except psutil.Error:
        return [os.getppid()]


above = Above()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=above.in_child)
