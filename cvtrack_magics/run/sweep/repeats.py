"""Promising trials with further seeds, and the winner on data that was not used to choose.

They are trials of an Optuna study of their own beside the search's, so that its sampler, which
learns from trials, and ``--trials``, which counts them, know nothing of them.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

from cvtrack_magics.run.sweep.ranking import Estimate, estimate, promising
from cvtrack_magics.run.sweep.search import BOUNDS, optuna
from cvtrack_magics.run.sweep.spec import SweepSpec
from cvtrack_magics.run.sweep.trials import (
    AGAIN,
    AT,
    FINAL,
    MEASURED,
    OF,
    REPEATS,
    Asked,
    Place,
    Trials,
)


class Repeats:
    """The repeats of a sweep's trials.

    Parameters
    ----------
    name : str
        The study of the search.
    place : Place
        Where the studies are.
    spec : SweepSpec
        What was asked for.
    """

    def __init__(self, name: str, place: Place, spec: SweepSpec) -> None:
        self._name = f"{name}{REPEATS}"
        self._place = place
        self._spec = spec
        self._since = time.time()
        self._trials: Trials | None = None

    def _made(self) -> Trials:
        found = self._found()
        if found is None:
            study = optuna().create_study(study_name=self._name, storage=self._place.storage)
            found = self._of(study)
        return found

    def _found(self) -> Trials | None:
        """Return the repeats; None where there were none so far."""
        if self._trials is None:
            names = optuna().study.get_all_study_names(self._place.storage)
            if self._name in names:
                self._of(optuna().load_study(study_name=self._name, storage=self._place.storage))
        return self._trials

    def _of(self, study: Any) -> Trials:
        study.sampler = optuna().samplers.RandomSampler(self._spec.seed)
        study.pruner = optuna().pruners.NopPruner()
        self._trials = Trials(study, self._place, self._spec.retries)
        self._trials.nothing_under_way()
        return self._trials

    def _in(self, *states: str) -> list[Any]:
        found = self._found()
        return found.of(*states) if found else []

    # -- what is to be run

    def ask(self, good: list[Any]) -> Asked | None:
        """Return the next repeat of what is good so far, the best first; None when there is none.

        Parameters
        ----------
        good : list of optuna.trial.FrozenTrial
            The trials that keep all rules, the best first.
        """
        made = self._made()
        if not made.of("WAITING"):
            for params, attributes in self._missing(good):
                made.study.enqueue_trial(params, user_attrs=attributes)
        return made.ask() if made.of("WAITING") else None

    def is_done(self, good: list[Any]) -> bool:
        """Say whether all were run that are wanted."""
        return not self._in("WAITING", "RUNNING") and not self._missing(good)

    def _missing(self, good: list[Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return what is still to be asked for: its parameters, and what says whose it is."""
        there = {(one.user_attrs[OF], one.user_attrs.get(AT)) for one in self._counted()}
        missing = [
            (one.params, {OF: one.number, AT: at})
            for at in range(1, self._spec.seeds)
            for one in promising(good, lambda one: repr(sorted(one.params.items())))
            if (one.number, at) not in there
        ]
        best = self.first_of(good)
        if missing or best is None or not self._spec.test_metric or self._in("RUNNING"):
            return missing
        if any(one.user_attrs[OF] == best.number for one in self._finals()):
            return []
        about = {OF: best.number, FINAL: True, MEASURED: self._spec.test_metric}
        return [(best.params, about)]

    def _counted(self) -> list[Any]:
        states = ("COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING")
        return [one for one in self._in(*states) if not one.user_attrs.get(AGAIN)]

    def _finals(self) -> list[Any]:
        """Return the last looks by this metric; one that failed is tried again by a later call."""
        return [
            one
            for one in self._counted()
            if one.user_attrs.get(MEASURED) == self._spec.test_metric
            and (one.state.name in ("COMPLETE", "RUNNING", "WAITING") or self._is_new(one))
        ]

    def _is_new(self, one: Any) -> bool:
        ended: datetime | None = one.datetime_complete
        return ended is not None and ended.timestamp() >= self._since

    def take_up(self) -> list[str]:
        """Put back those whose process is gone; return what is said of each."""
        found = self._found()
        return found.take_up() if found else []

    # -- what came of them

    def running(self) -> list[Any]:
        """Return those that are under way."""
        return self._in("RUNNING")

    @property
    def broken(self) -> set[int]:
        """The trials that broke a rule with another seed."""
        return {
            one.user_attrs[OF]
            for one in self._in("COMPLETE")
            if any(far > 0 for far in one.user_attrs.get(BOUNDS, ()))
        }

    def first_of(self, good: list[Any]) -> Any:
        """Return the best of some trials, the best first by their own values, or None."""
        repeated = self.ranked(good)
        return repeated[0] if repeated else good[0] if good else None

    def ranked(self, good: list[Any]) -> list[Any]:
        """Return those that were repeated, by the worse end of the interval of their means."""
        sign = self._spec.signs[0]
        known = {number: one for number, one in self.estimates(good).items() if one.n > 1}

        def rank(one: Any) -> tuple[float, float, int]:
            found = known[one.number]
            return sign * found.bound, sign * found.mean, one.number

        return sorted((one for one in good if one.number in known), key=rank)

    def estimates(self, trials: list[Any]) -> dict[int, Estimate]:
        """Return what those of some trials that were repeated are worth, by their numbers."""
        further: dict[int, list[float]] = {}
        for one in self._in("COMPLETE"):
            if AT in one.user_attrs:
                further.setdefault(one.user_attrs[OF], []).append(one.value)
        sign = self._spec.signs[0]
        return {
            one.number: estimate([one.value, *further[one.number]], sign)
            for one in trials
            if one.number in further
        }

    def last_look(self, number: int) -> Any:
        """Return the newest run of a trial on data that was not used to choose, or None."""
        found = [one for one in self._looks() if one.user_attrs[OF] == number]
        return found[-1] if found else None

    def looks(self) -> int:
        """Return how often that data was looked at."""
        return len(self._looks())

    def _looks(self) -> list[Any]:
        return [one for one in self._in("COMPLETE") if one.user_attrs.get(FINAL)]

    def left(self) -> tuple[int, int]:
        """Return how many repeats there are, and how many of them are done."""
        counted = [one for one in self._counted() if AT in one.user_attrs]
        return len(counted), sum(one.state.is_finished() for one in counted)
