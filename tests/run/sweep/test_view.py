"""What the table under a sweep's cell says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.sweep.spec import SweepSpec
from cvtrack_magics.run.sweep.study import Study
from cvtrack_magics.run.sweep.trials import OWNER, SECONDS
from cvtrack_magics.run.sweep.view import table

pytestmark = pytest.mark.usefixtures("script")


def ended(study: Study, x: float) -> None:
    asked = study.ask()
    assert asked is not None
    asked.tell([x], {SECONDS: 60.0})
    asked.let_go()


@pytest.mark.parametrize(
    ("others", "left"), [(0, "10 min 00 s"), (1, "5 min 00 s"), (4, "2 min 00 s")]
)
def test_what_is_left_is_shared_by_those_who_run_it(store: str, others: int, left: str) -> None:
    """Ten trials of a minute each are left, those under way counted."""
    study = Study(get_session(), SweepSpec("s", "loss", "minimize", trials=12, seed=1))
    ended(study, 0.5)
    ended(study, 0.1)
    for number in range(others):
        asked = study.ask()
        assert asked is not None
        asked.note(OWNER, f"other-{number}")
    said = repr(table(study, 4))
    found = re.search(r"about (.+) left", said)
    assert found is not None, said
    assert found[1] == left


def test_many_trials_are_read_as_often_as_few(store: str) -> None:
    """The table asks Optuna's journal as often for many trials as for few."""
    study = Study(get_session(), SweepSpec("s", "loss", "minimize", trials=300, seed=1))
    counts: list[int] = []
    own, calls = study.study.get_trials, [0]

    def counted(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        return own(*args, **options)

    study.study.get_trials = counted
    for trials in (12, 100):
        while study.taken < trials:
            ended(study, float(study.taken))
        calls[0] = 0
        shown = table(study, 4)
        counts.append(calls[0])
        assert len(shown.rows) == 10
        assert shown.rows[0][:2] == ("best", "0")
    assert counts[0] == counts[1]


def test_trials_are_drawn_and_what_matters_is_said(store: str) -> None:
    study = Study(get_session(), SweepSpec("s", "loss", "minimize", trials=30, seed=1))
    for number in range(30):
        asked = study.ask()
        assert asked is not None
        matters = asked.trial.suggest_float("matters", 1e-3, 1, log=True)
        asked.trial.suggest_categorical("does_not", ["a", None])
        asked.tell([matters], {SECONDS: 1.0}) if number else asked.end("FAIL", {})
        asked.let_go()
        shown = table(study, 4, chart=True)
        assert bool(shown.pictures) == (number >= 4)
    assert re.search(r"what matters by PED-ANOVA: matters \d+%, does_not", repr(shown))
    assert [*shown.pictures] == ["Trials_over_their_parameters", "What_matters_by_PED-ANOVA"]
    assert not table(study, 4).pictures
