"""Runs that other code opens inside a cell, and what it logs to them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cvtrack_magics import forks
from cvtrack_magics.records import Call, Metric, Record, Tag
from cvtrack_magics.redact import kind_and_line, redact
from cvtrack_magics.run.mlflow_calls import Books
from cvtrack_magics.run.recorder import KeptRun
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.store.intercept import Interception, Route
from cvtrack_magics.store.tracking import OpenRun
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.store.writer import Point

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session

OPENED, OPENED_IN = "cvtrack.opened", "cvtrack.opened_in"
"""Tags: the ids of runs that other code opened in a run, and the run that one was opened in."""
MOST_LINKS = 200  # ids that fit into a tag


def _as_stored(record: Record, kept: KeptRun) -> Record:
    """Return the link of a point to a model under the name that the point has in the run."""
    if isinstance(record, Metric) and kept.here is not None:
        return replace(record, key=kept.here.names.of(record.key))
    return record


class Way(Books):
    """The way of MLflow's calls for one run, ours or a guest's.

    ``own`` is the journal of one of ours, which ends where it was opened.
    """

    own: KeptRun | None = None

    @property
    def experiment_id(self) -> str:
        """The id of the run's experiment; empty while the store does not have the run."""
        return self.kept.note.experiment_id if self.stored_id else ""

    @property
    def stored_id(self) -> str:
        """The run's id in the store; empty while the store does not have it."""
        return self.kept.delivery.run_id

    @property
    def is_read(self) -> bool:
        """Whether somebody reads the points that this process writes to the run's journal."""
        return self.kept.is_read

    @property
    def said_params(self) -> Mapping[str, str]:
        """The params that MLflow's own calls gave the run."""
        return self._params

    @property
    def said_tags(self) -> Mapping[str, str]:
        """The tags that MLflow's own calls gave the run."""
        return self._tags

    @property
    def reachable(self) -> bool:
        """Whether the store took the last thing it was sent."""
        return not self.kept.delivery.tried.failures

    @property
    def masking(self) -> RecordMasker:
        """What masks the secrets of the run."""
        return self.kept.masking

    def points(self, points: Sequence[Point]) -> None:
        """Write points down, those of one moment in one row."""
        with self.writing() as kept:
            channel = kept.here
            if channel is None:
                return
            group: dict[str, float] = {}
            at = (0, 0)
            for name, value, unix_ms, step in points:
                if group and ((step, unix_ms) != at or name in group):
                    channel.log_at(group, *at)
                    group = {}
                group[name] = value
                at = (step, unix_ms)
            if group:
                channel.log_at(group, *at)

    def facts(self, records: Sequence[Record]) -> None:
        """Keep params, tags, artifacts, data sets or calls."""
        if records:
            with self.writing() as kept:
                self.keep_in_mind(records)
                kept.add([_as_stored(item, kept) for item in records])

    def ended(self, status: str = "FINISHED", end_time: int | None = None) -> bool:
        """Other code ends the run: a guest's journal ends with it.

        Returns
        -------
        bool
            Whether that is still to be told the store; a guest's end is in its journal.
        """
        if self.own is not None and self.journals[0] is self.own:
            if self.own.delivery.end is None:
                self._say_undone(self.own)
                return False
            return True
        if not self.ends(status, end_time):
            self.facts([Call("update_run", {"status": status})])
        return False

    def _say_undone(self, own: KeptRun) -> None:
        scope = next((item for item in own.session.scopes if item.kept is own), None)
        if scope is not None:
            scope.guard.tell(
                "end_run",
                f"Other code set run {scope.name!r} to an end, which was undone: the run ends "
                "where it was opened.",
            )


class Guests:
    """Sends MLflow's calls for the open runs, and for runs opened in them, our way.

    Parameters
    ----------
    session : Session
        Whose runs they are.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._interception = Interception(self._adopt, self._open_on_disk)
        self._pid = os.getpid()
        self._of: dict[str, list[Way]] = {}
        self._own: dict[str, Way] = {}
        self._ended: list[KeptRun] = []
        self._over: list[Way] = []
        """Ways of runs that are over; what comes late for them is taken while ours are open."""
        self._linked: dict[str, list[str]] = {}
        self._lock = forks.rlock()

    def open(self, kept: KeptRun, run: OpenRun) -> Way:
        """Begin to take the calls for a run; return their way."""
        way = Way(kept, run)
        way.own = kept
        way.know_where_files_are()
        with self._lock:
            self._own[kept.note.key] = way
            self._of[kept.note.key] = []
            for run_id in {run.run_id, way.stored_id} - {""}:
                self._interception.add(run_id, way)
        return way

    def close(self, kept: KeptRun) -> list[KeptRun]:
        """Let the calls for a run, and for its guests, be; return the guests."""
        ways = self._of.pop(kept.note.key, [])
        guests = [journal for way in ways for journal in way.journals]
        self._linked.pop(kept.note.key, None)
        for way in ways:
            way.close()
        for guest in guests:
            self._session.pump.close(guest.channel)
        with self._lock:
            own = self._own.pop(kept.note.key, None)
            self._over += [*ways, *([own] if own is not None else [])]
            if not self._own:
                self._let_go()
        self._ended += guests
        return guests

    def settle(self, timeout: float) -> None:
        """Wait until the store has the guests of the run that was closed last."""
        ended, self._ended = self._ended, []
        until = time.monotonic() + timeout
        for kept in ended:
            left = until - time.monotonic()
            if left > 0 and not (kept.delivery.done or kept.delivery.tried.failures):
                self._session.sender.wait(kept.delivery, left)

    def _let_go(self) -> None:
        """Give MLflow back, and end what came late for runs that were over already."""
        over, self._over = self._over, []
        self._interception.remove_all()
        for way in over:
            if way.kept is not way.own:
                way.close()
                self._ended.append(way.kept)

    def _open_on_disk(self, parent: Route, name: str, tags: dict[str, str]) -> Any:
        """Open a run of other code in one of ours while the store is away."""
        assert isinstance(parent, Way)
        above = parent.kept
        kept = KeptRun(self._session, name or "unnamed", above, list[str](), tags=tags)
        note = kept.note
        run = OpenRun(
            note.key,
            note.name,
            note.experiment_id,
            note.experiment,
            parent.run.uri,
            note.started,
            {},
            local=True,
        )
        way = self._follow(kept, run)
        way.know_where_files_are()
        way.keep_in_mind([Tag(key, value) for key, value in tags.items()])
        return way.entity()

    def _follow(self, kept: KeptRun, run: OpenRun) -> Way:
        scope = self._session.current
        way = Way(kept, run)
        if scope is not None:
            kept.channel.refresh = scope.view.refresh
        self._session.pump.open(kept.channel)
        self._session.sender.open(kept.delivery)
        with self._lock:  # in a thread, the run that it is opened in may end at this moment
            key = scope.kept.note.key if scope is not None else ""
            self._of.get(key, self._over).append(way)
            if self._own:
                self._interception.add(run.run_id, way)
                return way
        way.close()
        self._session.pump.close(kept.channel)
        return way

    def _adopt(self, run: Any, uri: str) -> None:
        """Take in a run that other code opened while ours is open, on the same store.

        A run that a forked child opens is that child's alone.
        """
        if os.getpid() != self._pid:
            return
        scope = self._session.current
        if scope is None or scope.run is None:
            return
        try:
            self._link(scope, run, self._take_in(scope, run, absolute(uri)))
        except Exception as error:  # it is the other code's run, and recorded without us
            scope.guard.tell(
                "adopt", f"A run that other code opened is not shown here: {kind_and_line(error)}"
            )

    def _take_in(self, scope: RunScope, run: Any, uri: str) -> Way | None:
        """Follow a run on the same store as ours."""
        if redact(uri) != scope.kept.note.uri:
            return None
        info = run.info
        opened = OpenRun(
            info.run_id,
            info.run_name or info.run_id[:8],
            info.experiment_id,
            "",
            uri,
            int(info.start_time or time.time() * 1000),
            {},
        )
        kept = KeptRun(self._session, opened.name, scope.kept, scope.notices, run=opened)
        way = self._follow(kept, opened)
        way.keep_in_mind([Tag(key, value) for key, value in (run.data.tags or {}).items()])
        return way

    def _link(self, scope: RunScope, run: Any, way: Way | None) -> None:
        """Let a run that is no child of ours, and ours, name each other in a tag."""
        run_id, ours = str(run.info.run_id), scope.run_id
        above = (run.data.tags or {}).get("mlflow.parentRunId", "")
        known = {one.run_id for one in self._session.scopes}
        known |= {way.run.run_id for ways in self._of.values() for way in ways}
        if not ours or above in known:
            return
        if way is not None:
            way.kept.add([Tag(OPENED_IN, ours)])
        linked = self._linked.setdefault(scope.kept.note.key, [])
        linked.append(run_id)
        if len(linked) <= MOST_LINKS:
            scope.add([Tag(OPENED, " ".join(linked))])


def whose_curves(guests: Sequence[KeptRun], most: int = 5) -> list[str]:
    """Say which curves on the card of a run are those of runs that other code opened in it."""
    found = [(guest.note, list(guest.channel.history.series)) for guest in guests]
    found = [(note, names) for note, names in found if names]
    said = [
        f"Opened in it by other code: run {note.name!r} ({note.run_id[:8]}), whose curves are "
        f"{', '.join(names[:8])}{' …' if len(names) > 8 else ''}."
        for note, names in found[:most]
    ]
    if len(found) > most:
        said.append(f"{len(found) - most} more runs with curves were opened in it by other code.")
    return said
