"""One open run, from the moment it is opened until its outcome is stored."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cvtrack_magics.capture.code.logging_calls import logs_metrics
from cvtrack_magics.capture.machine.meter import ResourceMeter
from cvtrack_magics.delivery import lanes
from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.delivery.naming import NAME
from cvtrack_magics.delivery.series import Series
from cvtrack_magics.records import Notice, Outcome, Param, Record, RunSummary, Tag
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run import start as opening
from cvtrack_magics.run.albums import Albums
from cvtrack_magics.run.cells import RunCells
from cvtrack_magics.run.closing import Closing
from cvtrack_magics.run.context_collector import Gathering
from cvtrack_magics.run.control import Control
from cvtrack_magics.run.host import CellFacts
from cvtrack_magics.run.mlflow_guard import Guard
from cvtrack_magics.run.printed_metrics import PrintedCurves
from cvtrack_magics.run.recorder import KeptRun
from cvtrack_magics.run.said_params import SaidParams
from cvtrack_magics.run.seeding import SEED_PARAMS
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.run.stretch import Stretch
from cvtrack_magics.run.usage_points import UsagePoints
from cvtrack_magics.run.view import SYSTEM, RunView
from cvtrack_magics.run.watch.alerts import Alerts
from cvtrack_magics.store.deferred_runs import RUN_KEY
from cvtrack_magics.store.tracking import OpenRun

if TYPE_CHECKING:
    from cvtrack_magics.capture.params.algorithms import Hold
    from cvtrack_magics.journal.run_note import RunNote
    from cvtrack_magics.run.checkpoint.checkpoint import Checkpoint
    from cvtrack_magics.run.foreign_runs import Way
    from cvtrack_magics.run.precedence import Opening
    from cvtrack_magics.run.session import Session


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
    above : RunNote, optional
        The run of another process that it is nested under, in a worker.
    """

    def __init__(
        self,
        session: Session,
        spec: RunSpec,
        cell: CellFacts,
        parent: RunScope | None,
        above: RunNote | None = None,
    ) -> None:
        self.session = session
        self._asked_name = spec.name
        self.spec = replace(spec, name=session.masking().text(spec.name))
        self.cell = cell
        self.parent = parent
        self.above = above
        self.lane = lanes.lane()
        self.run: OpenRun | None = None
        self.outcome: Outcome | None = None
        self.notices: list[str] = []
        self.tags: dict[str, str] = {}
        self.seeds: tuple[Record, ...] = ()
        """The seed in force, as it is recorded; nested runs begin with it."""
        self.algorithms: Hold | None = None
        """What the run's own seed chose of torch's algorithms, until its end."""
        self.children = 0
        self.ended_children: list[RunSummary] = []
        self.stretch = Stretch()
        self._said = SaidParams()
        self.params = self._said.values
        self.guard = Guard(session, self.notices)
        self.channel = Channel()
        self.kept: KeptRun
        self.guests: list[KeptRun] = []
        self.under: dict[str, dict[str, Series]] = {}
        """Curves of the runs that were nested in this one, for its own plot and theirs."""
        self.control: Control = Control(
            self._say_control,
            self._mark,
            lambda: self.last_step,
            lambda: self.channel.written_by_loop,
            parent.control if parent else None,
        )
        self.view = RunView(
            session.host,
            session.config,
            self.spec,
            parent.name if parent else above.name if above else "",
            self.control.act,
        )
        self.alerts = Alerts(self)
        self._way: Way | None = None
        self.away = ""
        self._usage = UsagePoints(session.machine)
        self._marks = 0
        self.recorded: list[Record] = []
        self.gathering = Gathering(
            session, cell, spec.code, self._take_gathered, machine=not spec.elsewhere
        )
        config = session.config
        self.albums = Albums(self.name, self._put, config.page_limit * 1_000_000, config.digits)
        printed = PrintedCurves(
            lambda: self.channel,
            self._prints_alone,
            lambda name: self.stretch.next_step(name) or 0,
            lambda: logs_metrics(cell.source, session.host.names()),
        )
        self.cells = RunCells(spec, session.host, printed, self.attempt)
        self.meter = ResourceMeter()
        self.checkpoint: Checkpoint | None = None
        self._went_on = False

    @property
    def name(self) -> str:
        """The run's name."""
        return self.spec.name

    @property
    def key(self) -> str:
        """What the run is known by in all its stretches, whether or not the store has it."""
        return self.stretch.earlier.tags.get(RUN_KEY) or self.kept.note.key

    @property
    def is_open(self) -> bool:
        """Whether the run has a journal to write to; not yet, while it is being opened."""
        return hasattr(self, "kept")

    @property
    def run_id(self) -> str:
        """The run's id in the store; empty until the store has the run."""
        return self.kept.delivery.run_id if self.run else ""

    # -- opening

    def open(self, tags: dict[str, str], said: Opening, extra: Sequence[Record] = ()) -> None:
        """Open the run in the store, or on disk, and start recording what surrounds it.

        Parameters
        ----------
        tags : dict of str to str
            What it is opened with.
        said : Opening
            What was said of it so far.
        extra : sequence of Record
            What else is to be written.
        """
        opening.open_run(self, tags, said, extra)

    def open_journal(self, tags: dict[str, str]) -> None:
        """Begin the run's journal on this disk; from here on it can be logged to."""
        parent = self.parent.kept if self.parent else None
        self.kept = KeptRun(
            self.session, self._asked_name, parent, self.notices, tags=tags, above=self.above
        )
        self.channel = self.kept.channel

    def listen(self, run: OpenRun) -> None:
        """Bring what is logged to the plot and to the store, and what MLflow's calls say here."""
        self.channel.refresh = self._refresh
        self.channel.step_now = self.control.step_now
        self.channel.least_step = self._least_step
        names, earlier = self.channel.names, self.stretch.earlier
        names.learn(earlier.steps, earlier.tags)
        names.told, names.altered = self.notices.append, self._tag_name
        self.session.pump.open(self.channel, self._tick)
        self.session.sender.open(self.kept.delivery)
        self._way = self.session.guests.open(self.kept, run)

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Turn a failure of ours into a notice: it must never become the cell's."""
        try:
            yield
        except Exception as error:
            self.notices.append(f"Could not {what}: {kind_and_line(error)}")

    def _least_step(self, name: str) -> int:
        """Return the lowest step of a metric's next point where neither user nor loop says one."""
        return max(self.control.reached, self.stretch.next_step(name) or 0)

    def _tag_name(self, stored: str, name: str) -> None:
        """Let who goes on with the run, and who looks at it, know what a metric was called."""
        self.add([Tag(f"{NAME}{stored}", name)])

    def _take_gathered(self, records: list[Record]) -> None:
        records = self.not_said_otherwise(records)
        self.notices += [item.text for item in records if isinstance(item, Notice)]
        records = [item for item in records if not isinstance(item, Notice)]
        self._put(self.stretch.fit(records))
        self.recorded += records

    # -- while open

    @property
    def auto(self) -> bool:
        """Whether it takes what libraries report without a call."""
        return self.spec.auto

    def tell(self, key: str, line: str) -> bool:
        """Say a line once for the run; return whether it was said now."""
        return self.guard.tell(key, line)

    def step_of(self, given: int | None, otherwise: int | None = None) -> int:
        """Return a step as given, or that of the loop the run is in, or the last one logged."""
        step = given if given is not None else self.control.step_now()
        if step is None:
            step = self.last_step if otherwise is None else otherwise
        return max(0, int(step or 0))

    @property
    def last_step(self) -> int:
        """The highest step that anything was logged at, in all stretches of the run."""
        return max(self.channel.last_step, self.albums.last_step, self.stretch.last_step)

    def _prints_alone(self) -> bool:
        """Whether what is printed now is this run's: it is the innermost, and none goes beside."""
        scopes = self.session.scopes
        return bool(scopes) and scopes[-1] is self and not lanes.several(scopes)

    def add(self, records: Iterable[Record]) -> list[str]:
        """Record more facts; return the lines to tell the user."""
        items = self._said.fresh(records, self.name, self.stretch)
        said = [item.text for item in items if isinstance(item, Notice)]
        kept = [item for item in items if not isinstance(item, Notice)]
        self.tags.update({item.key: item.value for item in kept if isinstance(item, Tag)})
        self.recorded += kept
        if kept:
            self._put(kept)
        if self._went_on:
            self.note_changes()
        return said

    def note_changes(self) -> None:
        """Note at this step, with the date, the params that are not what they were before."""
        self._went_on = True
        now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        for text in self._said.take_changes():
            self._mark(self.last_step, f"{now}: {text}")

    @property
    def says_params(self) -> bool:
        """Whether the user has given the run params: by a call, an option or MLflow's own."""
        elsewhere = self._way.said_params if self._way else ()
        return self._said.are_given({*elsewhere}, but=self.gathering.machine_params | SEED_PARAMS)

    def imply(self, records: Iterable[Record]) -> None:
        """Record settings that a library reports, but where the user says otherwise."""
        fresh = self.not_said_otherwise([*records])
        self._said.imply(fresh)
        self.notices += self.add(fresh)

    def shown(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Record numbers that the code shows, unless it logs some itself."""
        self.cells.printed.take_values(values, step)

    def not_said_otherwise(self, records: list[Record]) -> list[Record]:
        """Leave out what was read off the machine where the user said something else."""
        said = {*self.tags, *(self._way.said_tags if self._way else ())}
        params = self._way.said_params if self._way else {}
        records = [r for r in records if not (isinstance(r, Param) and r.key in params)]
        return [
            record
            for record in self._said.fresh(records, self.name, self.stretch, quietly=True)
            if not (isinstance(record, Tag) and record.key in said)
        ]

    def _put(self, records: Sequence[Record]) -> None:
        if self.run is not None and records:
            self.kept.add(self.stretch.beside(records))

    # -- beside the curves; called by the pump and by the buttons

    def _refresh(self, fresh: Mapping[str, Series]) -> None:
        self.view.refresh(fresh)
        self.alerts.take(fresh)

    def _tick(self) -> None:
        bars = self.control.bars()
        self.view.progress(bars, self.control.offers)
        self.alerts.tick(bars)
        self.cells.printed.read()
        if self.session.config.record_usage and not self.spec.elsewhere:
            self._usage.take(self.channel, self.session.config.usage_interval)

    def _say_control(self, state: str, note: str) -> None:
        self.view.control(state, note)

    def _mark(self, step: int, text: str) -> None:
        self._marks += 1
        self.add([Tag(f"mark.{self._marks}", f"step {step}: {text}")])
        self.view.mark(step, text)

    def go_on_after(self, used: int, marks: Sequence[tuple[int, str]]) -> None:
        """Count on the samples of what is used and the notes, and show the earlier notes."""
        self._usage.count, self._marks = used + 1, len(marks)
        for step, text in marks:
            self.view.mark(step, text)

    # -- closing

    def close(self, outcome: Outcome, error: BaseException | None = None) -> RunSummary:
        """End the run with its true outcome and show the summary."""
        self.outcome = outcome
        return Closing(self, outcome, error).summary()

    def curves(self) -> dict[str, Series]:
        """Return the run's curves, and those of the runs that other code opened in it."""
        curves = dict(self.channel.history.series)
        curves = {name: series for name, series in curves.items() if not name.startswith(SYSTEM)}
        for guest in self.guests:
            for name, series in guest.channel.history.series.items():
                curves[name if name not in curves else f"{guest.note.name}/{name}"] = series
        return curves
