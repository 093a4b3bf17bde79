"""The trials of one Optuna study, and which process holds which.

Optuna leaves the trial of a process that was killed RUNNING for ever. Here each trial names a
lock file that its process holds for as long as it lives; a trial whose lock nobody holds is told
to have failed, and its parameters are asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvtrack_magics.journal import liveness

OWNER, BOOT, RETRIES, ORIGIN, AGAIN = "owner", "boot", "retries", "origin", "again"
"""Attributes of a trial: who holds it, how often and from which it was taken up, whether it is."""
FOLLOWS = "cvtrack.follows"
"""The attribute of a trial that says which one's parameters it tries again."""
OF, AT, FINAL = "cvtrack.of", "cvtrack.at", "cvtrack.final"
"""Attributes of a repeat: its trial, which of the seeds it has, whether it is the last look."""
MEASURED, CHOSEN = "cvtrack.measured", "cvtrack.chosen"
"""Attributes of the last look: the metric that it measures, its value of what the search is by."""
REPEATS = "+seeds"  # what the study of a search's repeats has at the end of its name
OF_A_REPEAT = (OF, AT, FINAL, MEASURED)
SECONDS, RUN, WHY = "seconds", "run", "why"
UNHELD = 10.0  # seconds that a trial may be without a holder while it is begun
_under_way: set[tuple[str, int]] = set()
"""The trials that this process runs, by study."""


@dataclass(frozen=True)
class Place:
    """Where the journal of sweeps lies, and what this process is called in it."""

    folder: Path
    owner: str
    storage: Any

    @property
    def root(self) -> Path:
        """The folder that the lock files of living processes lie beside."""
        return self.folder / "journal"


@dataclass(frozen=True)
class Asked:
    """A trial of the search that this process was given to run, or a repeat of one.

    Attributes
    ----------
    trials : Trials
        Those that it is one of.
    trial : optuna.trial.Trial
        What the body asks.
    own : int
        Its number among them.
    number : int
        That of the trial of the search.
    origin : int
        The first one that had these parameters, where it was put back.
    at : int
        Which of the seeds it has, from 1; 0 of the search's own trial.
    final : bool
        Whether it is the winner, measured on data that was not used to choose.
    """

    trials: Trials
    trial: Any
    own: int
    number: int
    origin: int | None = None
    at: int = 0
    final: bool = False

    @property
    def is_repeat(self) -> bool:
        """Whether it is one, or the last look."""
        return bool(self.at) or self.final

    @property
    def study_name(self) -> str:
        """The study of the search."""
        return self.trials.name.removesuffix(REPEATS)

    @property
    def label(self) -> str:
        """What follows the sweep's name in its run's."""
        return label_of(self.trial.user_attrs, self.own)

    @property
    def words(self) -> str:
        """What it is called in a line."""
        return words_of(self.trial.user_attrs, self.own)

    def note(self, key: str, value: Any) -> None:
        """Keep something about it."""
        self.trial.set_user_attr(key, value)

    def tell(self, values: list[float], attributes: Mapping[str, Any]) -> None:
        """Say what came of it."""
        self._note_all(attributes)
        self.trials.study.tell(self.own, values)

    def end(self, state: str, attributes: Mapping[str, Any]) -> None:
        """Say that it was pruned (``"PRUNED"``), or failed (``"FAIL"``)."""
        self._note_all(attributes)
        self.trials.end(self.own, state)

    def _note_all(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.note(key, value)

    def put_back(self) -> bool:
        """Let its parameters be tried again; return whether they are."""
        return self.trials.put_back(self.own, counts=False)

    def was_lost(self, why: str) -> str:
        """Put it back, since the process of its body is gone; return what is said of it."""
        return self.trials.lost(self.own, self.words, f" ({why})")

    def let_go(self) -> None:
        """Note that this process runs it no more, whatever became of it."""
        _under_way.discard((self.trials.name, self.own))


class Trials:
    """The trials of a study.

    Parameters
    ----------
    study : optuna.Study
        The study.
    place : Place
        Where it is.
    retries : int
        How often a trial is tried again whose process was killed.
    """

    def __init__(self, study: Any, place: Place, retries: int) -> None:
        import optuna

        self.study = study
        self.name = str(study.study_name)
        self._place = place
        self._retries = retries
        self._states = optuna.trial.TrialState

    def nothing_under_way(self) -> None:
        """Note that this process runs none: an interrupt may have come before one was begun."""
        for held in [held for held in _under_way if held[0] == self.name]:
            _under_way.discard(held)

    # -- a trial's life

    def ask(self) -> Asked:
        """Return the next trial, held by this process."""
        trial = self.study.ask()
        held = trial.number
        _under_way.add((self.name, held))
        try:
            trial.set_user_attr(OWNER, self._place.owner)
            trial.set_user_attr(BOOT, liveness.boot_id())
        except BaseException:
            _under_way.discard((self.name, held))  # and so is taken up when somebody looks
            raise
        said = trial.user_attrs
        number, origin = said.get(OF, held), said.get(ORIGIN)
        trial.final = bool(said.get(FINAL))
        if OF in said:
            trial.__class__ = _numbered(type(trial), number)
        return Asked(self, trial, held, number, origin, int(said.get(AT, 0)), trial.final)

    def end(self, number: int, state: str) -> None:
        """End a trial without a value."""
        self.study.tell(number, state=self._states[state])

    def put_back(self, number: int, *, counts: bool) -> bool:
        """End a trial that nobody runs any more, and ask for its parameters again.

        A process that dies in here leaves the trial to the next, which asks no second time.

        Parameters
        ----------
        number : int
            The trial's.
        counts : bool
            Whether this is one of its ``--retries``.

        Returns
        -------
        bool
            Whether it is asked for again.
        """
        trials = self.study.get_trials(deepcopy=False)
        frozen = next(one for one in trials if one.number == number)
        if frozen.state.is_finished():
            return False
        tries = int(frozen.user_attrs.get(RETRIES, 0)) + counts
        again = tries <= self._retries
        if again:
            self._enqueue_again(frozen, tries, trials)
            self._place.storage.set_trial_user_attr(frozen._trial_id, AGAIN, True)
        self.end(number, "FAIL")
        return again

    def _enqueue_again(self, frozen: Any, tries: int, trials: list[Any]) -> None:
        known = {**frozen.system_attrs.get("fixed_params", {}), **frozen.params}
        if any(one.user_attrs.get(FOLLOWS) == frozen.number for one in trials):
            return
        kept = {k: v for k, v in frozen.user_attrs.items() if k in OF_A_REPEAT}
        kept |= {RETRIES: tries, FOLLOWS: frozen.number}
        kept[ORIGIN] = frozen.user_attrs.get(ORIGIN, frozen.number)
        self.study.enqueue_trial(known, user_attrs=kept)

    def take_up(self) -> list[str]:
        """Put back the trials whose process is gone; return what is said of each."""
        said = []
        for one in [one for one in self.of("RUNNING") if not self._is_held(one)]:
            said.append(self.lost(one.number, words_of(one.user_attrs, one.number)))
        return said

    def lost(self, number: int, words: str, why: str = "") -> str:
        """Put a trial back whose process is gone; return what is said of it."""
        if self.put_back(number, counts=True):
            return f"{words}, whose process is gone{why}, is taken up again."
        return f"{words} failed: its process ended {self._retries + 1} times{why}."

    def _is_held(self, trial: Any) -> bool:
        owner = trial.user_attrs.get(OWNER)
        if owner is None:  # its process is about to say so, or died before it did
            return bool(time.time() - trial.datetime_start.timestamp() < UNHELD)
        if owner == self._place.owner:
            return (self.name, trial.number) in _under_way
        return liveness.is_alive(self._place.root, owner, trial.user_attrs.get(BOOT, ""))

    # -- what is read

    def of(self, *states: str) -> list[Any]:
        """Return the trials in one of these states."""
        wanted = tuple(self._states[state] for state in states)
        return list(self.study.get_trials(deepcopy=False, states=wanted))

    def begun(self) -> list[Any]:
        """Return all trials that were begun, but for those that are asked for again."""
        states = ("COMPLETE", "PRUNED", "FAIL", "RUNNING")
        return [one for one in self.of(*states) if not one.user_attrs.get(AGAIN)]

    def failed(self) -> list[Any]:
        """Return those that failed, and are not asked for again."""
        return [one for one in self.of("FAIL") if not one.user_attrs.get(AGAIN)]


def _numbered(kind: Any, number: int) -> Any:
    """Return a kind of trial that says another number: a repeat has its trial's."""
    return type(kind.__name__, (kind,), {"number": property(lambda _: number)})


def words_of(attributes: Mapping[str, Any], number: int) -> str:
    """Return what a trial, or a repeat of one, is called in a line."""
    number = attributes.get(OF, number)
    if attributes.get(FINAL):
        return f"The last run of trial {number}"
    return f"Trial {number}" + (f" with seed {attributes[AT] + 1}" if AT in attributes else "")


def label_of(attributes: Mapping[str, Any], number: int) -> str:
    """Return what follows the sweep's name in the name of a trial's run."""
    if OF not in attributes:
        return str(attributes.get(ORIGIN, number))
    again = "final" if attributes.get(FINAL) else f"seed{attributes[AT] + 1}"
    return f"{attributes[OF]}-{again}"
