"""The one object that holds all state, made when the extension is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics import forks
from cvtrack_magics.config import CvTrack
from cvtrack_magics.delivery import lanes
from cvtrack_magics.delivery.sender import Sender
from cvtrack_magics.delivery.thread_switching import ShortSwitches
from cvtrack_magics.display.plot_feed import Pump
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.records import Notice, Outcome, Param, Record, Replaces, RunSummary, Tag
from cvtrack_magics.run import placing, unopened
from cvtrack_magics.run.child_cards import ChildCards
from cvtrack_magics.run.code_secrets import CodeSecrets
from cvtrack_magics.run.evaluation_inputs import Evidence
from cvtrack_magics.run.host import CellFacts, Host
from cvtrack_magics.run.leak_checks import LeakChecks
from cvtrack_magics.run.left_runs import LeftRuns
from cvtrack_magics.run.machine_facts import MachineFacts
from cvtrack_magics.run.made_models import MadeModels
from cvtrack_magics.run.other_curves import OtherCurves, place_of
from cvtrack_magics.run.outcome import outcome_of
from cvtrack_magics.run.process import ProcessEnd
from cvtrack_magics.run.seeding import Seeding
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.run.writing import Writing
from cvtrack_magics.secrets import Masker, stored
from cvtrack_magics.secrets.records import RecordMasker
from cvtrack_magics.standard import as_at_load
from cvtrack_magics.store.detours import Detours
from cvtrack_magics.store.run_cache import RunCache
from cvtrack_magics.store.tracking import Tracking

if TYPE_CHECKING:
    from cvtrack_magics.run import context as surroundings
    from cvtrack_magics.run import precedence, resume
    from cvtrack_magics.run import scope as scopes
    from cvtrack_magics.run.foreign_runs import Guests
    from cvtrack_magics.run.ranks.member import Member
    from cvtrack_magics.run.resume import Known
    from cvtrack_magics.run.scope import RunScope
else:
    precedence = Lazy("cvtrack_magics.run.precedence")
    resume = Lazy("cvtrack_magics.run.resume")
    scopes = Lazy("cvtrack_magics.run.scope")
    surroundings = Lazy("cvtrack_magics.run.context")

GRACE = 5.0  # seconds that a process waits that is told to go; many are killed ten after that


class Session:
    """Open runs, what waits for the next one, and the threads that carry data.

    Parameters
    ----------
    host : Host
        The notebook, terminal or script the code runs in.
    config : CvTrack
        The settings.
    """

    told_of_trust = ""  # by which viewer of the notebook

    def __init__(self, host: Host, config: CvTrack) -> None:
        self.host = host
        self.config = config
        self.masker = Masker()
        stored.use(self.masker, lambda: config.state)
        self._code_secrets = CodeSecrets(self.masker)
        self.tracking = Tracking(config.default_store, config.connect_timeout)
        self.tracking.caught_up = self.chose
        self.detours = Detours(
            lambda: [one.run_id for one in lanes.line(self.current)] if self.current else [],
            self._chose_here,
        )
        self.pump = Pump(config.plot_interval)
        self.sender = Sender(config.send_interval, lambda: config.sender == "process")
        self.left = LeftRuns(self.tracking, lambda: self.journal, Sender(config.send_interval))
        self.scopes: list[RunScope] = []
        self.tags: dict[str, str] = {}
        self.parameters: list[Param] = []  # what the notebook is run with, for every run
        self.seeding = Seeding()
        self.pending: list[Record] = []
        self.ended: list[Known] = []  # the last runs that have ended, in case they go on
        self.swept: dict[tuple[str, str, str], None] = {}
        """Store, experiment and name of the sweeps that this process ran or joined."""
        self.followed: dict[str, object] = {}
        """Of each kind of output that is kept up to date the newest one."""
        self._latest: dict[tuple[str, str, str], str] = {}
        self.machine = MachineFacts()
        self._opening = forks.rlock()
        self.process = ProcessEnd(self._stop_at_exit)
        self.switches = ShortSwitches()
        self.other_curves = OtherCurves()
        self._guests: Guests | None = None
        self.evidence = Evidence()
        self.leak_checks = LeakChecks()
        self.made_models = MadeModels()
        self.looked_at = ""  # the id of the last run that ended with predictions logged
        self._told: set[str] = set()
        self.writing = Writing(self)
        self.child_cards = ChildCards()
        self.member: Member | None = None  # this process as one of the ranks of a cell

    # -- life

    @property
    def journal(self) -> Path:
        """Where each run is kept until the store has all of it."""
        folder = self.config.state / "journal"
        problem = self.config.state_problem
        if self.tells_once(problem):
            self.host.say(f"cvtrack: {problem}")
        return folder

    @cached_property
    def run_cache(self) -> RunCache:
        """What was listed of the runs of experiments."""
        return RunCache(lambda: self.config.state / "runs")

    def tells_once(self, line: str) -> bool:
        """Whether a line has something to say that was not said in this session."""
        fresh = bool(line) and line not in self._told
        self._told.add(line)
        return fresh

    def prepare(self) -> None:
        """Import what the first run needs, and send what other processes left.

        Called in the background; whatever fails here shows itself when it is needed.
        """
        # what the first magic needs
        from cvtrack_magics.capture.data import schema  # noqa: F401
        from cvtrack_magics.capture.params import logged, seeds  # noqa: F401
        from cvtrack_magics.run import message, opening  # noqa: F401
        from cvtrack_magics.store import probe, writer  # noqa: F401
        from cvtrack_magics.store.client import mlflow

        with suppress(Exception):
            self.writing.show()
            mlflow().tracking.fluent  # noqa: B018 (the import is what is wanted)
            self.left.send(self.host.say)
            self.machine.records()
            self.left.look_after_others()

    def stop(self) -> None:
        """End what is open and give everything back."""
        self._close_all()
        self.writing.end_late()
        self.process.forget()
        with suppress(Exception):
            self.tracking.store.release()
        self.machine.close()
        self.sender.stop()
        self.left.sender.stop()
        self.pump.stop()

    def _close_all(self, ended_by: BaseException | None = None) -> None:
        while self.scopes:
            scope = self.scopes[-1]
            error = scope.cells.failure or ended_by
            self.close(scope, "KILLED" if error is None else outcome_of(error), error)

    @as_at_load
    def _stop_at_exit(self, in_time: bool) -> None:
        """Stop at the process's end; a script's container may go with it, a kernel's stays."""
        self._close_all(self.host.ended_by() if in_time else None)
        self.writing.end_late()
        if not self.host.interactive_display:
            patience = self.config.exit_timeout
            with suppress(KeyboardInterrupt):
                self.sender.drain(patience if in_time else min(patience, GRACE), self.host.say)
        for delivery in self.sender.deliveries:
            if delivery.in_memory:
                self.host.say(
                    f"cvtrack: what run {delivery.note.name!r} had in memory only, for want of "
                    f"room on disk, is lost with this process ({delivery.waiting:,} points and "
                    "its end are not in the store)."
                )
        self.stop()

    def masking(self) -> RecordMasker:
        """Return what masks the secrets of one run, by the settings of now."""
        self.masker.configure(self.config.mask_secrets, self.config.secret_allow)
        return RecordMasker(self.masker)

    # -- runs

    @property
    def current(self) -> RunScope | None:
        """The innermost open run of the code that asks."""
        return lanes.innermost(self.scopes)

    def open(self, spec: RunSpec, cell: CellFacts | None = None) -> RunScope:
        """Open a run; raises :class:`UsageProblem` when that makes no sense here."""
        with self._opening:  # another thread may open one beside it
            return self._open(spec, cell or CellFacts())

    def _open(self, spec: RunSpec, cell: CellFacts) -> RunScope:
        missed = unopened.innermost()
        if spec.nested and missed is not None and self.current is None:
            spec = replace(spec, nested=False)
        parent = placing.parent_of(spec, self.current, self.scopes, self.writing.above)
        above = self.writing.above() if spec.nested and parent is None else None
        self.masking()  # by the settings of now
        with suppress(Exception):
            self._code_secrets.look(self.host.sources(), cell.source)
        scope = scopes.RunScope(self, spec, cell, parent, above)
        if spec.resume:
            resume.refuse_open(self, spec.name)
        scope.notices += placing.beside(spec, self.scopes)
        if missed is not None and parent is None and missed.is_held:
            scope.notices.append(
                f"Run {missed.name!r}, which is around this one, could not be opened: this one is "
                "nested in none."
            )
        key = place_of(scope)
        replaced = "" if spec.resume else self._latest.get(key, "")
        opening = precedence.opening_of(
            spec,
            every_run=self.tags,
            parameters=self.parameters,
            seeds=self.seeding.in_force(parent.seeds if parent else ()),
            pending=self.pending,
        )
        scope.notices += self.seeding.follow(opening.seeds)
        tags = {**surroundings.cell_tags(cell, self.host.notebook()), **opening.tags}
        if above is not None and above.run_id:
            tags["mlflow.parentRunId"] = above.run_id
        self.process.hold()
        self.switches.begin()
        self.pending = []
        extra: list[Record] = []
        if replaced:
            tags["cvtrack.replaces"] = replaced
            extra.append(Replaces(replaced))
        if parent is not None:
            with suppress(Exception):
                parent.guard.before_another()
        self.writing.begins(scope)
        self.scopes.append(scope)
        lanes.opened(scope, self.scopes)
        try:
            scope.open(tags, opening, extra)
            self.writing.goes_to(scope)
        except BaseException as error:  # an interrupt too leaves no half-open run behind
            self.close(scope, outcome_of(error), error)
            raise
        if parent is None:
            unopened.another_is_opened()
        else:
            parent.children += 1
        if scope.run_id:
            self._latest[key] = scope.run_id
        scope.cells.enter()
        return scope

    @as_at_load
    def close(
        self, scope: RunScope, outcome: Outcome, error: BaseException | None = None
    ) -> RunSummary:
        """Close a run, and any that is still open inside it, with the true outcome.

        A forked child closes no run of its parent's: the threads that would send it, with the
        locks they may hold, are there. What ended a run well, as ``sys.exit(0)``, is no error.
        """
        error = None if outcome == "FINISHED" else error
        if os.getpid() != scope.channel.pid:
            return RunSummary(scope.name, scope.run_id, "", outcome, 0.0, "", kept="")
        try:
            while (inner := lanes.inside(scope, self.scopes)) is not None:
                self.close(inner, outcome, error)
        finally:
            summary = self._close_one(scope, outcome, error)
        return summary

    def _close_one(
        self, scope: RunScope, outcome: Outcome, error: BaseException | None
    ) -> RunSummary:
        if scope in self.scopes:
            self.writing.ends(scope)
            self.scopes.remove(scope)
        lanes.left(scope)
        try:
            summary = scope.close(outcome, error)
            if scope.parent is not None:
                scope.parent.ended_children.append(summary)
            self.looked_at = scope.run_id if scope.albums.used else self.looked_at
            return summary
        finally:
            self.writing.goes_to(self.current)
            if not self.scopes:
                self.process.release()
                self.switches.end()

    def record(self, records: Sequence[Record], *, implied: bool = False) -> tuple[str, list[str]]:
        """Give facts to the open run, or keep them for the next; return (where, lines).

        A tag that is only ``implied`` by an object never replaces one that is there.
        """
        scope = self.writing.over_here() or self.current
        if implied:
            said = {**self.tags, **(scope.tags if scope else {})}
            records = [r for r in records if not (isinstance(r, Tag) and r.key in said)]
        if scope is not None:
            return scope.name, scope.add(records)
        if self.member is not None:
            return self.member.record(records)
        missed = unopened.innermost()
        if missed is not None:  # the next run would say of itself what was said of another
            return f"{missed.name} ({missed.why})", []
        self.pending += [item for item in records if not isinstance(item, Notice)]
        return "", [item.text for item in records if isinstance(item, Notice)]

    @property
    def guests(self) -> Guests:
        """Takes MLflow's own calls for the open runs our way."""
        if self._guests is None:
            from cvtrack_magics.run.foreign_runs import Guests

            self._guests = Guests(self)
        return self._guests

    def chose(self, experiment: str) -> None:
        """Let the experiment that was chosen now outlive the runs that are open."""
        for scope in self.scopes:
            scope.guard.chosen(experiment)

    def _chose_here(self, experiment: str) -> None:
        """Let an experiment that code in none of the open runs chooses be the user's choice."""
        if lanes.stands_beside(self.scopes):
            self.chose(experiment)

    # -- cells

    def begin_cell(self) -> None:
        """Show cards of child runs again, and say again when nothing is recorded."""
        self.writing.begin_cell()
        self.child_cards.begin_cell()
