"""``--test-metric``: the winner is measured again on data that was not used to choose."""

from __future__ import annotations

from typing import Any

import pytest

from cvtrack_magics import log, mlbest, mlsweep
from cvtrack_magics.errors import UsageProblem
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")


def body(trial: Any) -> None:
    x = trial.suggest_float("x", 0, 1)
    log({"val/acc": x})
    if trial.final:
        log({"test/acc": x - 0.5})


def finals(store: str) -> dict[str, Any]:
    return {name: run for name, run in runs_of(store).items() if name.endswith("-final")}


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_winner_alone_is_measured_again(store: str, seeds: int) -> None:
    best = mlsweep("s", body, metric="val/acc", test_metric="test/acc", trials=4, seeds=seeds)
    assert best is not None
    (name,) = finals(store)
    run = finals(store)[name]
    assert name == f"s-{best.trial}-final"
    assert (run.info.run_id, run.info.status) == (best.test_run_id, "FINISHED")
    assert best.test_value == pytest.approx(best.params["x"] - 0.5)
    assert "test/acc" not in runs_of(store)[f"s-{best.trial}"].data.metrics
    parent = runs_of(store)["s"]
    assert [value for _, value in points(store, parent, "test/acc")] == [best.test_value]
    shown = repr(mlbest("s"))
    assert f"trial {best.trial} measured again: test/acc" in shown
    assert "chosen by val/acc" in shown
    # once is enough
    again = mlsweep("s", body, metric="val/acc", test_metric="test/acc", trials=4, seeds=seeds)
    assert again is not None
    assert again.test_run_id == best.test_run_id


def test_another_winner_is_another_look_and_that_is_said(store: str) -> None:
    def better(trial: Any) -> None:
        x = trial.suggest_float("x", 0, 1)
        log({"val/acc": x + trial.number, "test/acc": x})

    for trials in (1, 2):
        best = mlsweep("s", better, metric="val/acc", test_metric="test/acc", trials=trials)
    assert set(finals(store)) == {"s-0-final", "s-1-final"}
    assert "test/acc was looked at 2 times in this sweep" in repr(best)


def test_a_last_run_that_fails_is_tried_by_the_next_call(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = []

    def objective(trial: Any) -> None:
        log({"val/acc": trial.suggest_float("x", 0, 1)})
        if trial.final and ready:
            log({"test/acc": 0.5})

    best = mlsweep("s", objective, metric="val/acc", test_metric="test/acc", trials=2)
    said = capsys.readouterr().out
    assert "never logged 'test/acc'" in said
    assert "where trial.final is true" in said
    assert best is not None
    assert best.test_value is None
    assert runs_of(store)["s"].info.status == "FINISHED"
    ready.append(True)
    best = mlsweep("s", objective, metric="val/acc", test_metric="test/acc", trials=2)
    assert best is not None
    assert best.test_value == 0.5


@pytest.mark.parametrize(
    "given",
    [{"test_metric": "val/acc"}, {"test_metric": "test/acc", "require": ["test/acc>=0.5"]}],
)
def test_what_chooses_cannot_judge(store: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageProblem, match="is used to choose"):
        mlsweep("s", body, metric="val/acc", **given)
    assert not runs_of(store)
