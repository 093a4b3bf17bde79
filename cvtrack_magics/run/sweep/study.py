"""The study of a sweep: its trials in Optuna's journal beside the store, and its own run."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import StoreUnavailable, UsageProblem, did_you_mean
from cvtrack_magics.journal import liveness
from cvtrack_magics.run.sweep.journal import WAIT, Journal, alone
from cvtrack_magics.run.sweep.ranking import front
from cvtrack_magics.run.sweep.repeats import Repeats
from cvtrack_magics.run.sweep.search import BOUNDS, folder_of, optuna, pruner_of, sampler_of
from cvtrack_magics.run.sweep.spec import SweepSpec, rules_of
from cvtrack_magics.run.sweep.trials import OWNER, RUN, Asked, Place, Trials, label_of

if TYPE_CHECKING:
    from cvtrack_magics.run.session import Session

PARENT, OPENED, LEADER, LEADER_BOOT = "parent", "opened", "leader", "leader_boot"
"""Attributes of a study: its run, whether that is open, and the process that opened it."""


class Study:
    """The trials of one sweep, which several processes may run.

    Parameters
    ----------
    session : Session
        Says where the store is.
    spec : SweepSpec
        What was asked for.

    Raises
    ------
    UsageProblem
        The sweep has trials of another body, metric or direction, and nothing says what to do.
    """

    def __init__(self, session: Session, spec: SweepSpec) -> None:
        self._prepare(session, spec)
        with self._alone():
            self._use(*self._open())
        self.trials.nothing_under_way()

    def _prepare(self, session: Session, spec: SweepSpec) -> None:
        self.spec = spec
        self.optuna = optuna()
        folder = folder_of(session)
        file = folder / "studies.log"
        journals = self.optuna.storages.journal
        journal = Journal(file, lambda: journals.JournalFileBackend(str(file)))
        storage = self.optuna.storages.JournalStorage(journal)
        self._place = Place(folder, liveness.hold(folder / "journal"), storage)
        self._tracking = session.tracking
        # before the first run of a session the store may have to be asked
        experiment = session.tracking.experiment_now()[1] or session.tracking.current_experiment()
        self._prefix = f"{experiment}/{spec.name}#"

    def _use(self, name: str, study: Any) -> None:
        self.name, self.study = name, study
        self.trials = Trials(study, self._place, self.spec.retries)
        self.repeats = Repeats(self.name, self._place, self.spec)

    @classmethod
    def of(cls, session: Session, name: str) -> Study:
        """Return the newest study of a name, as it was begun.

        Raises
        ------
        UsageProblem
            There is none.
        """
        blank = cls.__new__(cls)
        blank._prepare(session, SweepSpec(name, "", "minimize"))
        number = blank._last()
        if not number:
            known = sorted(set(blank._names()))
            hint = did_you_mean(name, known) or f" There is {', '.join(known) or 'none yet'}."
            raise UsageProblem(f"There is no sweep {name!r} in this experiment.{hint}")
        study = blank._load(number)
        attributes = study.user_attrs
        first, *more = zip(metrics_of(study), directions_of(study), strict=True)
        blank.spec = SweepSpec(
            name,
            *first,
            trials=int(attributes.get("trials", len(study.trials))),
            rules=rules_of(list(attributes.get("rules", ()))),
            seeds=int(attributes.get("seeds", 1)),
            test_metric=str(attributes.get("test_metric", "")),
            more=tuple(more),
        )
        blank._use(f"{blank._prefix}{number}", study)
        return blank

    # -- opening

    def _names(self) -> list[str]:
        """Return the sweeps of the experiment."""
        place = self._prefix[: -len(self.spec.name) - 1]
        names = self.optuna.study.get_all_study_names(self._place.storage)
        return [
            one.removeprefix(place).rpartition("#")[0] for one in names if one.startswith(place)
        ]

    def _open(self) -> tuple[str, Any]:
        number = self._last()
        if number and self.spec.mode != "fresh":
            study = self._load(number)
            self._check(study)
        else:
            number += 1
            study = self._create(number)
        for key in ("trials", "seeds", "test_metric"):
            study.set_user_attr(key, getattr(self.spec, key))
        study.sampler, study.pruner = sampler_of(self.spec, study.trials), pruner_of(self.spec)
        return f"{self._prefix}{number}", study

    def _last(self) -> int:
        names = self.optuna.study.get_all_study_names(self._place.storage)
        numbers = [
            name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)
        ]
        return max((int(number) for number in numbers if number.isdigit()), default=0)

    def _load(self, number: int) -> Any:
        return self.optuna.load_study(
            study_name=f"{self._prefix}{number}", storage=self._place.storage
        )

    def _create(self, number: int) -> Any:
        study = self.optuna.create_study(
            study_name=f"{self._prefix}{number}",
            storage=self._place.storage,
            directions=list(self.spec.directions),
        )
        study.set_user_attr("body", self.spec.digest)
        study.set_user_attr(
            "metric", list(self.spec.metrics) if self.spec.more else self.spec.metric
        )
        study.set_user_attr("rules", self.spec.bounds)
        return study

    def _check(self, study: Any) -> None:
        spec, attributes = self.spec, study.user_attrs
        had = f"{len(study.trials)} trial{'s' * (len(study.trials) != 1)}"
        changed = []
        if metrics_of(study) != spec.metrics:
            changed.append(f"the metric (it was {', '.join(metrics_of(study))})")
        if directions_of(study) != spec.directions:
            changed.append(f"the direction (it was {', '.join(directions_of(study))})")
        if list(attributes.get("rules", ())) != spec.bounds:
            changed.append("the rules of --require")
        if changed:
            raise UsageProblem(
                f"Sweep {spec.name!r} has {had}, and {' and '.join(changed)} changed since.",
                "--fresh begins anew, and keeps the old trials.",
            )
        if attributes.get("body") != spec.digest:
            if spec.mode != "continue":
                raise UsageProblem(
                    f"The cell of sweep {spec.name!r} changed since its {had}.",
                    "--continue goes on with them, --fresh begins anew and keeps them.",
                )
            study.set_user_attr("body", spec.digest)

    # -- the sweep's own run

    def lead(self) -> bool:
        """Take it over to open the sweep's run; False where another living process has it."""
        with self._alone():
            if self._has_leader() and not self.is_left:
                # seeded alike, two processes would try the same
                self.study.sampler = sampler_of(replace(self.spec, seed=None), [])
                return False
            self.study.set_user_attr(OPENED, False)
            self.study.set_user_attr(LEADER, self._place.owner)
            self.study.set_user_attr(LEADER_BOOT, liveness.boot_id())
        return True

    def _has_leader(self) -> bool:
        return self.study.user_attrs.get(LEADER, "") not in ("", self._place.owner)

    @property
    def is_left(self) -> bool:
        """Whether the process that had the sweep's run open died, so that it is KILLED."""
        said = self.study.user_attrs
        leader, boot = said.get(LEADER, ""), said.get(LEADER_BOOT, "")
        return self._has_leader() and not liveness.is_alive(self._place.root, leader, boot)

    def opened(self, run_id: str) -> None:
        """Say which run it is."""
        self.study.set_user_attr(PARENT, run_id)
        self.study.set_user_attr(OPENED, True)

    def leave(self) -> None:
        """Let another process open the sweep's run again."""
        self.study.set_user_attr(LEADER, "")

    @property
    def parent_id(self) -> str:
        """The id of the sweep's run; empty before the first was opened."""
        return str(self.study.user_attrs.get(PARENT, ""))

    def wait_for_parent(self, timeout: float) -> str:
        """Return its id, as soon as the process that opens it has done so."""
        until = time.monotonic() + timeout
        while not self.study.user_attrs.get(OPENED) and time.monotonic() < until:
            time.sleep(WAIT)
        return self.parent_id

    # -- trials

    def ask(self) -> Asked | None:
        """Return what is to be run next, held by this process; None when nothing is, now.

        First the trials of the search; when all have ended, repeats of the promising ones; at
        last the winner.
        """
        with self._alone():
            if self.taken < self.spec.trials:
                return self.trials.ask()
            if self.spec.goes_on and not self.trials.of("RUNNING"):
                return self.repeats.ask(self.good())
        return None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to run, nor run by others whose values are waited for."""
        with self._alone():
            if self.taken < self.spec.trials:
                return False
            if not self.spec.goes_on:
                return True
            return not self.trials.of("RUNNING") and self.repeats.is_done(self.good())

    def take_up(self) -> list[str]:
        """Put back the trials whose process is gone; return what is said of each."""
        with self._alone():
            return [*self.trials.take_up(), *self.repeats.take_up()]

    # -- what is read

    @property
    def taken(self) -> int:
        """How many trials are done or under way; those that are asked for again are not."""
        return len(self.all())

    def all(self) -> list[Any]:
        """Return all trials that were begun, but for those that are asked for again."""
        return self.trials.begun()

    def done(self) -> list[Any]:
        """Return the trials that gave a value."""
        return self.trials.of("COMPLETE")

    def good(self) -> list[Any]:
        """Return those that gave a value and keep all rules, by the first metric, the best first.

        A trial that breaks a rule with another seed breaks it.
        """
        sign, broken = self.spec.signs[0], self.repeats.broken
        kept = [one for one in self.done() if keeps(one) and one.number not in broken]
        return sorted(kept, key=lambda one: (sign * one.values[0], one.number))

    def best(self) -> Any:
        """Return the best trial that keeps all rules; None where there is none.

        Where trials were repeated it is the one with the best bound.
        """
        return self.repeats.first_of(self.good())

    def front(self) -> list[Any]:
        """Return the trials that keep all rules and that no other beats in all metrics."""
        return self.front_of(self.good())

    def front_of(self, good: list[Any]) -> list[Any]:
        """Return those of some trials that no other beats in all metrics."""
        return [good[at] for at in front([one.values for one in good], self.spec.signs)]

    @property
    def processes(self) -> int:
        """How many processes run trials now, this one counted."""
        running = [*self.trials.of("RUNNING"), *self.repeats.running()]
        return len({one.user_attrs.get(OWNER) for one in running} | {self._place.owner})

    def run_of(self, trial: Any) -> str:
        """Return the id of a trial's run; of one that was on disk first, as the store has it now.

        Parameters
        ----------
        trial : optuna.trial.FrozenTrial
            A trial of the search, or a repeat.
        """
        known = str(trial.user_attrs.get(RUN, ""))
        if known:
            return known
        name = f"{self.spec.name}-{label_of(trial.user_attrs, trial.number)}"
        with suppress(StoreUnavailable):
            return self._tracking.find_run(name, self.parent_id)
        return ""

    # -- one process at a time

    def _alone(self) -> AbstractContextManager[None]:
        """Let no other process look at the trials meanwhile."""
        return alone(self._place.folder / "lock")


def metrics_of(study: Any) -> tuple[str, ...]:
    """Return what is to be best of a study."""
    said = study.user_attrs.get("metric", "")
    return (said,) if isinstance(said, str) else tuple(said)


def directions_of(study: Any) -> tuple[str, ...]:
    """Return the direction of each metric of a study."""
    return tuple(one.name.lower() for one in study.directions)


def keeps(trial: Any) -> bool:
    """Say whether a trial keeps all rules."""
    return all(far <= 0 for far in trial.user_attrs.get(BOUNDS, ()))
