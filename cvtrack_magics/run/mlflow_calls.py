"""What is known here of a run that MLflow's own calls write to, and where that goes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from cvtrack_magics import forks
from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.journal.batch_files import FILES
from cvtrack_magics.records import Call, End, Outcome, Param, Record, Tag
from cvtrack_magics.run.recorder import KeptRun
from cvtrack_magics.store import active_run as fluent
from cvtrack_magics.store import tables
from cvtrack_magics.store.calls import ENDS
from cvtrack_magics.store.probe import probe
from cvtrack_magics.store.tracking import OpenRun

FLUSH = 10.0  # seconds that reading back waits for what was logged before
SMALL = 16_000_000  # bytes of which a copy is kept without a look at the disk


class Books:
    """Keeps what is written to a run, before its end and after it.

    A run that is written to after its end has a second journal, which is sent as the first
    was; so nothing depends on when exactly it comes.

    Parameters
    ----------
    kept : KeptRun
        The run as this process keeps it.
    run : OpenRun
        The run as MLflow knows it.
    flush_timeout : float
        Seconds that reading back waits.
    """

    def __init__(self, kept: KeptRun, run: OpenRun, flush_timeout: float = FLUSH) -> None:
        self.kept = kept
        self.run = run
        self.tables: dict[str, bytes] = {}
        self.journals = [kept]
        self._flush_timeout = flush_timeout
        self._params: dict[str, str] = {}
        self._tags: dict[str, str] = {}
        self._lock = forks.rlock()
        self._end: End | None = None
        self._artifact_uri = ""

    @contextmanager
    def writing(self) -> Iterator[KeptRun]:
        """Give the journal to write to; the run does not end meanwhile."""
        if os.getpid() != self.kept.channel.pid:  # a forked child, to whom locks say nothing
            yield self.kept
            return
        with self._lock:
            if self.kept.delivery.end is not None:
                self._open_again()
            yield self.kept

    def _open_again(self) -> None:
        ended = self.kept
        run = ended.in_store()
        if run is None:  # what the store does not have yet is sent from the journal it has
            return
        session = ended.session
        self.kept = KeptRun(session, run.name, None, list[str](), run=run)
        self.journals.append(self.kept)
        session.sender.open(self.kept.delivery)

    def ends(self, status: str, end_time: int | None) -> bool:
        """Take the end that other code gives its run; return whether it was one."""
        if status not in ENDS:
            return False
        end = End(cast(Outcome, status), int(end_time or time.time() * 1000))
        with self._lock:
            if self.run.local:  # it may be written to until ours ends, and is sent then
                self._end = end
            elif self.kept.delivery.end is None:
                self._finish(end)
            else:
                self._open_again()
                self._finish(end)
        return True

    def _finish(self, end: End) -> None:
        self.kept.delivery.ending = "set"
        self.kept.delivery.change(guest=False)
        self.kept.end([], end)

    def close(self) -> None:
        """End what is still open of it: our run in which it was opened is over."""
        with self._lock:
            if self.kept.delivery.end is None:
                self.kept.end([], self._end or End("FINISHED", int(time.time() * 1000)))

    # -- what is known here

    def keep_in_mind(self, records: Sequence[Record]) -> None:
        """Remember params and tags for those who read them back."""
        for record in records:
            if isinstance(record, Param):
                self._params[record.key] = record.value
            elif isinstance(record, Tag):
                self._tags[record.key] = record.value
            elif isinstance(record, Call) and record.name == "delete_tag":
                self._tags.pop(str(record.arguments["key"]), None)

    def _scope(self) -> Any:
        scopes = self.kept.session.scopes
        first = self.journals[0]
        return next((item for item in scopes if getattr(item, "kept", None) is first), None)

    def param(self, key: str, value: str) -> str:
        """Return the value that a param has already, or this one, which it has from now on."""
        scope = self._scope()
        known: dict[str, str] = self._params if scope is None else scope.params
        return known.setdefault(key, value)

    def entity(self) -> Any:
        """Return MLflow's picture of the run as it is known here."""
        self.kept.channel.drain()
        scope = self._scope()
        params = self._params if scope is None else {**scope.params, **self._params}
        tags = self._tags if scope is None else {**scope.tags, **self._tags}
        values: dict[str, float] = {}
        for kept in self.journals:
            values.update(kept.channel.history.last_values())
        return fluent.local_entity(self.run, self.artifact_uri, params, tags, values)

    def history(self, name: str) -> list[Any]:
        """Return the points of a metric as they are known here."""
        found: list[Any] = []
        for kept in self.journals:
            series = kept.channel.whole(name)
            found += fluent.metric_entities(name, series) if series else []
        return found

    @property
    def artifact_uri(self) -> str:
        """Where the run's files are, as far as that is known here."""
        self._artifact_uri = self._artifact_uri or tables.artifact_uri_of(self.run.run_id)
        return self._artifact_uri

    def know_where_files_are(self) -> None:
        """Note it in the thread that opens the run: others have no active run to ask."""
        folder = self.kept.delivery.folder
        if not self.artifact_uri and self.run.local and folder is not None:
            self._artifact_uri = str(folder.path)

    @property
    def is_direct(self) -> bool:
        """Whether the run's files lie on this disk, with no server between."""
        uris = (self.artifact_uri, self.run.uri)
        return {urlsplit(uri).scheme.split("+")[0] for uri in uris} <= {"", "file", "sqlite"}

    @property
    def resumed(self) -> bool:
        """Whether the store had some of the run before."""
        note = self.journals[0].note
        return not (self.run.local or note.guest) and self.run.started < note.started - 1000

    def files(self) -> dict[str, Path]:
        """Return the run's files that are still on this disk, by their paths in the run."""
        found: dict[str, Path] = {}
        for kept in self.journals:
            folder = kept.delivery.folder
            batches = sorted((folder.path / FILES).glob("*")) if folder is not None else []
            for batch in batches:
                for file in batch.rglob("*"):
                    if file.is_file():
                        found[file.relative_to(batch).as_posix()] = file
        return found

    def room_for(self, size: int) -> bool:
        """Whether a copy of so many bytes may be kept until it is sent."""
        if size < SMALL:
            return True
        with suppress(OSError):
            return shutil.disk_usage(self.kept.session.journal).free > 2 * size + SMALL
        return False

    def answers(self) -> bool:
        """Whether the store seems to answer at this moment."""
        try:
            probe(self.run.uri, self.kept.session.tracking.connect_timeout)
        except CvtrackError:
            return False
        return True

    def flush(self) -> None:
        """Bring what was written to the store, where it answers; for a bounded time."""
        until = time.monotonic() + self._flush_timeout
        for kept in self.journals:
            delivery, sender = kept.delivery, kept.session.sender
            left = until - time.monotonic()
            if delivery.done or delivery.tried.failures or not delivery.run_id or left <= 0:
                continue
            if delivery.end is not None:
                sender.wait(delivery, left)
            else:
                sender.flush(delivery, left)
