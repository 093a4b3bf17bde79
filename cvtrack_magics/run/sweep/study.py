"""The study of a sweep: Optuna's journal beside the store, and who holds which trial.

Optuna leaves the trial of a process that was killed RUNNING for ever. Here each trial names a
lock file that its process holds for as long as it lives; a trial whose lock nobody holds is told
to have failed, and its parameters are asked for again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cvtrack_magics.errors import UsageProblem, did_you_mean
from cvtrack_magics.journal import liveness
from cvtrack_magics.run.sweep.search import BOUNDS, folder_of, optuna, pruner_of, sampler_of
from cvtrack_magics.run.sweep.spec import SweepSpec, distances, rules_of

if TYPE_CHECKING:
    from cvtrack_magics.run.session import Session

OWNER, BOOT, RETRIES, ORIGIN, AGAIN = "owner", "boot", "retries", "origin", "again"
"""Attributes of a trial: who holds it, how often and from which it was taken up, whether it is."""
SECONDS, RUN, WHY = "seconds", "run", "why"
PARENT, OPENED, LEADER, LEADER_BOOT = "parent", "opened", "leader", "leader_boot"
"""Attributes of a study: its run, whether that is open, and the process that opened it."""
UNHELD = 10.0  # seconds that a trial may be without a holder while it is begun
WAIT = 0.02  # seconds between two tries for the lock of a study
_under_way: set[tuple[str, int]] = set()
"""The trials that this process runs, by study."""


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
            self.name, self.study = self._open()

    def _prepare(self, session: Session, spec: SweepSpec) -> None:
        self.spec = spec
        self.optuna = optuna()
        self._folder = folder_of(session)
        self.root = self._folder / "journal"  # whose locks lie beside it
        self.owner = liveness.hold(self.root)
        place = str(self._folder / "studies.log")
        backend = self.optuna.storages.journal.JournalFileBackend(place)
        self._storage = self.optuna.storages.JournalStorage(backend)
        # before the first run of a session the store may have to be asked
        experiment = session.tracking.experiment_now()[1] or session.tracking.current_experiment()
        self._prefix = f"{experiment}/{spec.name}#"

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
        blank.spec = SweepSpec(
            name,
            str(attributes.get("metric", "")),
            study.direction.name.lower(),
            trials=int(attributes.get("trials", len(study.trials))),
            rules=rules_of(list(attributes.get("rules", ()))),
        )
        blank.name, blank.study = f"{blank._prefix}{number}", study
        return blank

    # -- opening

    def _names(self) -> list[str]:
        """Return the sweeps of the experiment."""
        place = self._prefix[: -len(self.spec.name) - 1]
        names = self.optuna.study.get_all_study_names(self._storage)
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
        study.set_user_attr("trials", self.spec.trials)
        study.sampler, study.pruner = sampler_of(self.spec, study.trials), pruner_of(self.spec)
        return f"{self._prefix}{number}", study

    def _last(self) -> int:
        names = self.optuna.study.get_all_study_names(self._storage)
        numbers = [
            name.removeprefix(self._prefix) for name in names if name.startswith(self._prefix)
        ]
        return max((int(number) for number in numbers if number.isdigit()), default=0)

    def _load(self, number: int) -> Any:
        return self.optuna.load_study(study_name=f"{self._prefix}{number}", storage=self._storage)

    def _create(self, number: int) -> Any:
        study = self.optuna.create_study(
            study_name=f"{self._prefix}{number}",
            storage=self._storage,
            direction=self.spec.direction,
        )
        study.set_user_attr("body", self.spec.digest)
        study.set_user_attr("metric", self.spec.metric)
        study.set_user_attr("rules", self.spec.bounds)
        return study

    def _check(self, study: Any) -> None:
        spec, attributes = self.spec, study.user_attrs
        had = f"{len(study.trials)} trial{'s' * (len(study.trials) != 1)}"
        changed = []
        if attributes.get("metric") != spec.metric:
            changed.append(f"the metric (it was {attributes.get('metric')})")
        if study.direction.name.lower() != spec.direction:
            changed.append(f"the direction (it was {study.direction.name.lower()})")
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
            attributes = self.study.user_attrs
            leader = attributes.get(LEADER, "")
            boot = attributes.get(LEADER_BOOT, "")
            if leader not in ("", self.owner) and liveness.is_alive(self.root, leader, boot):
                # seeded alike, two processes would try the same
                self.study.sampler = sampler_of(replace(self.spec, seed=None), [])
                return False
            self.study.set_user_attr(OPENED, False)
            self.study.set_user_attr(LEADER, self.owner)
            self.study.set_user_attr(LEADER_BOOT, liveness.boot_id())
        return True

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

    def ask(self) -> Any:
        """Return the next trial, held by this process; None when no more are wanted."""
        with self._alone():
            if self.taken >= self.spec.trials:
                return None
            trial = self.study.ask()
            _under_way.add((self.name, trial.number))
            trial.set_user_attr(OWNER, self.owner)
            trial.set_user_attr(BOOT, liveness.boot_id())
        return trial

    def let_go(self, trial: Any) -> None:
        """Note that this process runs a trial no more, whatever became of it."""
        _under_way.discard((self.name, trial.number))

    def tell(self, trial: Any, value: float, metrics: dict[str, float], seconds: float) -> None:
        """Say what came of a trial."""
        trial.set_user_attr(SECONDS, seconds)
        if self.spec.rules:
            trial.set_user_attr(BOUNDS, distances(self.spec.rules, metrics))
        self.study.tell(trial, value)

    def end(self, trial: Any, state: str, why: str, seconds: float) -> None:
        """Say that a trial was pruned (``"PRUNED"``), or failed (``"FAIL"``)."""
        trial.set_user_attr(SECONDS, seconds)
        trial.set_user_attr(WHY, why[:500])
        if self.spec.rules:
            trial.set_user_attr(BOUNDS, [1.0] * len(self.spec.rules))
        self.study.tell(trial, state=self.optuna.trial.TrialState[state])

    def put_back(self, number: int, *, counts: bool) -> bool:
        """End a trial that nobody runs any more, and ask for its parameters again.

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
        frozen = next(one for one in self.study.trials if one.number == number)
        tries = int(frozen.user_attrs.get(RETRIES, 0)) + counts
        again = tries <= self.spec.retries
        if again:
            self._storage.set_trial_user_attr(frozen._trial_id, AGAIN, True)
        self.study.tell(number, state=self.optuna.trial.TrialState.FAIL)
        if again and frozen.params:
            origin = frozen.user_attrs.get(ORIGIN, number)
            self.study.enqueue_trial(frozen.params, user_attrs={RETRIES: tries, ORIGIN: origin})
        return again

    def take_up(self) -> list[int]:
        """Put back the trials whose process is gone; return their numbers."""
        with self._alone():
            gone = [one.number for one in self._in("RUNNING") if not self._is_held(one)]
            for number in gone:
                self.put_back(number, counts=True)
        return gone

    def _is_held(self, trial: Any) -> bool:
        owner = trial.user_attrs.get(OWNER)
        if owner is None:  # its process is about to say so, or died before it did
            return bool(time.time() - trial.datetime_start.timestamp() < UNHELD)
        if owner == self.owner:  # an interrupt may have come before it was begun
            return (self.name, trial.number) in _under_way
        return liveness.is_alive(self.root, owner, trial.user_attrs.get(BOOT, ""))

    def _in(self, *states: str) -> list[Any]:
        wanted = tuple(self.optuna.trial.TrialState[state] for state in states)
        return list(self.study.get_trials(deepcopy=False, states=wanted))

    # -- what is read

    @property
    def taken(self) -> int:
        """How many trials are done or under way; those that are asked for again are not."""
        return len(self.all())

    def done(self) -> list[Any]:
        """Return the trials that gave a value."""
        return self._in("COMPLETE")

    def failed(self) -> list[Any]:
        """Return those that failed, and are not asked for again."""
        return [one for one in self._in("FAIL") if not one.user_attrs.get(AGAIN)]

    def all(self) -> list[Any]:
        """Return all trials that were begun, but for those that are asked for again."""
        return [
            one
            for one in self._in("COMPLETE", "PRUNED", "FAIL", "RUNNING")
            if not one.user_attrs.get(AGAIN)
        ]

    def best(self) -> Any:
        """Return the best trial that keeps all rules; None where there is none."""
        good = [one for one in self.done() if all(x <= 0 for x in one.user_attrs.get(BOUNDS, ()))]
        sign = 1 if self.spec.direction == "minimize" else -1
        return min(good, key=lambda one: (sign * one.value, one.number), default=None)

    # -- one process at a time

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let no other process look at the trials meanwhile."""
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                try:
                    liveness.lock(handle)
                    break
                except OSError:
                    time.sleep(WAIT)
            yield
        finally:
            with contextlib.suppress(OSError):
                os.close(handle)  # and so gives the lock back
