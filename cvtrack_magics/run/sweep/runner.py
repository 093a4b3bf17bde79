"""Runs the trials of a sweep: asks for one, runs it as a nested run, tells what came of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from cvtrack_magics.delivery.naming import StoredNames
from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.records import Param, Record, Tag
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.opening import open_run
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.run.sweep.study import ORIGIN, RUN, Study
from cvtrack_magics.run.sweep.trial import recorded
from cvtrack_magics.run.sweep.view import SweepView
from cvtrack_magics.store.calls import PARENT

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session
    from cvtrack_magics.run.sweep.spec import SweepSpec

ALL_FAIL = 5  # trials that fail before any gave a value, after which the sweep ends
Objective = Callable[[Any], Any]


class Sweep:
    """One process's part in a sweep.

    Parameters
    ----------
    session : Session
        Whose runs they are.
    study : Study
        The trials.
    objective : callable
        Runs one trial; what it returns is its value where it is a number.
    parent : RunScope, optional
        The run of the sweep, where this process has it open.
    parent_id : str
        Its id, where another has.
    """

    def __init__(
        self,
        session: Session,
        study: Study,
        objective: Objective,
        parent: RunScope | None,
        parent_id: str = "",
    ) -> None:
        self._session = session
        self._study = study
        self._objective = objective
        self._parent = parent
        self._parent_id = parent_id
        self._spec: SweepSpec = study.spec
        self._began = time.monotonic()
        self._repeats = 0
        self._view = SweepView(session.host, self._spec, session.config.digits)

    def run(self, gone: Sequence[int] = ()) -> None:
        """Run trials until there are as many as wanted, or time is up.

        Parameters
        ----------
        gone : sequence of int
            Trials that were put back, since their processes are gone.

        Raises
        ------
        UsageProblem
            No trial gave a value; the last reason is said.
        """
        for number in gone:
            self._tell(f"Trial {number}, whose process is gone, is taken up again.")
        self._view.show(self._study)
        while not self._is_late():
            trial = self._study.ask()
            if trial is None:
                break
            try:
                self._one(trial)
            finally:
                self._study.let_go(trial)
            self._view.refresh(self._study)
            self._study.take_up()
            self._end_if_all_fail()
        self._finish()

    def _is_late(self) -> bool:
        if not self._spec.timeout or time.monotonic() - self._began < self._spec.timeout:
            return False
        self._tell(f"--timeout: {self._spec.timeout:g} s are over; run the cell again to go on.")
        return True

    # -- one trial

    def _one(self, trial: Any) -> None:
        began = time.monotonic()
        scope = self._open(trial)
        pruned = self._study.optuna.TrialPruned
        recorded(trial, lambda name, value: self._param(scope, name, value))
        try:
            value = self._value(trial, self._objective(trial), scope)
        except pruned as error:
            scope.add([Tag("cvtrack.pruned", "true")])
            self._session.close(scope, "KILLED")
            self._study.end(trial, "PRUNED", str(error), time.monotonic() - began)
        except Exception as error:
            self._session.close(scope, "FAILED", error)
            why = str(error) if isinstance(error, UsageProblem) else kind_and_line(error)
            why = self._session.masking().text(why)
            self._study.end(trial, "FAIL", why, time.monotonic() - began)
            self._session.host.say(f"cvtrack: trial {trial.number} failed: {why}")
            if isinstance(error, NeverLogged) and not self._study.done():
                raise
        except BaseException as error:  # an interrupt, or the end of the process
            self._session.close(scope, "KILLED", error)
            self._study.put_back(trial.number, counts=False)
            self._tell(f"Trial {trial.number} was interrupted and is put back.")
            raise
        else:
            metrics = self._study_metrics(scope)
            self._session.close(scope, "FINISHED")
            self._note_repeat(trial)
            self._study.tell(trial, value, metrics, time.monotonic() - began)
            self._draw(trial.number, value)

    def _open(self, trial: Any) -> RunScope:
        origin = trial.user_attrs.get(ORIGIN)
        number = trial.number if origin is None else origin
        records: list[Record] = [
            Tag("cvtrack.sweep", self._study.name),
            Tag("cvtrack.trial", str(trial.number)),
        ]
        if self._parent is None and self._parent_id:
            records.append(Tag(PARENT, self._parent_id))
        seed = None if self._spec.seed is None else (self._spec.seed + number) % 2**32
        spec = RunSpec(
            name=f"{self._spec.name}-{number}",
            nested=self._parent is not None,
            resume=origin is not None and self._parent is not None,
            seed=seed,
            code=False,
            plot=False,
            quiet=True,
            auto=False,
            records=tuple(records),
        )
        try:
            scope = open_run(spec)
        except BaseException:
            self._study.put_back(trial.number, counts=False)
            raise
        trial.set_user_attr(RUN, scope.run_id)
        return scope

    @staticmethod
    def _param(scope: RunScope, name: str, value: Any) -> None:
        for notice in scope.add([Param(name, str(value))]):
            scope.notices.append(notice)

    def _value(self, trial: Any, returned: Any, scope: RunScope) -> float:
        """Return a trial's value: what its body returned, or logged last of the metric."""
        metrics = self._study_metrics(scope)
        number = isinstance(returned, (int, float)) and not isinstance(returned, bool)
        metric = StoredNames(lambda _: None).of(self._spec.metric)
        if number:
            value = float(returned)
        elif metric in metrics:
            value = metrics[metric]
        else:
            logged = sorted(metrics)
            hint = did_you_mean(self._spec.metric, logged) or (
                f" It logged {', '.join(logged[:6])}." if logged else " It logged nothing."
            )
            raise NeverLogged(
                f"Trial {trial.number} never logged {self._spec.metric!r}.{hint}",
                f"log({{{self._spec.metric!r}: value}}) in the cell, or name another --metric.",
            )
        if math.isnan(value):
            raise UsageProblem(f"{self._spec.metric} of trial {trial.number} is NaN.")
        return value

    @staticmethod
    def _study_metrics(scope: RunScope) -> dict[str, float]:
        scope.channel.drain()
        return {name: series.last for name, series in scope.curves().items() if series}

    def _note_repeat(self, trial: Any) -> None:
        params = trial.params
        self._repeats += any(one.params == params for one in self._study.done())

    # -- the sweep

    def _draw(self, number: int, value: float) -> None:
        """Let the plot of the sweep's own run show each trial, and the best so far."""
        if self._parent is None:
            return
        values = {self._spec.metric: value}
        best = self._study.best()
        if best is not None:
            values["best_so_far"] = best.value
        self._parent.channel.record(values, number, 1)

    def _end_if_all_fail(self) -> None:
        failed = self._study.failed()
        if len(failed) >= min(ALL_FAIL, self._spec.trials) and not self._study.done():
            raise UsageProblem(
                f"All {len(failed)} trials of sweep {self._spec.name!r} failed; the last: "
                f"{failed[-1].user_attrs.get('why', 'its process ended')}",
                "Their runs have the tracebacks. --fresh begins anew.",
            )

    def _finish(self) -> None:
        study = self._study
        self._view.show(study, last=True)
        running = [one.number for one in study.all() if one.state.name == "RUNNING"]
        if running:
            self._tell(f"{len(running)} trials are still run by other processes.")
        if self._repeats:
            self._tell(
                f"{self._repeats} trials had the parameters of an earlier one: the space is small, "
                "or all of it was tried."
            )
        best = study.best()
        if self._parent is not None and best is not None:
            found = [Tag("cvtrack.best_trial", str(best.number))]
            found.append(Tag("cvtrack.best_run", best.user_attrs.get(RUN, "")))
            self._parent.add(found)
        if best is None and study.done():
            self._tell("No trial keeps all rules of --require: there is no best one.")

    def _tell(self, line: str) -> None:
        if self._parent is not None:
            self._parent.notices.append(line)
        else:
            self._session.host.say(f"cvtrack: {line}")


class NeverLogged(UsageProblem):
    """The metric of a sweep is not among those that its body logs."""
