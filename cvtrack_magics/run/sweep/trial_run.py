"""One trial as a run: opened, its body run, its values read, closed with its true outcome."""

from __future__ import annotations

import math
import numbers
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cvtrack_magics.delivery.naming import StoredNames
from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.records import Outcome, Param, Record, Tag
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run.opening import open_run
from cvtrack_magics.run.outcome import PRUNED
from cvtrack_magics.run.spec import RunSpec
from cvtrack_magics.run.sweep.journal import JournalProblem
from cvtrack_magics.run.sweep.search import BOUNDS
from cvtrack_magics.run.sweep.spec import SweepSpec, distances
from cvtrack_magics.run.sweep.trial import recorded
from cvtrack_magics.run.sweep.trials import CHOSEN, RUN, SECONDS, WHY, Asked
from cvtrack_magics.run.sweep.workers.messages import WorkerGone
from cvtrack_magics.run.sweep.workers.served import Served
from cvtrack_magics.store.calls import PARENT

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session

Objective = Callable[[Any], Any] | Served
LEAP, LAST = 100_003, 999
"""How far the seeds of two repeats of a trial are apart, and how many leaps off the last one is."""


class NeverLogged(UsageProblem):
    """The metric of a sweep is not among those that its body logs."""


@dataclass(frozen=True)
class Came:
    """What came of a trial: its status as a run, its values, or why it has none."""

    status: Outcome
    values: list[float] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)
    why: str = ""
    error: Exception | None = None


class TrialRun:
    """The run of one trial.

    Parameters
    ----------
    session : Session
        Whose run it is.
    spec : SweepSpec
        What was asked for.
    asked : Asked
        The trial.
    parent : RunScope, optional
        The run of the sweep, where this process has it open.
    parent_id : str
        Its id, where another has.
    """

    def __init__(
        self,
        session: Session,
        spec: SweepSpec,
        asked: Asked,
        parent: RunScope | None,
        parent_id: str,
    ) -> None:
        self._session = session
        self._spec = spec
        self._asked = asked
        self._nested = parent is not None
        self._parent_id = "" if parent is not None else parent_id
        self._scope: RunScope | None = None
        self._began = time.monotonic()

    def play(self, objective: Objective, pruned: type[Exception]) -> Came:
        """Run the body, close the run, and tell Optuna what came of it."""
        scope = self._scope = self._open(elsewhere=isinstance(objective, Served))
        self._asked.note(RUN, scope.run_id)
        came = self._came(scope, objective, pruned)
        if came.status == "KILLED":
            scope.add([Tag(PRUNED, "true")])
        told = getattr(came.error, "told_by_worker", False)
        self._session.close(scope, came.status, None if told else came.error)
        self._tell(came, scope.run_id)
        return came

    def give_up(self, error: BaseException) -> None:
        """Close the run where it is still open: it was interrupted, or cannot be told of."""
        if self._scope is not None and self._scope in self._session.scopes:
            gone = isinstance(error, WorkerGone)
            status: Outcome = "FAILED" if isinstance(error, Exception) and not gone else "KILLED"
            self._session.close(self._scope, status, None if gone else error)

    # -- the run

    def _open(self, *, elsewhere: bool) -> RunScope:
        asked, spec = self._asked, self._spec
        records: list[Record] = [
            Tag("cvtrack.sweep", asked.study_name),
            Tag("cvtrack.trial", str(asked.number)),
        ]
        if asked.at:
            records.append(Tag("cvtrack.repeat", str(asked.at + 1)))
        if asked.final:
            records.append(Tag("cvtrack.final", "true"))
        if self._parent_id:
            records.append(Tag(PARENT, self._parent_id))
        return open_run(
            RunSpec(
                name=f"{spec.name}-{asked.label}",
                nested=self._nested,
                resume=asked.origin is not None and bool(self._nested or self._parent_id),
                seed=None if elsewhere else seed_of(spec, asked),
                code=False,
                figures=not elsewhere,
                output=not elsewhere,
                elsewhere=elsewhere,
                plot=False,
                quiet=True,
                auto=False,
                records=tuple(records),
            )
        )

    def _came(self, scope: RunScope, objective: Objective, pruned: type[Exception]) -> Came:
        trial = recorded(self._asked.trial, lambda name, value: _param(scope, name, value))
        try:
            returned = self._returned(scope, objective, trial, pruned)
            metrics = _metrics_of(scope)
            return Came("FINISHED", self._values(returned, metrics), metrics)
        except pruned as error:
            return Came("KILLED", why=str(error))
        except (JournalProblem, WorkerGone):  # no fault of the trial
            raise
        except Exception as error:
            why = str(error) if isinstance(error, UsageProblem) else kind_and_line(error)
            return Came("FAILED", why=self._session.masking().text(why), error=error)

    def _returned(
        self, scope: RunScope, objective: Objective, trial: Any, pruned: type[Exception]
    ) -> Any:
        asked = self._asked
        if isinstance(objective, Served):
            return objective.run(trial, asked, scope, seed_of(self._spec, asked), pruned)
        pid = os.getpid()
        try:
            return objective(trial)
        finally:
            if os.getpid() != pid:
                self._end_child()

    def _end_child(self) -> None:
        """End a process that the body forked: it would run the sweep a second time."""
        line = f"cvtrack: {self._asked.words} forked a process that came back from its body: "
        os.write(2, f"{line}it is ended. End it in the body, by os._exit(0).\n".encode())
        os._exit(0)

    def _tell(self, came: Came, run_id: str) -> None:
        asked, spec = self._asked, self._spec
        about: dict[str, Any] = {SECONDS: time.monotonic() - self._began}
        if run_id != asked.trial.user_attrs.get(RUN):  # the store has it only now
            about[RUN] = run_id
        if came.why:
            about[WHY] = came.why[:500]
        if spec.rules:
            kept = came.status == "FINISHED"
            about[BOUNDS] = distances(spec.rules, came.metrics) if kept else [1.0] * len(spec.rules)
        chosen = came.metrics.get(_stored(spec.metric))
        if asked.final and chosen is not None and math.isfinite(chosen):
            about[CHOSEN] = chosen
        if came.status == "FINISHED":
            asked.tell(came.values, about)
        else:
            asked.end("PRUNED" if came.status == "KILLED" else "FAIL", about)

    # -- its values

    def _values(self, returned: Any, metrics: dict[str, float]) -> list[float]:
        """Return a trial's values: what its body returned, or logged last of the metrics."""
        wanted = (self._spec.test_metric,) if self._asked.final else self._spec.metrics
        values = None if self._asked.final else numbers_of(returned)
        if values is not None and len(values) != len(wanted):
            raise UsageProblem(
                f"{self._asked.words} returned {len(values)} numbers for {len(wanted)} metrics.",
                f"Return {', '.join(wanted)}, in this order.",
            )
        values = values or [self._logged(metric, metrics) for metric in wanted]
        for metric, value in zip(wanted, values, strict=True):
            if math.isnan(value):
                words = self._asked.words
                raise UsageProblem(f"{metric} of {words[:1].lower()}{words[1:]} is NaN.")
        return values

    def _logged(self, metric: str, metrics: dict[str, float]) -> float:
        found = metrics.get(_stored(metric))
        if found is not None:
            return found
        logged = sorted(metrics)
        hint = did_you_mean(metric, logged) or (
            f" It logged {', '.join(logged[:6])}." if logged else " It logged nothing."
        )
        option = "--test-metric" if self._asked.final else "--metric"
        where = " where trial.final is true" if self._asked.final else " in the cell"
        raise NeverLogged(
            f"{self._asked.words} never logged {metric!r}.{hint}",
            f"log({{{metric!r}: value}}){where}, or name another {option}.",
        )


def seed_of(spec: SweepSpec, asked: Asked) -> int | None:
    """Return the seed of a trial's run: its number's, and far from it for each repeat."""
    number = asked.number if asked.origin is None or asked.is_repeat else asked.origin
    if not asked.is_repeat:
        return None if spec.seed is None else (spec.seed + number) % 2**32
    return ((spec.seed or 0) + number + LEAP * (LAST if asked.final else asked.at)) % 2**32


def numbers_of(returned: Any) -> list[float] | None:
    """Return what a body returned as numbers; None where it did not return any."""
    some: Sequence[Any] = returned if isinstance(returned, (tuple, list)) else (returned,)
    real = [isinstance(one, numbers.Real) and not isinstance(one, bool) for one in some]
    return [float(one) for one in some] if some and all(real) else None


def _stored(metric: str) -> str:
    return StoredNames(lambda _: None).of(metric)


def _param(scope: RunScope, name: str, value: Any) -> None:
    for notice in scope.add([Param(name, str(value))]):
        scope.notices.append(notice)


def _metrics_of(scope: RunScope) -> dict[str, float]:
    scope.channel.drain()
    return {name: series.last for name, series in scope.curves().items() if series}
