"""``--seeds``: promising trials with further seeds, which the search does not know of."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest

from cvtrack_magics import log, mlbest, mlsweep
from cvtrack_magics.errors import UsageProblem
from tests.store_views import runs_of

pytestmark = pytest.mark.usefixtures("script")


def noisy(trial: Any) -> None:
    """The first trial is lucky: its own value is the best, and its others are the worst."""
    x = trial.suggest_float("x", 0, 1)
    first = not noisy_seen.setdefault(trial.number, 0)
    noisy_seen[trial.number] += 1
    luck = (3.0 if first else random.random()) if trial.number == 0 else random.random() / 100
    log({"val/acc": 1 + x / 100 + luck})


noisy_seen: dict[int, int] = {}


def studies(folder: Path) -> dict[str, Any]:
    """Return Optuna's studies by name."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "studies.log"))
    storage = optuna.storages.JournalStorage(backend)
    names = optuna.study.get_all_study_names(storage)
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


def seeds_of(store: str, name: str) -> dict[str, str]:
    """Return the seeds of the repeats' runs, by name; each is nested under the sweep's."""
    found = runs_of(store)
    parent = found[name].info.run_id
    repeats = {key: run for key, run in found.items() if "-seed" in key}
    assert {run.data.tags["mlflow.parentRunId"] for run in repeats.values()} <= {parent}
    assert {run.info.status for run in repeats.values()} <= {"FINISHED"}
    return {key: run.data.params["global_seed"] for key, run in repeats.items()}


def test_the_best_has_the_best_bound(store: str, tmp_path: Path) -> None:
    noisy_seen.clear()
    best = mlsweep("s", noisy, metric="val/acc", trials=5, seeds=4, seed=1)
    assert best is not None
    assert best.trial != 0
    assert (best.seeds, best.value < 2) == (4, True)
    assert best.bound is not None
    assert best.bound < best.mean
    again = mlbest("s")
    assert (again.trial, again.mean, again.bound) == (best.trial, best.mean, best.bound)
    parent = runs_of(store)["s"]
    assert parent.data.tags["cvtrack.best_trial"] == str(best.trial)
    assert parent.data.params["sweep.seeds"] == "4"
    shown = repr(best)
    assert "highest lower end of the 95% t interval of the mean over seeds" in shown
    assert "9 of 9 repeats" in shown
    found = seeds_of(store, "s")
    assert len(found) == 9
    assert len(set(found.values())) == 9
    assert "s-0-seed2" in found
    # the search knows nothing of them
    search, repeats = (len(one.trials) for one in studies(tmp_path / "cvtrack-sweeps").values())
    assert (search, repeats) == (5, 9)


def test_more_trials_and_seeds_add_what_is_missing(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def objective(trial: Any) -> float:
        return trial.suggest_float("x", 0, 1)

    mlsweep("s", objective, metric="val/loss", trials=4, seed=1)
    assert not seeds_of(store, "s")
    mlsweep("s", objective, metric="val/loss", trials=4, seeds=2, seed=1)
    assert len(seeds_of(store, "s")) == 3
    mlsweep("s", objective, metric="val/loss", trials=4, seeds=2, seed=1)
    assert "has its 4 trials" in capsys.readouterr().out
    best = mlsweep("s", objective, metric="val/loss", trials=4, seeds=3, seed=1)
    assert best is not None
    assert (len(seeds_of(store, "s")), best.seeds) == (6, 3)
    assert "nothing in this cell depends on the seed" in repr(best)


def test_a_rule_broken_with_another_seed_is_broken(store: str) -> None:
    calls: dict[int, int] = {}

    def objective(trial: Any) -> None:
        x = trial.suggest_float("x", 0, 1)
        calls[trial.number] = calls.get(trial.number, 0) + 1
        slow = trial.number == 2 and calls[2] > 1
        log({"val/acc": x + (trial.number == 2), "ms": 50.0 if slow else 5.0})

    best = mlsweep("s", objective, metric="val/acc", trials=4, seeds=2, require=["ms<=20"])
    assert best is not None
    assert best.trial != 2
    assert calls[2] == 2
    assert "breaks a rule" in repr(best)


def test_a_repeat_that_fails_is_one_value_less(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []

    def objective(trial: Any) -> float:
        calls.append(trial.number)
        if len(calls) in (4, 5):
            raise ValueError("unlucky")
        return trial.suggest_float("x", 0, 1)

    best = mlsweep("s", objective, metric="val/loss", trials=3, seeds=3)
    assert "with seed 2 failed: ValueError: unlucky" in capsys.readouterr().out
    assert best is not None
    assert sorted(calls) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_an_interrupt_puts_a_repeat_back(store: str) -> None:
    seen: list[int] = []

    def objective(trial: Any) -> float:
        seen.append(trial.number)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return trial.suggest_float("x", 0, 1)

    with pytest.raises(KeyboardInterrupt):
        mlsweep("s", objective, metric="val/loss", trials=3, seeds=2, seed=1)
    best = mlsweep("s", objective, metric="val/loss", trials=3, seeds=2, seed=1)
    assert best is not None
    assert len(seen) == 7
    assert len(seeds_of(store, "s")) == 3


def test_no_seed_at_all_is_one_line(store: str) -> None:
    with pytest.raises(UsageProblem, match="at least one seed"):
        mlsweep("s", noisy, metric="val/acc", seeds=0)


SCRIPT = """
import os, random, signal, sys
from cvtrack_magics import mlbest, mlsweep

def objective(trial):
    x = trial.suggest_float("x", -3, 3)
    with open("calls", "a") as file:
        print(trial.number, file=file)
    if len(open("calls").readlines()) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x + random.random() / 100

mlsweep("s", objective, metric="val/loss", trials=3, seeds=2, seed=2)
"""


def test_a_repeat_of_a_killed_process_is_run_by_those_that_join(store: str, tmp_path: Path) -> None:
    """Two processes at once finish what one left: none doubled, none left RUNNING."""
    (tmp_path / "sweep.py").write_text(SCRIPT)
    killed = subprocess.run([sys.executable, "sweep.py"], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    both = [subprocess.Popen([sys.executable, "sweep.py"]) for _ in range(2)]
    assert [one.wait(120) for one in both] == [0, 0]
    assert len(seeds_of(store, "s")) == 3
    states = {
        name.rpartition("/")[2]: sorted(one.state.name for one in study.trials)
        for name, study in studies(tmp_path / "cvtrack-sweeps").items()
    }
    assert states == {"s#1": ["COMPLETE"] * 3, "s#1+seeds": ["COMPLETE"] * 3 + ["FAIL"]}
    assert {run.info.status for run in mlflow.MlflowClient(store).search_runs(["0"])} == {
        "FINISHED"
    }
