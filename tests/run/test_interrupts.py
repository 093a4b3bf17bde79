"""An interrupt that comes while a run is closed: the run ends as its cell did, and at once."""

from __future__ import annotations

import time

import mlflow
import pytest

from cvtrack_magics import log, mlend, mlrun, mlsync
from cvtrack_magics.capture.machine.meter import ResourceMeter
from cvtrack_magics.run import cells, closing, current
from cvtrack_magics.store import active_run as fluent
from tests.store_views import points, runs_of

MOMENTS = {
    "the cell's output is let go": (cells.RunCells, "leave"),
    "the meter is stopped": (ResourceMeter, "stop"),
    "the last facts are gathered": (closing, "last_facts"),
    "MLflow's active run is left": (fluent, "leave_run"),
    "the summary is made": (closing, "summary_of"),
}


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Interrupt once, when the named step begins."""
    place, name = MOMENTS[request.param]
    real = getattr(place, name)
    left = [KeyboardInterrupt()]

    def step(*arguments: object, **options: object) -> object:
        if left:
            raise left.pop()
        return real(*arguments, **options)

    monkeypatch.setattr(place, name, step)


@pytest.mark.parametrize("interrupted", list(MOMENTS), indirect=True)
def test_an_interrupt_while_a_run_is_closed(store: str, script: None, interrupted: None) -> None:
    def body() -> None:
        with mlrun("outer"):
            log(loss=1.0)
            with mlrun("inner", nested=True):
                log(loss=2.0)
        raise AssertionError("the interrupt was swallowed")

    with pytest.raises(KeyboardInterrupt):
        body()
    ended = time.time() * 1000
    while current.get_session().scopes:
        mlend()
    assert mlsync(timeout=60).waiting == []
    assert mlflow.active_run() is None
    runs = runs_of(store)
    assert runs["inner"].info.status == "FINISHED"
    assert runs["outer"].info.status == "KILLED"
    assert 0 <= ended - runs["inner"].info.end_time < 5000
    assert [value for _, value in points(store, runs["inner"], "loss")] == [2.0]
