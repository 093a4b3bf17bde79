"""A run that goes wrong says so in its card and by a tag; without the option only of NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import mlflow
import pytest

from cvtrack_magics import log, mlrun, track
from tests.store_views import runs_of

pytestmark = pytest.mark.usefixtures("script")
Loss = Callable[[int], float]


@pytest.mark.parametrize(
    ("loss", "watch", "kind"),
    [
        (lambda n: math.nan if n > 20 else 1.0 / (n + 1), False, "not_finite"),
        (lambda n: 1.0 / (n + 1), True, ""),
        (lambda n: 1.0 / (n + 1) if n < 50 else 1.5 ** (n - 50), True, "diverged"),
        (lambda n: 1.0 / (n + 1) if n < 50 else 1.5 ** (n - 50), False, ""),
        (lambda n: 2.3, True, "not_falling"),
    ],
    ids=["nan", "well", "diverges", "not asked", "dead"],
)
def test_a_line_in_the_card_and_a_tag(
    store: str, capsys: pytest.CaptureFixture[str], loss: Loss, watch: bool, kind: str
) -> None:
    with mlrun("r", watch=watch) as run:
        for step in track(range(90), "batch"):
            log({"train/loss": loss(step)})
    assert run.summary is not None
    notices = [line for line in run.summary.notices if "train/loss" in line]
    tags = {k: v for k, v in runs_of(store)["r"].data.tags.items() if k.startswith("watch.")}
    assert tags == ({f"watch.{kind}": notices[0]} if kind else {})
    assert len(notices) == bool(kind)
    said = capsys.readouterr().out
    assert said.count("cvtrack: train/loss") == bool(kind)


def test_a_loop_that_is_left_early_closes_its_source(store: str) -> None:
    closed = []

    def source() -> object:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    with mlrun("r", watch=True):
        for item in track(source(), "batch"):
            if item == 3:
                break
    assert closed == [True]


@pytest.mark.parametrize("fails", ["take", "tick", "finish"])
def test_what_fails_in_watching_costs_no_point(
    store: str, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def broken(*given: object, **options: object) -> None:
        raise RuntimeError("a rule is wrong")

    monkeypatch.setattr(f"cvtrack_magics.run.watch.monitor.Monitor.{fails}", broken)
    with mlrun("r", watch=True) as run:
        for step in track(range(400), "batch"):
            log({"loss": step})
            if step % 100 == 99:
                time.sleep(0.3)
    assert run.summary is not None
    assert sum("a rule is wrong" in line for line in run.summary.notices) == 1
    client = mlflow.MlflowClient(store)
    assert len(client.get_metric_history(runs_of(store)["r"].info.run_id, "loss")) == 400
