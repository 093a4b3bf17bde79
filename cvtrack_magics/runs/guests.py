"""Runs that other code opens inside a cell, and what it logs to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.records import End, Param, Record, Tag
from cvtrack_magics.redact import kind_and_line, redact
from cvtrack_magics.runs.kept import KeptRun
from cvtrack_magics.store import fluent
from cvtrack_magics.store.intercept import Interception
from cvtrack_magics.store.tracking import OpenRun
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.store.writer import Point

if TYPE_CHECKING:
    from cvtrack_magics.runs.scope import RunScope
    from cvtrack_magics.runs.session import Session

OPENED, OPENED_IN = "cvtrack.opened", "cvtrack.opened_in"
"""Tags: the ids of runs that other code opened in a run, and the run that one was opened in."""
MOST_LINKS = 200  # ids that fit into a tag

FLUSH = 10.0  # seconds that reading back waits for what was logged before


class Way:
    """The way of MLflow's calls for one run, ours or a guest's."""

    def __init__(self, kept: KeptRun, run: OpenRun, flush_timeout: float = FLUSH) -> None:
        self.kept = kept
        self.run = run
        self._flush_timeout = flush_timeout
        self._params: dict[str, str] = {}
        self._tags: dict[str, str] = {}

    @property
    def stored_id(self) -> str:
        """The run's id in the store; empty while the store does not have it."""
        return self.kept.delivery.run_id

    @property
    def reachable(self) -> bool:
        """Whether the store took the last thing it was sent."""
        return not self.kept.delivery.failures

    def points(self, points: Sequence[Point]) -> None:
        """Write points down, those of one moment in one row."""
        group: dict[str, float] = {}
        at = (0, 0)
        for name, value, unix_ms, step in points:
            if group and ((step, unix_ms) != at or name in group):
                self.kept.channel.log_at(group, *at)
                group = {}
            group[name] = value
            at = (step, unix_ms)
        if group:
            self.kept.channel.log_at(group, *at)

    def facts(self, records: Sequence[Record]) -> None:
        """Keep params, tags, artifacts or data sets."""
        if records:
            self._params.update({r.key: r.value for r in records if isinstance(r, Param)})
            self._tags.update({r.key: r.value for r in records if isinstance(r, Tag)})
            self.kept.add(records)

    def flush(self) -> None:
        """Bring what was logged to the store, where it answers."""
        if self.stored_id and self.reachable:
            self.kept.session.sender.flush(self.kept.delivery, self._flush_timeout)

    def ended(self) -> bool:
        """Other code ends the run: a guest's journal ends with it.

        Returns
        -------
        bool
            Whether the run may be ended; one of ours ends where it was opened.
        """
        if not self.kept.note.guest:
            self._say_undone()
            return self.kept.delivery.end is not None
        if self.kept.delivery.end is None:
            self.kept.end([], End("FINISHED", int(time.time() * 1000)))
        return True

    def _say_undone(self) -> None:
        scopes = self.kept.session.scopes
        scope = next((scope for scope in scopes if scope.kept is self.kept), None)
        if scope is not None:
            scope.guard.tell(
                "end_run",
                f"Other code set run {scope.name!r} to an end, which was undone: the run ends "
                "where it was opened.",
            )

    def entity(self) -> Any:
        """Return MLflow's picture of a run that is only on disk."""
        self.kept.channel.drain()
        return fluent.local_entity(
            self.run, "", self._params, self._tags, self.kept.channel.history.last_values()
        )

    def history(self, name: str) -> list[Any]:
        """Return the points of a metric of a run that is only on disk."""
        self.kept.channel.drain()
        series = self.kept.channel.history.series.get(name)
        return fluent.metric_entities(name, series) if series else []


class Guests:
    """Sends MLflow's calls for the open runs, and for runs opened in them, our way.

    Parameters
    ----------
    session : Session
        Whose runs they are.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._interception = Interception(self._adopt)
        self._of: dict[str, list[Way]] = {}
        self._linked: dict[str, list[str]] = {}

    def open(self, kept: KeptRun, run: OpenRun) -> None:
        """Begin to take the calls for a run."""
        way = Way(kept, run)
        self._of[kept.note.key] = []
        for run_id in {run.run_id, way.stored_id} - {""}:
            self._interception.add(run_id, way)

    def close(self, kept: KeptRun, run: OpenRun) -> list[KeptRun]:
        """Let the calls for a run, and for its guests, be; return the guests."""
        ways = self._of.pop(kept.note.key, [])
        self._linked.pop(kept.note.key, None)
        for way in ways:
            way.ended()
            self._session.pump.close(way.kept.channel)
        self._interception.remove({run.run_id, kept.delivery.run_id, *(w.run.run_id for w in ways)})
        return [way.kept for way in ways]

    def _adopt(self, run: Any, uri: str) -> None:
        """Take in a run that other code opened while ours is open; never raises."""
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
        way = Way(kept, opened)
        self._of.setdefault(scope.kept.note.key, []).append(way)
        kept.channel.refresh = scope.view.refresh
        self._session.pump.open(kept.channel)
        self._session.sender.open(kept.delivery)
        self._interception.add(opened.run_id, way)
        return way

    def _link(self, scope: RunScope, run: Any, way: Way | None) -> None:
        """Let a run that is no child of ours, and ours, name each other in a tag."""
        run_id, ours = str(run.info.run_id), scope.run_id
        above = (run.data.tags or {}).get("mlflow.parentRunId", "")
        if not ours or above:
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
