"""Runs the trials of a sweep: asks for one, runs it as a nested run, tells what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cvtrack_magics import forks
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.records import Tag
from cvtrack_magics.run.sweep.study import Study
from cvtrack_magics.run.sweep.trial_run import Came, NeverLogged, Objective, TrialRun
from cvtrack_magics.run.sweep.trials import MEASURED, WHY, Asked
from cvtrack_magics.run.sweep.view import SweepView
from cvtrack_magics.run.sweep.workers.messages import Engine, WorkerGone
from cvtrack_magics.run.sweep.workers.pool import Pool

if TYPE_CHECKING:
    from cvtrack_magics.run.scope import RunScope
    from cvtrack_magics.run.session import Session
    from cvtrack_magics.run.sweep.spec import SweepSpec

LAST = "cvtrack.final_run"
ALL_FAIL = 5  # trials that fail before any gave a value, after which the sweep ends
POLL = 0.2  # seconds between two looks at what other processes still run


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
    elsewhere : tuple of Engine and object, optional
        Where bodies run that do not run here, and the body as it is sent there.
    """

    def __init__(
        self,
        session: Session,
        study: Study,
        objective: Objective,
        parent: RunScope | None,
        parent_id: str = "",
        *,
        elsewhere: tuple[Engine, Any] | None = None,
    ) -> None:
        self._session = session
        self._study = study
        self._objective = objective
        self._parent = parent
        self._parent_id = parent_id
        self._elsewhere = elsewhere
        self._spec: SweepSpec = study.spec
        self._began = time.monotonic()
        self._repeats = 0
        self._told_late = False
        self._noting = forks.rlock()
        self._view = SweepView(session.host, self._spec, session.config.digits)

    def run(self, gone: Sequence[str] = ()) -> None:
        """Run trials until there are as many as wanted, or time is up.

        Parameters
        ----------
        gone : sequence of str
            What is said of trials that were put back, since their processes are gone.

        Raises
        ------
        UsageProblem
            No trial gave a value; the last reason is said.
        """
        for line in gone:
            self._tell(line)
        self._view.show(self._study)
        if self._elsewhere is None:
            while self._step(self._objective):
                self._view.refresh(self._study)
        else:
            engine, packed = self._elsewhere
            count = min(engine.size, self._spec.trials)
            pool = Pool(engine, packed, count, self._step, lambda: self._study.is_done)
            pool.run(lambda: self._view.refresh(self._study))
        self._finish()

    def _step(self, objective: Objective) -> bool:
        """Run what is asked for next; return False where nothing is left, or time is up."""
        if self._is_late():
            return False
        asked = self._study.ask()
        if asked is not None:
            self._one(asked, objective)
        elif self._spec.goes_on and not self._study.is_done:
            time.sleep(POLL)
        else:
            return False
        for line in self._study.take_up():
            self._tell(line)
        self._end_if_all_fail()
        return True

    def _is_late(self) -> bool:
        if not self._spec.timeout or time.monotonic() - self._began < self._spec.timeout:
            return False
        if not self._told_late:
            self._told_late = True
            over = f"--timeout: {self._spec.timeout:g} s are over"
            self._tell(f"{over}; run the cell again to go on.")
        return True

    # -- one trial

    def _one(self, asked: Asked, objective: Objective) -> None:
        run = TrialRun(self._session, self._spec, asked, self._parent, self._parent_id)
        try:
            came = run.play(objective, self._study.optuna.TrialPruned)
        except WorkerGone as error:
            run.give_up(error)
            self._tell(asked.was_lost(str(error)))
            return
        except BaseException as error:  # an interrupt, the journal, or the end of the process
            try:
                run.give_up(error)
            finally:
                with suppress(Exception):
                    if asked.put_back():
                        self._tell(f"{asked.words} was interrupted and is put back.")
            raise
        finally:
            asked.let_go()
        with self._noting:
            self._note(asked, came)

    def _note(self, asked: Asked, came: Came) -> None:
        if came.error is not None:
            words = f"{asked.words[:1].lower()}{asked.words[1:]}"
            self._session.host.say(f"cvtrack: {words} failed: {came.why}")
            if isinstance(came.error, NeverLogged) and not self._study.done():
                raise came.error
        elif came.values and not asked.is_repeat:
            same = [one for one in self._study.done() if one.params == asked.trial.params]
            self._repeats += len(same) > 1
            self._draw(asked.number, came.values)

    # -- the sweep

    def _draw(self, number: int, values: list[float]) -> None:
        """Let the plot of the sweep's own run show each trial, and the best so far."""
        if self._parent is None:
            return
        shown = dict(zip(self._spec.metrics, values, strict=True))
        good = self._study.good()
        if good and not self._spec.more:
            shown["best_so_far"] = good[0].value
        self._parent.channel.record(shown, number, 1)

    def _draw_last(self, best: int) -> None:
        """Give the sweep's own run, once, what the winner was on data that did not choose it."""
        look, parent = self._study.repeats.last_look(best), self._parent
        if look is None or parent is None:
            return
        run_id = self._study.run_of(look)
        if {**parent.stretch.earlier.tags, **parent.tags}.get(LAST) != run_id:
            parent.channel.record({look.user_attrs[MEASURED]: look.value}, best, 1)
            parent.add([Tag(LAST, run_id)])

    def _end_if_all_fail(self) -> None:
        failed = self._study.trials.failed()
        if len(failed) >= min(ALL_FAIL, self._spec.trials) and not self._study.done():
            raise UsageProblem(
                f"All {len(failed)} trials of sweep {self._spec.name!r} failed; the last: "
                f"{failed[-1].user_attrs.get(WHY, 'its process ended')}",
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
        if self._parent is not None and best is not None and not self._spec.more:
            found = [Tag("cvtrack.best_trial", str(best.number))]
            found.append(Tag("cvtrack.best_run", self._study.run_of(best)))
            self._parent.add(found)
            self._draw_last(best.number)
        if self._parent is not None and self._spec.more:
            numbers = ",".join(str(one.number) for one in study.front())
            self._parent.add([Tag("cvtrack.front_trials", numbers[:4000])])
        if best is None and study.done():
            self._tell("No trial keeps all rules of --require: there is no best one.")

    def _tell(self, line: str) -> None:
        if self._parent is not None:
            self._parent.notices.append(line)
        else:
            self._session.host.say(f"cvtrack: {line}")
