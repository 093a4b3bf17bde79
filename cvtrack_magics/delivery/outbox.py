"""One run's way from the journal to the store."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from cvtrack_magics.delivery.attempts import Tried
from cvtrack_magics.delivery.fact_batches import files_of, of_one_write, without_files
from cvtrack_magics.delivery.points_to_send import PointsToSend
from cvtrack_magics.delivery.refused import set_aside
from cvtrack_magics.delivery.sent_journals import dispose
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal.acknowledged import Place
from cvtrack_magics.journal.fact_lines import Batch
from cvtrack_magics.journal.folder import RunFolder, Sent
from cvtrack_magics.journal.points import Cursor
from cvtrack_magics.journal.run_note import RunNote, read_note
from cvtrack_magics.records import End, LoggedModel, Notice, Record
from cvtrack_magics.store import deferred_runs as late
from cvtrack_magics.store.logged_models import fail_pending
from cvtrack_magics.store.probe import probe
from cvtrack_magics.store.tracking import OpenRun, Tracking
from cvtrack_magics.store.writer import FilesHeld
from cvtrack_magics.system import time

Ending: TypeAlias = Literal["set", "kill", "leave"]
"""Set the run's status, kill it where it still counts as running, or leave that to others."""

BEHIND_MS = 3_000.0  # how long after its end a run may have been resumed meanwhile
HELD_PAUSE = 30.0  # seconds after which files that the store did not take are tried again
PAUSES = (0.5, 30.0)  # seconds between two tries: the first, and the longest


class Delivery:
    """Brings facts, points and the end of one run to the store, in this order, once.

    Parameters
    ----------
    tracking : Tracking
        Speaks to the store.
    note : RunNote
        Which run it is.
    cursors : mapping of str to Cursor
        Reads the points of each stream.
    logged : callable
        Returns how many points were logged so far.
    folder : RunFolder, optional
        Where the run is kept; what was sent is noted there.
    parent : Delivery, optional
        The run it is nested in, which has to be in the store first.
    uri : str
        The tracking URI with its credentials, where it is known; it is never kept.

    Notes
    -----
    One thread at a time sends. After a failure, what was sent stays sent and the next try
    goes on from there. Every call may be repeated: the store keeps a point, a param, a tag
    and a file once.
    """

    def __init__(
        self,
        tracking: Tracking,
        note: RunNote,
        cursors: Mapping[str, Cursor],
        logged: Callable[[], int],
        *,
        folder: RunFolder | None = None,
        parent: Delivery | None = None,
        uri: str = "",
    ) -> None:
        self.tracking = tracking
        self.logged = logged
        self.folder = folder
        self.parent = parent
        self.sent = folder.acknowledged() if folder is not None else Sent()
        self.facts: deque[Batch] = deque()
        self.end: End | None = None
        self.elsewhere: Callable[[Mapping[str, Any]], bool] | None = None
        """Tells the process that sends the run what has changed; None while this one does."""
        self.on_sent: Callable[[Mapping[str, int]], None] = lambda _: None
        self.cursors_from: Callable[[Mapping[str, Place]], Mapping[str, Cursor]] = lambda _: {}
        """Gives readers of all streams anew, from the places that are sent."""
        self.only_here: set[int] = set()
        """Numbers of the batches of facts that found no room on disk."""
        self.stretch = note.stretch
        """How often the run had been opened when this began."""
        self._ended = False
        self.left = False
        """Whether the process that recorded the run is gone; another one may resume it."""
        self.in_memory = False
        """Whether some of the run is in memory only, for want of room."""
        self.opened_at = time.monotonic()
        self.more_cursors: Callable[[], Mapping[str, Cursor]] = dict
        """Gives the readers of streams that forked children began meanwhile."""
        self.damage: Callable[[], list[str]] = list
        """Says what of the run's journal could not be read."""
        self.aside: Path | None = None
        """Where the journal was moved because not all of it could be read."""
        self.notices: list[str] = []
        self.done = False
        self.tried = Tried()
        self.next_try = 0.0
        self._ending: Ending = "set"
        self._told: dict[str, Any] = {}
        """What another process was told of the run, and is to write into its note."""
        self._note = note
        self._uri = uri
        self._points = PointsToSend(cursors)
        self._held: list[Batch] = []
        self._why_held: FilesHeld | None = None
        self._try_held = 0.0
        self._models: set[str] = set()
        self.created_late = False
        """Whether the run was opened on disk, and in the store since."""

    # -- what is known

    @property
    def note(self) -> RunNote:
        """Which run it is, as far as is known now."""
        return self._note

    @property
    def run_id(self) -> str:
        """The id in the store; empty until the store has the run."""
        return self._note.run_id

    def change(self, **values: Any) -> None:
        """Learn something about the run."""
        self._note = replace(self._note, **values)
        self.stretch = values.get("stretch", self.stretch)
        if self.elsewhere is not None:
            self._told.update(values)
            if self.elsewhere({"note": values}):
                return
        if self.folder is not None:
            with suppress(OSError):
                self.folder.change(**values)

    @property
    def ending(self) -> Ending:
        """What becomes of the run's status at its end."""
        return self._ending

    @ending.setter
    def ending(self, ending: Ending) -> None:
        self._ending = ending
        if self.elsewhere is not None:
            self.elsewhere({"ending": ending})

    def full_uri(self) -> str:
        """Return the tracking URI with its credentials; raises where they are not known."""
        return self._uri or late.full_uri(self._note.uri, self.tracking.uri)

    def take_back(self) -> None:
        """Send from here again what another process sent, from where it got to."""
        if self.folder is not None:
            self.sent = self.folder.acknowledged()
            with suppress(OSError):  # it may have ended before it wrote what it was told
                self.folder.change(**self._told)
        self._told = {}  # later changes are written here
        self._points = PointsToSend(self.cursors_from(self.sent.streams))
        self._held.clear()
        self.elsewhere = None  # from now on a thread may send it

    def read_also(self, cursors: Mapping[str, Cursor]) -> None:
        """Send the points of more streams."""
        self._points.read_also(cursors)

    def knows(self, records: Iterable[Record]) -> None:
        """Learn which models the run began; each has come to its end when the run has."""
        self._models |= {item.key for item in records if isinstance(item, LoggedModel)}

    # -- sending

    def try_to_advance(self, turn: float = math.inf) -> bool:
        """Send what there is now; a failure is noted, and tried again later.

        Parameters
        ----------
        turn : float
            Seconds after which others have their turn.

        Returns
        -------
        bool
            Whether more could be sent at once.
        """
        began = time.monotonic()
        try:
            return self.advance(turn)
        except Exception as error:
            self.tried = self.tried.and_failed(error, began, self._uri or self._note.uri)
            first, longest = PAUSES
            doublings = 0 if self._waits_for_parent else min(self.tried.failures - 1, 8)
            pause = min(longest, first * 2**doublings)
            self.next_try = max(time.monotonic() + pause, self.tried.not_before)
            return False

    def advance(self, turn: float = math.inf) -> bool:
        """Send what there is now, for about ``turn`` seconds; return whether more is left.

        Raises when the store does not take it.
        """
        if self.done:
            return False
        until = time.monotonic() + turn
        uri = self.full_uri()
        if self.tried.failures or not self.run_id:
            probe(uri, self.tracking.connect_timeout)
        run = self._run(uri)
        end = self.end
        if end is not None or time.monotonic() > self._try_held:
            while self._held:
                self.facts.appendleft(self._held.pop())
        try:
            self._send_facts(run)
        finally:  # points do not wait for a large file, or for one that cannot be sent now
            more = self._send_points(run, until)
        if end is not None and not more:
            self._send_facts(run)
            self._send_points(run)  # what was logged before the end, to the last point
            self._finish(run, end)
        self.tried, self.next_try = Tried(), 0.0
        return more

    @property
    def _waits_for_parent(self) -> bool:
        """Whether the run it is nested in has to be created first."""
        return not self.run_id and self._parent_id() == ""

    def _parent_id(self) -> str | None:
        """Return the id of the run it is nested in; empty where that is not in the store yet.

        None where it is nested in none, or in one that nothing is known of any more here.
        """
        if self._note.parent_run_id or self.parent is not None:
            return self._note.parent_run_id or (self.parent.run_id if self.parent else "")
        if not self._note.parent_key or self.folder is None:
            return None
        try:  # the run of another process
            return read_note(self.folder.path.parent / self._note.parent_key).run_id
        except (OSError, ValueError, TypeError):
            return None

    def _run(self, uri: str) -> OpenRun:
        note = self._note
        if not note.run_id:
            parent = self._parent_id()
            if parent == "":
                raise StoreUnavailable(f"The run that {note.name!r} is nested in was not sent yet.")
            self.created_late = True
            run_id, experiment_id, experiment = late.create_run(uri, note, parent or "")
            self.change(run_id=run_id, experiment_id=experiment_id, experiment=experiment)
            note = self._note
        return OpenRun(
            note.run_id, note.name, note.experiment_id, note.experiment, uri, note.started, {}
        )

    def _send_facts(self, run: OpenRun) -> None:
        while self.facts:
            batches = of_one_write(list(self.facts))
            # a file never overtakes an earlier one, which may be of the same name
            files_wait = bool(self._held)
            now = [without_files(batch) for batch in batches] if files_wait else batches
            records = [item for batch in now for item in batch.records]
            self.knows(records)
            folders = [batch.files for batch in now if batch.files is not None]
            try:
                self._tell(self.tracking.write(run, records, folders))
            except FilesHeld as error:  # tried again later; the rest need not wait for it
                self._tell(error.notices)
                self._why_held = error
                self._try_held = time.monotonic() + HELD_PAUSE
                files_wait = True
            if files_wait:
                self._held += files_of(batches)
            for _ in batches:
                self.facts.popleft()
            if not self._held:
                self._acknowledge(facts=batches[-1].number)

    def _send_points(self, run: OpenRun, until: float = math.inf) -> bool:
        """Send points until there are no more, or it is another run's turn; say which."""
        while True:
            self._points.read_also(self.more_cursors())
            points, taken = self._points.next()
            if not points:
                return False
            self._tell(self.tracking.write_points(run, points))
            count, places = self._points.take_off(taken)
            streams = {**self.sent.streams, **places}
            self._acknowledge(points=self.sent.points + count, streams=streams)
            self.on_sent({name: self.sent.place(name)[0] for name in self._points.streams})
            if time.monotonic() > until:
                return True

    def _acknowledge(self, **values: Any) -> None:
        self.sent = replace(self.sent, **values)
        if self.folder is not None:
            # what could not be noted is sent again by the next process, which is harmless
            with suppress(OSError):
                self.folder.acknowledge(self.sent)

    def _set_end(self, run: OpenRun, end: End) -> None:
        """Give the run its end, once; it is not ours to give where the run was resumed since."""
        if self._ended or self.ending == "leave":
            return
        behind = abs(time.time() * 1000 - end.ended) > BEHIND_MS
        behind = behind or self.left or self.tried.failures > 0
        if not (behind and late.was_resumed(run.uri, run.run_id, self.stretch)):
            if self.ending == "set":
                self.tracking.end_run(run, end.outcome, end.ended)
            else:
                late.kill_if_running(run.uri, run.run_id, end.ended)
        self._ended = True

    def _finish(self, run: OpenRun, end: End) -> None:
        self._set_end(run, end)
        if self.created_late:
            late.remove_twins(run.uri, run.experiment_id, self._note.key, run.run_id)
        if self._held and self._why_held is not None:
            raise self._why_held
        if self._models:  # what a process that died was making stays unfinished for ever
            fail_pending(run.uri, run.run_id, self._models)
        if self.folder is not None:
            self.aside, lines = dispose(self.folder, self.damage())
            self.notices += lines
        self.done = True

    def _tell(self, notices: list[Notice]) -> None:
        for line in set_aside(self.folder, notices):
            if line not in self.notices:
                self.notices.append(line)

    @property
    def waiting(self) -> int:
        """How many points the store does not have yet."""
        return max(0, self.logged() - self.sent.points)
