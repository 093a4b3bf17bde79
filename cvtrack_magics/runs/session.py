"""The one object that holds all state, made when the extension is loaded."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics.config import CvTrack
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.metrics.channel import Channel, Traffic
from cvtrack_magics.records import Notice, Outcome, Record, RunSummary, Tag
from cvtrack_magics.redact import redact
from cvtrack_magics.runs.host import CellFacts, Host
from cvtrack_magics.runs.outbox import Outbox
from cvtrack_magics.runs.process import ProcessEnd
from cvtrack_magics.runs.spec import RunSpec
from cvtrack_magics.store.tracking import Tracking
from cvtrack_magics.store.uris import absolute

if TYPE_CHECKING:
    from cvtrack_magics.runs import orphans, surroundings
    from cvtrack_magics.runs import scope as scopes
    from cvtrack_magics.runs.scope import RunScope
else:
    orphans = Lazy("cvtrack_magics.runs.orphans")
    scopes = Lazy("cvtrack_magics.runs.scope")
    surroundings = Lazy("cvtrack_magics.runs.surroundings")


class Session:
    """Open runs, what waits for the next one, and the threads that carry data.

    Parameters
    ----------
    host : Host
        The notebook, terminal or script the code runs in.
    config : CvTrack
        The settings.
    """

    def __init__(self, host: Host, config: CvTrack) -> None:
        self.host = host
        self.config = config
        self.tracking = Tracking(config.default_store, config.connect_timeout)
        self.traffic = Traffic(config.send_interval, config.plot_interval)
        self.outbox = Outbox()
        self.scopes: list[RunScope] = []
        self.tags: dict[str, str] = {}
        self.seeds: list[Record] = []
        self.pending: list[Record] = []
        self._latest: dict[tuple[str, str, str], str] = {}
        self._machine: list[Record] | None = None
        self._machine_key: tuple[bool, ...] = ()
        self._machine_lock = threading.Lock()
        self._modules: list[Path] = []
        self._modules_key: tuple[int, str] = (0, "")
        self.process = ProcessEnd(self.stop)
        self._told_no_run = False

    # -- life

    @property
    def open_runs_folder(self) -> Path:
        """Where open runs are noted."""
        return self.config.state / "open"

    def prepare(self) -> None:
        """Import what the first run needs, and settle what a killed kernel left.

        Called in the background; whatever fails here shows itself when it is needed.
        """
        from cvtrack_magics.runs import api, facts, view  # noqa: F401 (what the first magic needs)
        from cvtrack_magics.store import probe, writer  # noqa: F401
        from cvtrack_magics.store.client import mlflow

        with suppress(Exception):
            mlflow().tracking.fluent  # noqa: B018 (the import is what is wanted)
            if orphans.read_notes(self.open_runs_folder):
                ended = orphans.settle_orphans(self.open_runs_folder, self._kill)
                if ended:
                    names = ", ".join(repr(name) for name in ended)
                    self.host.say(
                        f"cvtrack: the kernel died with {names} open; ended as KILLED in the store."
                    )
            self.machine_records()

    def _kill(self, uri: str, run_id: str, ended: int) -> bool:
        now = absolute(self.tracking.uri)
        return self.tracking.kill_if_running(now if redact(now) == uri else uri, run_id, ended)

    def stop(self, outcome: Outcome = "KILLED") -> None:
        """End what is open and give everything back."""
        while self.scopes:
            scope = self.scopes[-1]
            error = scope.failure
            self.close(scope, outcome if error is None else outcome_of(error), error)
        self.process.release()
        with suppress(Exception):
            self.tracking.release()
        self.outbox.stop()
        self.traffic.stop()

    # -- runs

    @property
    def current(self) -> RunScope | None:
        """The innermost open run."""
        return self.scopes[-1] if self.scopes else None

    def open(self, spec: RunSpec, cell: CellFacts | None = None) -> RunScope:
        """Open a run; raises :class:`UsageProblem` when that makes no sense here."""
        cell = cell or CellFacts()
        parent = self._parent_of(spec)
        scope = scopes.RunScope(self, spec, cell, parent)
        key = (cell.cell_id, parent.name if parent else "", spec.name)
        replaced = "" if spec.resume else self._latest.get(key, "")
        tags = {**self.tags, **surroundings.cell_tags(cell, self.host.notebook())}
        tags.update({r.key: r.value for r in spec.records if isinstance(r, Tag)})
        if replaced:
            tags["cvtrack.replaces"] = replaced
        self.process.hold()
        pending, self.pending = self.pending, []
        self.scopes.append(scope)
        try:
            scope.open(tags, [*self.seeds, *pending])
        except BaseException as error:  # an interrupt too leaves no half-open run behind
            self.close(scope, outcome_of(error), error)
            raise
        if parent is not None:
            parent.children += 1
        if scope.run_id:
            self._latest[key] = scope.run_id
            if replaced and replaced != scope.run_id:
                self._tag_replaced(scope, replaced)
        scope.enter_cell()
        return scope

    def _parent_of(self, spec: RunSpec) -> RunScope | None:
        current = self.current
        if spec.nested:
            if current is None and self._foreign_run() is None:
                raise UsageProblem(
                    f"--nested has no open run to put {spec.name!r} under.",
                    "Open one with '%mlrun NAME' in a cell above, or leave out --nested.",
                )
            return current
        if current is not None:
            raise UsageProblem(
                f"Run {current.name!r} is still open.",
                f"Write '%%mlrun {spec.name} --nested' to put this one under it, "
                "or type %mlend first.",
            )
        foreign = self._foreign_run()
        if foreign is not None:
            name, run_id = foreign
            raise UsageProblem(
                f"An MLflow run that other code opened is still active: {name!r} ({run_id[:8]}).",
                "Type mlflow.end_run() to end it, or add --nested to put this run under it.",
            )
        return None

    def _foreign_run(self) -> tuple[str, str] | None:
        try:
            return self.tracking.foreign_run(scope.run_id for scope in self.scopes)
        except Exception:  # an MLflow that cannot even be imported shows when the run is opened
            return None

    def _tag_replaced(self, scope: RunScope, replaced: str) -> None:
        run = scope.run
        if run is None:
            return

        def job() -> None:
            from dataclasses import replace

            with suppress(Exception):  # the replaced run may have been deleted meanwhile
                self.tracking.write(
                    replace(run, run_id=replaced), [Tag("cvtrack.replaced_by", run.run_id)]
                )

        self.outbox.put(job)

    def close(
        self, scope: RunScope, outcome: Outcome, error: BaseException | None = None
    ) -> RunSummary:
        """Close a run, and any that is still open inside it, with the true outcome."""
        while self.scopes and self.scopes[-1] is not scope:
            self.close(self.scopes[-1], outcome, error)
        if scope in self.scopes:
            self.scopes.remove(scope)
        try:
            scope.leave_cell()
            return scope.close(outcome, error)
        finally:
            if not self.scopes:
                self.process.release()

    def record(self, records: Sequence[Record], *, implied: bool = False) -> tuple[str, list[str]]:
        """Give facts to the open run, or keep them for the next; return (where, lines).

        A tag that is only ``implied`` by an object never replaces one that is there.
        """
        scope = self.current
        if implied:
            said = {**self.tags, **(scope.tags if scope else {})}
            records = [r for r in records if not (isinstance(r, Tag) and r.key in said)]
        if scope is not None:
            return scope.name, scope.add(records)
        self.pending += [item for item in records if not isinstance(item, Notice)]
        return "", [item.text for item in records if isinstance(item, Notice)]

    def machine_records(self) -> list[Record]:
        """Return environment and hardware, gathered once for the process."""
        with self._machine_lock:
            if self._machine is None or self._machine_is_stale():
                self._machine = surroundings.machine_records()
                self._machine_key = _loaded_frameworks()
            return self._machine

    def _machine_is_stale(self) -> bool:
        return self._machine_key != _loaded_frameworks()

    def own_modules(self) -> list[Path]:
        """Return the user's own imported modules; looked up again when one was imported."""
        key = (len(sys.modules), next(reversed(sys.modules)))
        if self._modules_key != key:
            self._modules, self._modules_key = surroundings.own_modules(), key
        return self._modules

    # -- metrics

    def channel(self) -> Channel | None:
        """Return the innermost open run's channel; says once when there is none."""
        if self.scopes:
            return self.scopes[-1].channel
        if not self._told_no_run:
            self._told_no_run = True
            self.host.say(
                "cvtrack: log() was called with no run open; nothing is recorded. "
                "Start the cell with %%mlrun NAME."
            )
        return None


def _loaded_frameworks() -> tuple[bool, ...]:
    return tuple(name in sys.modules for name in ("torch", "torchvision"))


def outcome_of(error: BaseException | None) -> Outcome:
    """Return the status a run has earned: KILLED by an interrupt, FAILED by an error."""
    import asyncio

    if error is None:
        return "FINISHED"
    if isinstance(error, (KeyboardInterrupt, asyncio.CancelledError)):
        return "KILLED"
    return "FAILED"
