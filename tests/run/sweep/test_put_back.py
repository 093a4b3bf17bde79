"""A trial whose process is gone is asked for again, once, wherever those die who see to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from cvtrack_magics.journal import liveness
from cvtrack_magics.run.sweep.trials import AGAIN, AT, OF, Place, Trials

OWN = {OF: 7, AT: 2}


class Dies(BaseException):
    """A process ends here."""


def opened(folder: Path, retries: int = 2) -> Trials:
    """Return the trials as a process that has just begun sees them."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "studies.log"))
    storage = optuna.storages.JournalStorage(backend)
    study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True)
    found = Trials(study, Place(folder, liveness.hold(folder / "journal"), storage), retries)
    found.nothing_under_way()  # of the process that was here before
    return found


def left(folder: Path, *, suggested: bool, repeat: bool = False) -> None:
    """Leave a trial behind that is RUNNING."""
    trials = opened(folder)
    if repeat:
        trials.study.enqueue_trial({"x": 0.5}, user_attrs=OWN)
    asked = trials.ask()
    if suggested:
        asked.trial.suggest_float("x", 0, 1)


def states(trials: Trials) -> list[str]:
    return [one.state.name for one in trials.study.trials]


@pytest.mark.parametrize("write", range(4))
@pytest.mark.parametrize("repeat", [False, True])
def test_who_dies_while_putting_back_leaves_it_to_the_next(
    tmp_path: Path, write: int, repeat: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(tmp_path, suggested=True, repeat=repeat)
    dying = opened(tmp_path)
    storage = type(dying._place.storage)
    own, count = storage._write_log, [0]

    def written(*args: Any) -> None:
        if count[0] == write:
            raise Dies
        count[0] += 1
        own(*args)

    monkeypatch.setattr(storage, "_write_log", written)
    try:
        dying.take_up()
    except Dies:
        assert write < 3
    monkeypatch.undo()
    trials = opened(tmp_path)
    trials.take_up()
    assert states(trials) == ["FAIL", "WAITING"]
    first, second = trials.study.trials
    assert first.user_attrs[AGAIN] is True
    assert second.system_attrs["fixed_params"] == first.params
    assert {key: second.user_attrs.get(key) for key in OWN} == (
        OWN if repeat else dict.fromkeys(OWN)
    )
    assert not trials.take_up()
    assert not trials.begun()


def test_parameters_stay_although_nobody_came_to_suggest_them(tmp_path: Path) -> None:
    """Its process died twice: in the body, then before the body asked again."""
    left(tmp_path, suggested=True)
    x = opened(tmp_path).study.trials[0].params
    for _ in range(2):
        trials = opened(tmp_path)
        assert trials.take_up() == [
            f"Trial {len(states(trials)) - 2}, whose process is gone, is taken up again."
        ]
        trials.ask()
    assert trials.study.trials[-1].system_attrs["fixed_params"] == x


@pytest.mark.parametrize("suggested", [True, False])
def test_after_its_retries_it_has_failed(tmp_path: Path, suggested: bool) -> None:
    """Also where it never came to its parameters; it goes on in the run that it had."""
    left(tmp_path, suggested=suggested)
    said = []
    for _ in range(3):
        trials = opened(tmp_path, retries=2)
        said += trials.take_up()
        if "WAITING" in states(trials):
            assert trials.ask().label == "0"
    assert said[-1] == "Trial 2 failed: its process ended 3 times."
    assert states(trials) == ["FAIL"] * 3
    assert len(trials.failed()) == 1


def test_what_is_under_way_here_is_left_alone(tmp_path: Path) -> None:
    trials = opened(tmp_path)
    asked = trials.ask()
    assert not trials.take_up()
    asked.let_go()
    assert len(trials.take_up()) == 1
    assert not asked.put_back()


def test_a_repeat_says_its_trials_number(tmp_path: Path) -> None:
    trials = opened(tmp_path)
    trials.study.enqueue_trial({"x": 0.5}, user_attrs=OWN)
    asked = trials.ask()
    assert (asked.trial.number, asked.own, asked.at) == (7, 0, 2)
    assert asked.trial.suggest_float("x", 0, 1) == 0.5
    asked.trial.report(0.5, 0)
    assert not asked.trial.should_prune()
    asked.tell([0.5], {})
    assert states(trials) == ["COMPLETE"]
