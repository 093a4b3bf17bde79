"""One open run, from the moment it is opened until its outcome is stored."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.capture.meter import ResourceMeter
from cvtrack_magics.capture.streams import StreamTee
from cvtrack_magics.errors import CvtrackError, StoreUnavailable
from cvtrack_magics.metrics.channel import Channel
from cvtrack_magics.names import safe_key
from cvtrack_magics.records import Artifact, Metric, Notice, Outcome, Param, Record, RunSummary, Tag
from cvtrack_magics.redact import redact
from cvtrack_magics.runs import orphans, surroundings
from cvtrack_magics.runs.gathering import Gathering, paths_of
from cvtrack_magics.runs.host import CellFacts
from cvtrack_magics.runs.spec import RunSpec
from cvtrack_magics.runs.view import RunView
from cvtrack_magics.store.tracking import OpenRun

if TYPE_CHECKING:
    from cvtrack_magics.runs.session import Session

ENDING_TIMEOUT = 3.0  # seconds; whoever shuts a kernel down kills it after five


class RunScope:
    """A run between its opening and its outcome.

    Parameters
    ----------
    session : Session
        What the run belongs to.
    spec : RunSpec
        What the user asked for.
    cell : CellFacts
        The cell the run is opened in.
    parent : RunScope, optional
        The run it is nested under.
    """

    def __init__(
        self, session: Session, spec: RunSpec, cell: CellFacts, parent: RunScope | None
    ) -> None:
        self.session = session
        self.spec = spec
        self.cell = cell
        self.parent = parent
        self.run: OpenRun | None = None
        self.outcome: Outcome | None = None
        self.notices: list[str] = []
        self.params: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.failures: dict[str, BaseException] = {}
        self.children = 0
        self.channel = Channel()
        self.view = RunView(session.host, session.config, spec, parent.name if parent else "")
        self._recorded: list[Record] = []
        self._gathering = Gathering(session, cell, spec.code, self._take_gathered)
        self._note: Path | None = None
        self._tee = StreamTee()
        self._meter = ResourceMeter()
        self._figures: list[bytes] = []

    @property
    def name(self) -> str:
        """The run's name."""
        return self.spec.name

    @property
    def run_id(self) -> str:
        """The run's id in the store; empty when the store could not be reached."""
        return self.run.run_id if self.run else ""

    # -- opening

    def open(self, tags: dict[str, str], pending: Sequence[Record]) -> None:
        """Open the run in the store and start recording what surrounds it."""
        self.tags.update(tags)
        self._gathering.start()
        try:
            self.run = self._open_in_store(tags)
        except StoreUnavailable as error:
            self.notices.append(
                f"Run {self.name!r} is not recorded: {error.problem} {error.hint}".strip()
            )
        finally:
            self._gathering.run_is_open()
        self.channel.refresh = self.view.refresh
        if self.run is not None:
            self.params.update(self.run.params)
            self.channel.send = self._send
            with self._attempt("note the run in the state folder"):
                folder = self.session.open_runs_folder
                uri = redact(self.run.uri)
                self._note = orphans.note_open(folder, self.run_id, self.name, uri)
        self.session.traffic.open(self.channel)
        self.notices += self.add([*pending, *self.spec.records])
        with self._attempt("show the run"):
            self.view.open(self.run)
        self._meter.start()

    @contextlib.contextmanager
    def _attempt(self, what: str) -> Iterator[None]:
        """Turn a failure of ours into a notice: it must never become the cell's."""
        try:
            yield
        except Exception as error:
            reason = redact(str(error).split("\n", 1)[0])[:200]
            self.notices.append(f"Could not {what}: {type(error).__name__}: {reason}")

    def _open_in_store(self, tags: dict[str, str]) -> OpenRun:
        tracking = self.session.tracking
        nested = self.parent is not None or self.spec.nested
        if self.spec.resume:
            parent_id = self.parent.run_id if self.parent else ""
            run_id = tracking.find_run(self.name, parent_id)
            if run_id:
                return tracking.resume_run(run_id, nested=nested)
            self.notices.append(f"No earlier run {self.name!r} to resume: a new one was opened.")
        return tracking.open_run(self.name, tags, nested=nested)

    def _take_gathered(self, records: list[Record]) -> None:
        records = self._not_said_otherwise(records)
        self._put(records)
        self._recorded += records

    # -- while open

    def enter_cell(self) -> None:
        """Take up the capture of output and figures for a cell."""
        with self._attempt("watch the cell's output"):
            if self.spec.output:
                self._tee.attach()
            if self.spec.figures:
                self.session.host.start_figures()

    def leave_cell(self) -> None:
        """Put output and figures of the cell aside."""
        with self._attempt("keep the cell's output"):
            if self.spec.figures:
                self._figures += self.session.host.stop_figures()
            if self.spec.output:
                self._tee.detach()

    def note_cell(self, key: str, error: BaseException | None) -> None:
        """Remember that a cell inside a span failed, until the same cell succeeds."""
        if error is None:
            self.failures.pop(key, None)
        else:
            self.failures[key] = error

    @property
    def failure(self) -> BaseException | None:
        """The last failure inside a span that no later success of its cell made good."""
        return next(reversed(self.failures.values()), None)

    def add(self, records: Iterable[Record]) -> list[str]:
        """Record more facts; return the lines to tell the user."""
        items = self._new_params(list(records))
        said = [item.text for item in items if isinstance(item, Notice)]
        kept = [item for item in items if not isinstance(item, Notice)]
        self.tags.update({item.key: item.value for item in kept if isinstance(item, Tag)})
        self._recorded += kept
        if kept:
            self._put(kept)
        return said

    def _new_params(self, records: list[Record], *, quietly: bool = False) -> list[Record]:
        """Replace a param that was recorded with another value before by one clear line."""
        kept: list[Record] = []
        for record in records:
            if isinstance(record, Param):
                before = self.params.setdefault(record.key, record.value)
                if before != record.value:
                    if not quietly:
                        kept.append(
                            Notice(
                                f"Param {record.key!r} is already {before} in run {self.name!r} "
                                f"and stays so; {record.value} was not recorded. "
                                "Open a new (nested) run for the new value."
                            )
                        )
                    continue
            kept.append(record)
        return kept

    def _not_said_otherwise(self, records: list[Record]) -> list[Record]:
        """Leave out what was read off the machine where the user said something else."""
        return [
            record
            for record in self._new_params(records, quietly=True)
            if not (isinstance(record, Tag) and record.key in self.tags)
        ]

    def _put(self, records: Sequence[Record]) -> None:
        run = self.run
        if run is None or not records:
            return

        self.session.outbox.put(lambda: self._write(run, records))

    def _write(self, run: OpenRun, records: Sequence[Record]) -> None:
        for notice in self.session.tracking.write(run, records):
            if notice.text not in self.notices:
                self.notices.append(notice.text)

    def _send(self, metrics: list[Metric]) -> None:
        if self.run is None:
            return
        self._write(self.run, metrics)
        if self._note is not None:
            with contextlib.suppress(OSError):
                os.utime(self._note)  # should the process die now, the run ended at this time

    # -- closing

    def close(self, outcome: Outcome, error: BaseException | None = None) -> RunSummary:
        """End the run with its true outcome and show the summary."""
        self.outcome = outcome
        use = self._meter.stop()
        ended = int(time.time() * 1000)
        timeout = self.session.config.close_timeout
        last = self._not_said_otherwise(self._gathering.finish(timeout))
        self.channel.drain()
        last += surroundings.resource_records(use, ended)
        last += surroundings.figure_records(self._figures)
        if self.spec.output and self._tee.text().strip():
            last.append(Artifact("logs/output.txt", redact(self._tee.text())))
        last += self._gathering.late(paths_of([*self._recorded, *last]))
        if error is not None:
            last += surroundings.error_records(error)
        self.notices += [item.text for item in last if isinstance(item, Notice)]
        self._recorded += last
        self._put(last)
        if self.run is not None:
            self._end_in_store(self.run, outcome, ended, timeout)
        summary = self._summary(outcome, use.wall_s, error)
        told = len(self.notices)
        with self._attempt("show the summary"):
            self.view.close(summary, self.channel.history.series)
        for notice in self.notices[told:]:
            self.session.host.say(f"cvtrack: {notice}")
        return summary

    def _end_in_store(self, run: OpenRun, outcome: Outcome, ended: int, timeout: float) -> None:
        session = self.session

        def end() -> None:
            session.traffic.close(self.channel, float("inf"))
            session.tracking.end_run(run, outcome, ended)
            if self._note is not None:
                self._note.unlink(missing_ok=True)

        try:
            left_open = session.tracking.leave_run(run, outcome)
            self.notices += [notice.text for notice in left_open]
        except Exception as error:
            self.notices.append(f"MLflow's active run could not be reset: {error}")
        if session.process.ending:
            # threads may not be allowed to start any more, so the status comes first
            with contextlib.suppress(Exception):
                session.tracking.check()
                session.tracking.end_run(run, outcome, ended)
                if self._note is not None:
                    self._note.unlink(missing_ok=True)
            timeout = min(timeout, ENDING_TIMEOUT)
        session.outbox.put(end)
        try:
            in_time = session.outbox.wait(timeout)
        except KeyboardInterrupt:
            in_time = False
        if not in_time:
            waiting = len(self.channel.unsent)
            self.notices.append(
                f"The store is slow or gone: {waiting} points and the end of run {self.name!r} "
                "are still being sent in the background; keep the kernel alive."
            )

    def _summary(
        self, outcome: Outcome, duration: float, error: BaseException | None
    ) -> RunSummary:
        metrics = self.channel.history.last_values()
        experiment = place = ""
        if self.run is not None:
            experiment, place = self.run.experiment, self.session.tracking.place
            if not any("still being sent" in notice for notice in self.notices):
                try:
                    shown = {safe_key(key) for key in metrics}
                    stored = self.session.tracking.last_metrics(self.run)
                    metrics.update({k: v for k, v in stored.items() if k not in shown})
                except Exception as problem:
                    self.notices.append(f"The run could not be read back: {problem}")
        return RunSummary(
            name=self.run.name if self.run else self.name,
            run_id=self.run_id,
            experiment=experiment,
            status=outcome,
            duration=duration,
            store=place,
            url=self.run.url if self.run else "",
            parent=self.parent.name if self.parent else "",
            error=_one_line(error),
            metrics={
                key: value
                for key, value in metrics.items()
                if not key.startswith(surroundings.RESOURCES)
            },
            params=len(set(self.params) - self._gathering.machine_params),
            recorded=self._said_recorded() if self.run else (),
            notices=tuple(self.notices),
        )

    def _said_recorded(self) -> tuple[str, ...]:
        said = surroundings.known_as(self._recorded)
        if self.children:
            said += (f"{self.children} run{'s' if self.children > 1 else ''} under it",)
        return said


def _one_line(error: BaseException | None) -> str:
    if error is None:
        return ""
    text = error.problem if isinstance(error, CvtrackError) else str(error)
    first = text.strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
