"""Ends one run with its true outcome, in steps that may each fail or be interrupted."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvtrack_magics.capture.machine.meter import ResourceUse
from cvtrack_magics.records import End, Notice, Outcome, Record, RunSummary
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run import placing, resume
from cvtrack_magics.run.described import page_calls
from cvtrack_magics.run.finalize import last_facts
from cvtrack_magics.run.foreign_runs import whose_curves
from cvtrack_magics.run.summary import least_summary, summary_of
from cvtrack_magics.store import active_run as fluent
from cvtrack_magics.store.tracking import OpenRun

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope

ENDING_TIMEOUT = 3.0  # seconds; whoever shuts a kernel down kills it after five


class Closing:
    """The end of a run.

    Parameters
    ----------
    scope : RunScope
        The run.
    outcome : {"FINISHED", "FAILED", "KILLED"}
        How it ended.
    error : BaseException, optional
        What ended it.
    """

    def __init__(self, scope: RunScope, outcome: Outcome, error: BaseException | None) -> None:
        self._scope = scope
        self._outcome = outcome
        self._error = error
        self._ended = End(outcome, _now())

    def summary(self) -> RunSummary:
        """Close the run; whatever happens on the way, it has its end afterwards."""
        scope = self._scope
        try:
            scope.cells.leave()
            return self._in_steps()
        except KeyboardInterrupt:  # of the closing, not of the cell: that had its outcome
            self._end_at_once()
            raise
        except BaseException as problem:  # nothing that is patched or broken may keep a run open
            self._end_at_once()
            scope.notices.append(f"The run could not be closed in full: {kind_and_line(problem)}")
            return least_summary(scope, self._outcome, self._error)

    def _in_steps(self) -> RunSummary:
        scope = self._scope
        use = ResourceUse(0.0, 0.0, 0, None)
        with scope.attempt("measure what the run used"):
            use = scope.meter.stop()
        self._end(self._last_records(use))
        if scope.checkpoint is not None and self._outcome == "FINISHED":
            with scope.attempt("leave the older checkpoints to the store"):
                scope.checkpoint.forget()
        if scope.run is not None:
            with scope.attempt("wait for the store"):
                self._deliver(scope.run)
        scope.notices += whose_curves(scope.guests)
        return self._shown(use)

    def _last_records(self, use: ResourceUse) -> list[Record]:
        scope = self._scope
        found: list[Record] = []
        with scope.attempt("gather the last facts"):
            found = last_facts(scope, use, self._ended.ended, self._error)
        with scope.attempt("describe the run for MLflow's page"):
            found += page_calls(scope, found, self._outcome, self._error)
        scope.notices += [item.text for item in found if isinstance(item, Notice)]
        last: list[Record] = [item for item in found if not isinstance(item, Notice)]
        scope.recorded += last
        return last

    def _shown(self, use: ResourceUse) -> RunSummary:
        """Show the summary, and say what goes wrong with that in a line of its own."""
        scope = self._scope
        summary = least_summary(scope, self._outcome, self._error)
        with scope.attempt("sum up the run"):
            summary = summary_of(scope, self._outcome, use.wall_s, self._error)
        told = len(scope.notices)
        with scope.attempt("show the summary"):
            self._show(summary)
            if scope.is_open:
                resume.remember(scope, use)
        for notice in scope.notices[told:]:
            with contextlib.suppress(Exception):
                scope.session.host.say(f"cvtrack: {notice}")
        return summary

    def _show(self, summary: RunSummary) -> None:
        scope = self._scope
        curves = scope.curves()
        whole = scope.stretch.curves(curves) or curves
        for label, others in scope.under.items():
            scope.view.overlay(label, others)
        scope.view.close(summary, whole, brief=scope.session.child_cards.is_one_too_many(scope))
        if scope.session.host.interactive_display:
            scope.session.other_curves.remember(scope, whole)

    def _end_at_once(self) -> None:
        """End the run with what is known of it already."""
        scope = self._scope
        if scope.is_open and scope.kept.delivery.end is None:
            with scope.attempt("bring the last points to the plot"):
                scope.session.pump.close(scope.channel)
            self._end([])

    def _end(self, last: Sequence[Record]) -> None:
        """Keep the last facts and the end, and let go of what was taken for the run."""
        scope = self._scope
        with scope.attempt("choose algorithms as before the run"):
            scope.session.seeding.algorithms.end(scope.algorithms)
        if scope.run is not None:
            self._leave(scope.run)
            with scope.attempt("let MLflow's calls be"):
                scope.guests = scope.session.guests.close(scope.kept)
        scope.session.writing.goes_to(None)  # what other threads log from here on is not this run's
        if not scope.is_open:
            return
        try:
            scope.kept.end(scope.stretch.beside(last) if scope.run else last, self._ended)
        except Exception as error:  # the end itself needs no file
            scope.notices.append(f"The last facts were not kept: {kind_and_line(error)}")
            scope.kept.delivery.end = self._ended
        if scope.run is None:  # interrupted while it was opened: the store may know it
            scope.session.sender.open(scope.kept.delivery)

    def _leave(self, run: OpenRun) -> None:
        """Leave MLflow's active runs and settings as they were before the run."""
        scope = self._scope
        with scope.attempt("reset MLflow's active run"):
            strays = scope.guard.let_go(run)
            beside = [one.run_id for one in scope.session.scopes if one is not scope]
            left_open = fluent.leave_run(run, self._outcome, beside, strays)
            scope.notices += [notice.text for notice in left_open]
        with scope.attempt("reset MLflow's settings"):
            scope.guard.put_back(is_last=not placing.around(scope, scope.session.scopes))
        if not run.local:
            with scope.attempt("name the last active run"):
                fluent.remember_last(run.run_id)

    def _deliver(self, run: OpenRun) -> None:
        """Wait until the store has the run, and say what it does not have."""
        scope = self._scope
        session, delivery = scope.session, scope.kept.delivery
        timeout = float(session.config.close_timeout)
        if session.process.ending:
            # threads may not be allowed to start any more, so the status comes first
            with contextlib.suppress(Exception):
                if not run.local:
                    session.tracking.check()
                    session.tracking.end_run(run, self._ended.outcome, self._ended.ended)
            timeout = min(timeout, ENDING_TIMEOUT)
        with contextlib.suppress(KeyboardInterrupt):
            until = time.monotonic() + timeout
            session.sender.wait(delivery, timeout)
            session.guests.settle(until - time.monotonic())
        scope.notices += [said for said in delivery.notices if said not in scope.notices]
        if not delivery.done:
            scope.notices += [scope.kept.what_waits()] * (not run.local)
        elif scope.away:
            scope.notices[scope.notices.index(scope.away)] = (
                "The store did not answer when the run was opened; it has all of the run now."
            )


def _now() -> int:
    """Return the time in milliseconds, also where a cell has patched the clock and left it so."""
    try:
        return int(time.time() * 1000)
    except Exception:
        return time.time_ns() // 1_000_000
