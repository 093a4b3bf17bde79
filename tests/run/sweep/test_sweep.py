"""Trials are nested runs with true outcomes; a sweep that was cut off goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest

from cvtrack_magics import log, mlbest, mlexperiment, mlsweep
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.run.current import get_session
from cvtrack_magics.run.sweep.spec import SweepSpec, distances, rules_of
from cvtrack_magics.run.sweep.study import Study
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")


def square(trial: Any) -> None:
    log({"val/loss": (trial.suggest_float("x", -3, 3) - 1) ** 2})


def trials_of(store: str, name: str) -> dict[str, Any]:
    """Return the runs of a sweep's trials by name, each nested under the sweep's."""
    found = runs_of(store)
    parent = found.pop(name)
    for run in found.values():
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    return found


def test_each_trial_is_a_run_with_its_outcome(store: str) -> None:
    def objective(trial: Any) -> None:
        x = trial.suggest_float("x", -3, 3)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        log({"val/acc": 1 - abs(x) / 10 + (kind == "a")})
        if trial.number == 1:
            raise ValueError("no good")
        if trial.number == 2:
            raise optuna.TrialPruned

    best = mlsweep("s", objective, metric="val/acc", trials=4, seed=1)
    found = trials_of(store, "s")
    assert {name: run.info.status for name, run in found.items()} == {
        "s-0": "FINISHED",
        "s-1": "FAILED",
        "s-2": "KILLED",
        "s-3": "FINISHED",
    }
    assert found["s-1"].data.tags["error.message"] == "no good"
    assert found["s-2"].data.tags["cvtrack.pruned"] == "true"
    assert {"x", "kind"} <= set(found["s-2"].data.params)
    assert found["s-3"].data.params["global_seed"] == "4"
    parent = runs_of(store)["s"]
    assert parent.info.status == "FINISHED"
    assert parent.data.params["sweep.direction"] == "maximize"
    assert [step for step, _ in points(store, parent, "val/acc")] == [0, 3]
    assert best is not None
    values = {name: found[name].data.metrics["val/acc"] for name in ("s-0", "s-3")}
    assert best.value == max(values.values())
    assert best.run_id == found[f"s-{best.trial}"].info.run_id
    assert parent.data.tags["cvtrack.best_run"] == best.run_id
    again = mlbest("s")
    assert (again.params, again.value) == (best.params, best.value)
    assert set(best.params) == {"x", "kind"}
    assert "4 of 4 trials: 2 finished, 1 pruned, 1 failed" in repr(best)


@pytest.mark.parametrize("way", ["mlexperiment", "set_experiment", "name", "id", "nothing"])
def test_a_sweep_is_found_again_however_its_experiment_was_chosen(
    store: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first sweep of a session is begun before any run of it is."""
    if way == "mlexperiment":
        mlexperiment("digits")
    elif way == "set_experiment":
        mlflow.set_experiment("digits")
    elif way == "name":
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "digits")
    elif way == "id":
        made = mlflow.MlflowClient(store).create_experiment("digits")
        monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", made)
    mlsweep("s", square, metric="val/loss", trials=2, seed=1)
    assert mlbest("s").trial in (0, 1)
    mlsweep("s", square, metric="val/loss", trials=3, seed=1)
    assert set(trials_of(store, "s")) == {"s-0", "s-1", "s-2"}
    elsewhere = "other" if way != "nothing" else "digits"
    mlexperiment(elsewhere)
    with pytest.raises(UsageProblem, match="There is none yet"):
        mlbest("s")


def test_a_higher_number_of_trials_goes_on_in_the_same_run(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mlsweep("s", square, metric="val/loss", trials=2, seed=1)
    mlsweep("s", square, metric="val/loss", trials=2, seed=1)
    assert "has its 2 trials" in capsys.readouterr().out
    mlsweep("s", square, metric="val/loss", trials=4, seed=1)
    found = trials_of(store, "s")
    assert len({run.data.params["x"] for run in found.values()}) == 4
    assert runs_of(store)["s"].data.tags["cvtrack.stretches"] == "2"


def test_an_interrupt_puts_its_trial_back(store: str) -> None:
    seen: list[tuple[int, float]] = []

    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", -3, 3)
        seen.append((trial.number, x))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return x

    with pytest.raises(KeyboardInterrupt):
        mlsweep("s", objective, metric="val/loss", trials=3)
    found = trials_of(store, "s")
    assert (found["s-1"].info.status, runs_of(store)["s"].info.status) == ("KILLED", "KILLED")
    best = mlsweep("s", objective, metric="val/loss", trials=3)
    assert [x for _, x in seen[2:3]] == [seen[1][1]]
    found = trials_of(store, "s")
    assert len(found) == 3
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert best is not None
    assert best.value == min(x for _, x in seen)


SCRIPT = """
import os, signal, sys
from cvtrack_magics import log, mlsweep

def objective(trial):
    x = trial.suggest_float("x", -3, 3)
    log({"val/loss": x * x})
    if trial.number == 1 and sys.argv[1] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)

mlsweep("s", objective, metric="val/loss", trials=3, seed=2)
"""


def test_the_trial_of_a_killed_process_is_tried_again(store: str, tmp_path: Path) -> None:
    """In the same run, with the same parameters; none stays RUNNING."""
    (tmp_path / "sweep.py").write_text(SCRIPT)

    def play(word: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "sweep.py", word]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert play("dies").returncode == -signal.SIGKILL
    done = play("lives")
    assert done.returncode == 0, done.stderr
    assert "Trial 1, whose process is gone, is taken up again." in done.stdout
    found = trials_of(store, "s")
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert len(found) == 3
    xs = {float(run.data.params["x"]) for run in found.values()}
    assert len(xs) == 3
    assert found["s-1"].data.tags["cvtrack.stretches"] == "2"
    folder = tmp_path / "cvtrack-sweeps"
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(folder / "studies.log"))
    )
    (name,) = optuna.study.get_all_study_names(storage)
    states = [one.state.name for one in optuna.load_study(study_name=name, storage=storage).trials]
    assert sorted(states) == ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL"]


def test_a_sweep_whose_leader_died_is_ended_by_whoever_calls_it_next(store: str) -> None:
    """All its trials were run by others meanwhile."""
    mlsweep("s", square, metric="val/loss", trials=2, seed=1)
    study = Study(get_session(), SweepSpec("s", "val/loss", "minimize", trials=2, mode="continue"))
    study.study.set_user_attr("leader", "0" * 32)
    mlsweep("s", square, metric="val/loss", trials=2, seed=1, mode="continue")
    assert len(trials_of(store, "s")) == 2
    parent = runs_of(store)["s"]
    assert (parent.info.status, parent.data.tags["cvtrack.stretches"]) == ("FINISHED", "2")


def test_rules_keep_a_trial_from_being_the_best(store: str) -> None:
    def objective(trial: Any) -> None:
        x = trial.suggest_int("x", 0, 5)
        log({"val/acc": float(x), "p95_latency_ms": 10.0 * x})

    best = mlsweep(
        "s", objective, metric="val/acc", trials=8, require=["p95_latency_ms<=20"], seed=3
    )
    assert best is None or best.params["x"] <= 2
    mlsweep("all", objective, metric="val/acc", trials=3, require=["p95_latency_ms<-1"])
    with pytest.raises(UsageProblem, match="keeps its rules"):
        mlbest("all")


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        ("a<=2", 2.0, True),
        ("a<2", 2.0, False),
        ("a>=2", 2.5, True),
        ("a>2", 2.0, False),
        ("a>=2", float("nan"), False),
        ("b>=2", 5.0, False),
    ],
)
def test_how_far_a_value_is_from_a_rule(rule: str, value: float, kept: bool) -> None:
    (far,) = distances(rules_of([rule]), {"a": value})
    assert (far <= 0) is kept


def raises(trial: Any) -> None:
    raise RuntimeError(f"broken {trial.suggest_int('n', 0, 9)}")


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no metric": ({"metric": ""}, "what is to be best"),
    "no direction": ({"metric": "thing"}, "'thing' tells no direction"),
    "another direction": ({"direction": "up"}, "'up' is no direction"),
    "another pruner": ({"pruner": "medain"}, "Did you mean 'median'"),
    "no trials": ({"trials": 0}, "at least one trial"),
    "a rule of no metric": ({"require": ["has(card)"]}, "is no bound of a metric"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_before_any_run(store: str, name: str) -> None:
    given, said = BAD[name]
    with pytest.raises(UsageProblem, match=said):
        mlsweep("s", square, **{"metric": "val/loss", **given})
    assert not runs_of(store)


def test_a_metric_that_is_never_logged_ends_the_sweep(store: str) -> None:
    with pytest.raises(UsageProblem, match=r"never logged 'val/los'.*val/loss"):
        mlsweep("s", square, metric="val/los", direction="minimize", trials=9)
    assert len(trials_of(store, "s")) == 1
    assert runs_of(store)["s"].info.status == "FAILED"


def test_all_trials_failing_ends_the_sweep_with_the_reason(store: str) -> None:
    with pytest.raises(UsageProblem, match=r"All 5 trials .* failed; the last: RuntimeError: bro"):
        mlsweep("s", raises, metric="val/loss", trials=50)
    assert len(trials_of(store, "s")) == 5


def test_nan_fails_its_trial_only(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    def objective(trial: Any) -> float:
        trial.suggest_int("n", 0, 9)
        return float("nan") if trial.number == 0 else 1.0

    mlsweep("s", objective, metric="val/loss", trials=2)
    assert "val/loss of trial 0 is NaN" in capsys.readouterr().out
    assert trials_of(store, "s")["s-0"].info.status == "FAILED"


def test_parameters_that_come_again_are_told(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def objective(trial: Any) -> float:
        return float(trial.suggest_categorical("a", [1, 2]))

    mlsweep("s", objective, metric="val/loss", trials=4)
    assert "had the parameters of an earlier one" in capsys.readouterr().out


def test_another_body_asks_what_to_do(store: str) -> None:
    def other(trial: Any) -> float:
        return trial.suggest_float("x", -3, 3) ** 2

    mlsweep("s", square, metric="val/loss", trials=1)
    with pytest.raises(UsageProblem, match=r"changed since its 1 trial\."):
        mlsweep("s", other, metric="val/loss", trials=2)
    with pytest.raises(UsageProblem, match=r"the metric .it was val/loss. changed"):
        mlsweep("s", square, metric="val/error", trials=2)
    mlsweep("s", other, metric="val/loss", trials=2, mode="continue")
    assert len(trials_of(store, "s")) == 2
    mlsweep("s", square, metric="val/loss", trials=1, mode="fresh")
    names = [run.data.tags["mlflow.runName"] for run in all_runs(store)]
    assert sorted(names) == ["s", "s", "s-0", "s-0", "s-1"]


def all_runs(store: str) -> list[Any]:
    return list(mlflow.MlflowClient(store).search_runs(["0"]))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("x = 1\n", "# more\nx = 1  # one\n\n", True),
        ("x = 1\n", "x = 2\n", False),
        ("if a:\n    b\n", "if a:\n    b\nc\n", False),
        ("%time x\n", "%time y\n", False),
    ],
)
def test_a_body_is_known_by_its_code(one: str, other: str, same: bool) -> None:
    digests = [SweepSpec("s", "m", "minimize", body=body).digest for body in (one, other)]
    assert (digests[0] == digests[1]) is same


def test_no_sweep_of_that_name(store: str) -> None:
    mlsweep("search", square, metric="val/loss", trials=1)
    with pytest.raises(UsageProblem, match="Did you mean 'search'"):
        mlbest("serch")
