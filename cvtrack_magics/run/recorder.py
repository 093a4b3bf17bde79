"""A run as this process keeps it: its folder, its channel and its way to the store."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from cvtrack_magics.delivery.attempts import Tried
from cvtrack_magics.delivery.channel import MAIN, OTHER, Channel
from cvtrack_magics.delivery.children import ChildStreams, child_names
from cvtrack_magics.delivery.companion import OpenedRun, companion
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal import liveness
from cvtrack_magics.journal.acknowledged import Place
from cvtrack_magics.journal.folder import RunFolder
from cvtrack_magics.journal.points import Cursor
from cvtrack_magics.journal.record_log import FactLog
from cvtrack_magics.journal.run_note import RunNote, me
from cvtrack_magics.records import End, Record
from cvtrack_magics.redact import redact
from cvtrack_magics.run.parent_run import above
from cvtrack_magics.store import active_run as fluent
from cvtrack_magics.store import deferred_runs as late
from cvtrack_magics.store.recorded_files import FileDigests
from cvtrack_magics.store.tracking import OpenRun
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.variables import variables

if TYPE_CHECKING:
    from cvtrack_magics.run.session import Session

STEPPED = 100  # milliseconds that two clocks differ by when one of them was set


class KeptRun:
    """What is recorded of one run goes on disk first, and from there to the store.

    Parameters
    ----------
    session : Session
        What the run belongs to.
    name : str
        The run's name.
    parent : KeptRun, optional
        The run it is nested in.
    notices : list of str
        Where to tell that the disk is full.
    run : OpenRun, optional
        A run that is in the store already and that other code will end.
    tags : mapping, optional
        The tags it is opened with.
    above : RunNote, optional
        The run of another process that it is nested in.
    """

    def __init__(
        self,
        session: Session,
        name: str,
        parent: KeptRun | None,
        notices: list[str],
        *,
        run: OpenRun | None = None,
        tags: Mapping[str, str] | None = None,
        above: RunNote | None = None,
    ) -> None:
        self.session = session
        self._notices = notices
        self._full = False
        self._told: set[str] = set()
        self.masking = session.masking()
        self.digests = FileDigests()
        uri = run.uri if run else absolute(session.tracking.uri)
        experiment_id, experiment = self._experiment(parent.delivery.note if parent else above)
        host, pid, created = me()
        self._opened = time.monotonic()
        self.note: RunNote = RunNote(
            key=uuid.uuid4().hex,
            name=self.masking.text(name, "the run's name"),
            uri=redact(uri),
            started=int(time.time() * 1000),
            host=host,
            pid=pid,
            created=created,
            parent_key=parent.note.key if parent else above.key if above else "",
            parent_run_id=parent.delivery.run_id if parent else above.run_id if above else "",
            run_id=run.run_id if run else "",
            experiment_id=run.experiment_id if run else experiment_id,
            experiment=run.experiment if run else experiment,
            guest=run is not None,
            owner=self._hold(session),
            boot=liveness.boot_id(),
            tags=self.masking.tags(tags or {}),
        )
        session.left.keys.add(self.note.key)
        folder = None
        try:
            folder = RunFolder.make(session.journal, self.note)
        except OSError as error:
            self._no_room(error)
        path = folder.path if folder else None
        self.channel = Channel(path, self._no_room)
        self.channel.names.clean = self.masking.metric
        self._facts = FactLog(path, self._no_room)
        self.delivery: Delivery = Delivery(
            session.tracking,
            self.note,
            self.channel.cursors(),
            self.channel.count,
            folder=folder,
            parent=parent.delivery if parent else None,
            uri=uri,
        )
        self.delivery.on_sent = self.channel.drop
        self.delivery.in_memory = self._full
        self._path = path
        self.delivery.more_cursors = ChildStreams(path, (MAIN, OTHER)).look
        self.delivery.cursors_from = self._cursors_from
        self._in_child: Channel | None = None
        self._uri = uri
        if run is not None:
            self.delivery.ending = "leave"
        if path is not None and self.note.owner and session.config.watch:
            companion.tell(
                OpenedRun(
                    str(path),
                    str(session.journal),
                    self.note.owner,
                    self.note.boot,
                    uri,
                    variables(),
                )
            )

    def _experiment(self, above: RunNote | None) -> tuple[str, str]:
        """Return id and name of the experiment, as far as known; a nested run stays in its own."""
        if above is not None and (above.experiment_id or above.experiment):
            return above.experiment_id, above.experiment
        return self.session.tracking.experiment_now()

    def _hold(self, session: Session) -> str:
        """Return the name of this process's lock; empty where there can be no journal."""
        try:
            return liveness.hold(session.journal)
        except OSError:  # said below, where the folder is to be made
            return ""

    @property
    def here(self) -> Channel | None:
        """The channel that this process may write to; None where it has none.

        A forked child never touches its parent's journal: it has streams of its own in the
        same folder, which the parent reads. Without a folder they would have no reader.
        """
        if os.getpid() == self.channel.pid:
            return self.channel
        if self._path is None:
            return None
        if self._in_child is None or self._in_child.pid != os.getpid():
            self._in_child = Channel(self._path, None, child_names())
            self._in_child.names.clean = self.masking.metric
        return self._in_child

    @property
    def is_read(self) -> bool:
        """Whether somebody reads what this process writes: in a child, while the run is open."""
        if os.getpid() == self.channel.pid or not above.told:
            return True
        # of a run that other code opened it is not said when it ends
        return above.has_open("" if self.note.guest else self.note.key)

    def _cursors_from(self, places: Mapping[str, Place]) -> dict[str, Cursor]:
        children = ChildStreams(self._path, (MAIN, OTHER), places)
        self.delivery.more_cursors = children.look
        return self.channel.cursors(places)

    def _no_room(self, error: OSError) -> None:
        self._full = True
        if hasattr(self, "delivery"):
            self.delivery.in_memory = True
        said = (
            f"Nothing can be written to the state folder {self.session.config.state_folder} "
            f"({error.strerror or error}): what this run logs is only in memory until it is "
            "sent. Make room, or set %config CvTrack.state_folder, and keep the kernel alive."
        )
        if said in self._told:
            return
        self._told.add(said)
        try:  # at once: there may be no end of the cell to say it at
            self.session.host.say(f"cvtrack: {said}")
        except Exception:
            self._notices.append(said)

    def opened(self, run: OpenRun, stretch: int) -> None:
        """Take up the id that the store gave the run, and how often it was opened."""
        self.delivery.change(
            run_id=run.run_id,
            experiment_id=run.experiment_id,
            experiment=run.experiment,
            stretch=stretch,
        )

    def goes_on_in(self, run_id: str) -> None:
        """Send to a run that the store has, as soon as the store answers again."""
        self.delivery.change(run_id=run_id)
        self.delivery.tried = Tried(failures=1)  # so that the store is looked for first

    def open_on_disk(self, tags: dict[str, str]) -> OpenRun:
        """Open the run without the store; MLflow's functions take it for the active one."""
        with suppress(Exception):
            tags = late.resolved_tags(tags)
        self.delivery.change(tags=self.masking.tags(tags))
        note = self.note
        run = OpenRun(
            note.key,
            note.name,
            note.experiment_id,
            note.experiment or f"experiment {note.experiment_id}",
            self._uri,
            note.started,
            {},
            local=True,
        )
        folder = self.delivery.folder
        fluent.enter_local(run, str(folder.path) if folder else "")
        return run

    def add(self, records: Sequence[Record]) -> None:
        """Keep facts, and send them soon; a forked child has none to keep."""
        if os.getpid() != self.channel.pid:
            return
        self._keep(self._with_digests(self.masking.records(records)))

    def _with_digests(self, records: Sequence[Record]) -> list[Record]:
        # The files of a guest's run are written by others too.
        return [*records, *([] if self.note.guest else self.digests.beside(records))]

    def _keep(
        self,
        records: Sequence[Record],
        end: End | None = None,
        ends: Mapping[str, Place] | None = None,
    ) -> None:
        delivery, full = self.delivery, self.delivery.in_memory
        delivery.in_memory = False
        batch = self._facts.add(records, end, ends)
        if delivery.in_memory or delivery.folder is None:
            delivery.only_here.add(batch.number)
        delivery.in_memory |= full
        delivery.knows(records)
        delivery.facts.append(batch)

    def end(self, records: Sequence[Record], end: End) -> None:
        """Keep the last facts and the end; a forked child ends nothing."""
        if os.getpid() != self.channel.pid:
            return
        clean = self._with_digests(self.masking.records(records))
        end = self._behind_its_points(end)
        self._keep(clean, end, self.channel.ends())
        masked = self.masking.said()
        if masked and masked not in self._notices:
            self._notices.append(masked)
        self.delivery.end = end

    def _behind_its_points(self, end: End) -> End:
        """Let no run end before what another thread logged while it was being closed.

        Where the clock was set back meanwhile it lasted as long as it did, and so does not end
        before it began. The end of a guest's run is what other code says it is.
        """
        if self.note.guest:
            return end
        self.channel.drain()
        last = max((s.times[-1] for s in self.channel.history.series.values() if s), default=0.0)
        now = int(time.time() * 1000)
        ended = max(end.ended, min(now, math.ceil(last * 1000)))
        lasted = int((time.monotonic() - self._opened) * 1000)
        back = lasted - (now - self.note.started)
        return replace(end, ended=ended + back if back > STEPPED else ended)

    def in_store(self) -> OpenRun | None:
        """Return the run as the store knows it, or None while it does not."""
        note = self.delivery.note
        if not note.run_id:
            return None
        return OpenRun(
            note.run_id, note.name, note.experiment_id, note.experiment, self._uri, note.started, {}
        )

    def what_waits(self) -> str:
        """Say in one line what the store does not have yet; empty when it has all."""
        delivery = self.delivery
        if delivery.done:
            return ""
        why = delivery.tried.why or "The store is slow."
        where = "in memory only" if self._full or not delivery.folder else "on disk"
        if delivery.tried.only_files:
            return f"{why} Those of run {self.note.name!r} wait {where}; %mlsync sends them."
        what, verb = _waiting(delivery.waiting, self.note.name, where)
        if delivery.tried.answered:
            return f"{_sentence(why)} {what}; %mlsync sends them when that is mended."
        return f"{why} {what} and {verb} sent when the store answers; %mlsync shows what waits."


def _waiting(points: int, name: str, where: str) -> tuple[str, str]:
    """Return what waits as the start of a sentence, and its verb for what follows."""
    if not points:
        return f"The end of run {name!r} waits {where}", "is"
    return f"{points:,} point{'s' * (points != 1)} and the end of run {name!r} wait {where}", "are"


def kept_because(error: StoreUnavailable, name: str, *, in_memory: bool) -> str:
    """Say why a run was opened without its store, and when it is sent."""
    where = "in memory only" if in_memory else "on disk"
    if error.answered:
        return (
            f"{_sentence(error.problem)} Run {name!r} is kept {where}; %mlsync says what is "
            "missing, and sends it when that is mended."
        )
    return (
        f"{error.problem} Run {name!r} is kept {where} and sent when the store answers; "
        "%mlsync shows what waits."
    )


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
