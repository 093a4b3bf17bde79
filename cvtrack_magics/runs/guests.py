"""Runs that other code opens inside a cell, and what it logs to them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.records import End, Param, Record, Tag
from cvtrack_magics.redact import redact
from cvtrack_magics.runs.kept import KeptRun
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.store import fluent
from cvtrack_magics.store.intercept import Interception
from cvtrack_magics.store.tracking import OpenRun
from cvtrack_magics.store.uris import absolute
from cvtrack_magics.store.writer import Point

if TYPE_CHECKING:
    from cvtrack_magics.runs.session import Session

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

    @property
    def masking(self) -> RecordMasker:
        """What masks the secrets of the run."""
        return self.kept.masking

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

    def ended(self) -> None:
        """Other code ends the run: a guest's journal ends with it."""
        if self.kept.note.guest and self.kept.delivery.end is None:
            self.kept.end([], End("FINISHED", int(time.time() * 1000)))

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

    def open(self, kept: KeptRun, run: OpenRun) -> None:
        """Begin to take the calls for a run."""
        way = Way(kept, run)
        self._of[kept.note.key] = []
        for run_id in {run.run_id, way.stored_id} - {""}:
            self._interception.add(run_id, way)

    def close(self, kept: KeptRun, run: OpenRun) -> list[KeptRun]:
        """Let the calls for a run, and for its guests, be; return the guests."""
        ways = self._of.pop(kept.note.key, [])
        for way in ways:
            way.ended()
            self._session.pump.close(way.kept.channel)
        self._interception.remove({run.run_id, kept.delivery.run_id, *(w.run.run_id for w in ways)})
        return [way.kept for way in ways]

    def _adopt(self, run: Any, uri: str) -> None:
        """Take in a run that other code opened while ours is open, on the same store."""
        scope = self._session.current
        uri = absolute(uri)
        if scope is None or scope.run is None or redact(uri) != scope.kept.note.uri:
            return
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
