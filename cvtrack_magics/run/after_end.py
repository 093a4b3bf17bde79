"""Where that goes which is logged to a run of this process after its end.

What was started in a run belongs to it, also when it goes on longer than the run: a thread, a
task of asyncio, a task that a pool has in hand. Its points go to that run, through a journal of
their own, and never to a run that was opened since. What waits in a pool belongs to nobody yet.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import current_thread
from types import FrameType
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, WeakSet, ref

import psutil

from cvtrack_magics import forks
from cvtrack_magics.delivery import lanes
from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.delivery.children import pids_in
from cvtrack_magics.records import End, Notice, Record
from cvtrack_magics.run import lives, raw_threads, started_processes
from cvtrack_magics.run.recorder import KeptRun
from cvtrack_magics.store.deferred_runs import RUN_KEY
from cvtrack_magics.store.tracking import OpenRun
from cvtrack_magics.system import os, time

if TYPE_CHECKING:
    from cvtrack_magics.delivery.outbox import Delivery
    from cvtrack_magics.run.scope import RunScope


TURNS = 2  # runs that are opened later, until a worker has ended what it was at


def is_running(pid: int) -> bool:
    """Whether a process of this machine may log something yet."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError, ValueError):
        return False


class AfterEnd:
    """The place of what is logged to one run after its end.

    Parameters
    ----------
    scope : RunScope
        The run.
    """

    def __init__(self, scope: RunScope) -> None:
        self._scope = scope
        self._kept: KeptRun | None = None
        self._lock = forks.rlock()
        self._users: dict[int, tuple[ReferenceType[Any], ReferenceType[Any] | None]] = {}
        self._said: set[str] = set()
        self._workers: frozenset[int] = frozenset()
        self._turns = 0

    @property
    def auto(self) -> bool:
        """Whether it takes what libraries report without a call."""
        return self._scope.auto

    @property
    def name(self) -> str:
        """The run's name."""
        return self._scope.name

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags that the run has."""
        return self._scope.tags

    def channel(self) -> Channel:
        """Return where the running code logs."""
        with self._lock:
            kept = self._kept = self._kept or self._opened()
            task = lanes.task_here()
            thread = raw_threads.here() or current_thread()
            self._users[id(task or thread)] = (ref(thread), ref(task) if task else None)
        self._tell_once(thread.name if task is None else task.get_name())
        return kept.channel

    def _opened(self) -> KeptRun:
        ended, scope = self._scope.kept, self._scope
        run = ended.in_store()
        tags = {}
        if run is None:  # it has none yet: who sends this finds the run that was made meanwhile
            note = ended.note
            uri = ended.delivery.full_uri()
            run = OpenRun("", note.name, note.experiment_id, note.experiment, uri, note.started, {})
            tags = {RUN_KEY: scope.key}
        kept = KeptRun(scope.session, scope.name, ended, scope.notices, run=run, tags=tags)
        channel = kept.channel
        channel.step_now, channel.least_step = scope.channel.step_now, scope.channel.least_step
        channel.go_back(scope.channel.next_steps())
        scope.session.sender.open(kept.delivery)
        return kept

    def _tell_once(self, who: str) -> None:
        self.tell(
            "after the end",
            f"{who!r} was started in run {self._scope.name!r} and goes on after that has ended: "
            "what it logs goes to that run, also while another one is open. Wait for it in the "
            "run's cell (join() a thread, await a task), or start it in the run it is to log to.",
        )

    def wait_for(self, workers: frozenset[int]) -> None:
        """Take what processes log that were started in the run, by their numbers."""
        with self._lock:
            self._kept = self._kept or self._opened()
            self._workers, self._turns = workers, 0

    def another_run_is_opened(self) -> None:
        """Count the runs since: the workers of a pool live on, and only end a task for this."""
        self._turns += 1

    @property
    def for_workers(self) -> tuple[Path, str] | None:
        """The folder of the journal, and its key, while workers may log there."""
        kept = self._kept
        folder = kept.delivery.folder if kept is not None else None
        if folder is None or not self._workers or self._turns > TURNS:
            return None
        return folder.path.parent, folder.note.key

    @property
    def is_needed(self) -> bool:
        """Whether something that has logged here may log again."""
        if self._turns <= TURNS + 1 and any(is_running(pid) for pid in self._workers):
            return True
        return any(
            (task is None or ((at := task()) is not None and not at.done()))
            and (one := thread()) is not None
            and one.is_alive()
            for thread, task in list(self._users.values())
        )

    def end(self) -> Delivery | None:
        """End the journal; what is logged later has another one. Return what sends it."""
        with self._lock:
            kept, self._kept = self._kept, None
            self._users.clear()
            self._workers = frozenset()
            if kept is not None:  # what has another journal later counts on, and not again
                self._scope.channel.go_back(kept.channel.next_steps())
        if kept is None:
            return None
        kept.end([], End("FINISHED", int(time.time() * 1000)))  # the run has its own end
        return kept.delivery

    # -- what takes the rest of a call

    def tell(self, key: str, line: str) -> bool:
        """Say a line, once for a key; return whether it was said now."""
        is_new = key not in self._said
        if is_new:
            self._said.add(key)
            self._scope.session.host.say(f"cvtrack: {line}")
        return is_new

    def step_of(self, given: int | None) -> int:
        """Return a step as given, or the last one logged here."""
        return self.channel().last_step if given is None else given

    def add(self, records: Iterable[Record]) -> list[str]:
        """Record facts; return the lines to tell the user."""
        items = [*records]
        self.channel()
        if self._kept is not None:
            self._kept.add([item for item in items if not isinstance(item, Notice)])
        return [item.text for item in items if isinstance(item, Notice)]

    def imply(self, records: Iterable[Record]) -> None:
        """Leave out settings that nobody said: the run has its own."""
        del records

    def shown(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Leave out what is only shown: the run has ended."""
        del values, step


class Outliving:
    """Knows which running code belongs to a run that has ended."""

    def __init__(self) -> None:
        self._places: WeakKeyDictionary[RunScope, AfterEnd] = WeakKeyDictionary()
        self._before: WeakKeyDictionary[RunScope, Before] = WeakKeyDictionary()
        self._of: WeakKeyDictionary[threading.Thread, RunScope] = WeakKeyDictionary()
        self._tasks: WeakKeyDictionary[threading.Thread, tuple[lives.Task | None, RunScope]]
        self._tasks = WeakKeyDictionary()
        self._own: WeakSet[threading.Thread] = WeakSet()
        """Threads that opened runs themselves, nested in none."""

    def begins(self, scope: RunScope) -> None:
        """Note what goes on at a run's opening: that is not of it."""
        if scope.parent is None:  # what this thread does afterwards is of no other run
            here = current_thread()
            self._own.add(here)
            self._of.pop(here, None)
            self._tasks.pop(here, None)
        before = self._before[scope] = Before()
        for thread in list(self._tasks):
            if thread not in before.at_work:  # its task has come to its end
                self._tasks.pop(thread, None)
        for place in list(self._places.values()):
            place.another_run_is_opened()
        self.settle()

    def ends(self, scope: RunScope) -> None:
        """Note what was started in a run and goes on, at its end."""
        before = self._before.pop(scope, None)
        here = current_thread()
        if before is not None:
            for thread in lives.of_the_user():
                if thread is not here and thread not in before.threads and thread not in self._own:
                    self._of.setdefault(thread, scope)
            for thread in lives.at_work():
                if thread is not here and thread not in before.at_work and thread not in self._own:
                    self._tasks.setdefault(thread, (None, scope))
        self._wait_for_workers(scope, before)

    def _wait_for_workers(self, scope: RunScope, before: Before | None) -> None:
        folder = scope.kept.delivery.folder if scope.is_open else None
        wrote = pids_in(folder.path) if folder is not None else set()
        born = before.started_since() if before else set()
        found = frozenset(pid for pid in {*wrote, *born} if is_running(pid))
        place = self._place(scope) if found else None
        if place is not None:
            place.wait_for(found)

    def for_workers(self) -> dict[Path, dict[str, str]]:
        """Return, of each journal, where workers log to runs that have ended, by their keys."""
        found: dict[Path, dict[str, str]] = {}
        for scope, place in list(self._places.items()):
            at = place.for_workers
            if at is not None:
                found.setdefault(at[0], {})[scope.kept.note.key] = at[1]
        return found

    def settle(self, *, all_of_it: bool = False) -> list[Delivery]:
        """End the journals that nothing goes on to log to; return what sends them."""
        ended = []
        for scope, place in list(self._places.items()):
            if all_of_it or not place.is_needed:
                self._places.pop(scope, None)
                ended.append(place.end())
        return [delivery for delivery in ended if delivery is not None]

    def free_here(self) -> None:
        """Let the code that runs now follow the run that is open: it is a cell of the user's."""
        raw = raw_threads.here()
        if raw is not None:
            raw.be_free()
        self._of.pop(current_thread(), None)
        self._tasks.pop(current_thread(), None)

    def place_of_here(self, opened_in: RunScope | None) -> AfterEnd | None:
        """Return the place of the ended run that the running code belongs to, if there is one.

        Parameters
        ----------
        opened_in : RunScope or None
            The run that its context was made in.
        """
        if opened_in is not None:
            ended = opened_in.outcome is not None and opened_in.channel.pid == os.getpid()
            return self._place(opened_in) if ended and not _is_the_kernels() else None
        raw = raw_threads.here()
        if raw is not None:
            begun_in = raw.run
            is_over = begun_in is not None and begun_in.outcome is not None
            return self._place_here(begun_in) if begun_in is not None and is_over else None
        if not self._of and not self._tasks:
            return None
        thread = current_thread()
        scope = self._of.get(thread) or self._of_task(thread)
        return self._place(scope) if scope is not None else None

    def _of_task(self, thread: threading.Thread) -> RunScope | None:
        """Return the run of the task that a pool's thread is in, where that has outlived it.

        Which task it had in hand at the run's end is only known when that logs, so one that has
        ended since without a word, and another in its place, would be taken for it.
        """
        known, scope = self._tasks.get(thread, (None, None))
        task = lives.in_hand(sys._getframe()) if scope is not None else None
        if scope is None or task is None or (known is not None and not known.is_one_with(task)):
            self._tasks.pop(thread, None)
            return None
        self._tasks[thread] = (task, scope)
        return scope

    def _place_here(self, scope: RunScope) -> AfterEnd | None:
        return self._place(scope) if scope.channel.pid == os.getpid() else None

    def _place(self, scope: RunScope) -> AfterEnd | None:
        if not scope.is_open:  # it never had a journal
            return None
        return self._places.setdefault(scope, AfterEnd(scope))


class Before:
    """What went on in this process at one moment."""

    def __init__(self) -> None:
        self.forks = forks.so_far()
        self.processes = started_processes.of_the_user()
        self.threads = WeakSet(lives.of_the_user())
        self.at_work = WeakSet(lives.at_work())

    def started_since(self) -> set[int]:
        """Return the user's processes that were started since, and go on."""
        forked = forks.so_far() > self.forks
        return started_processes.of_the_user(forked=forked) - self.processes


def _is_the_kernels() -> bool:
    """Whether a kernel calls this for a message, in whatever context it has come to.

    What the loop itself calls has the context that it was made in.
    """
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("ipykernel.") or module == "asyncio.events":
            return module.startswith("ipykernel.")
        frame = frame.f_back
    return False
