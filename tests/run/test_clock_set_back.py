"""A clock that is set while a run is open: the run does not end before it began."""

from __future__ import annotations

import time

import pytest

from cvtrack_magics import log, mlrun, system
from tests.store_views import points, runs_of

LASTS = 0.3


@pytest.mark.parametrize("fails", [False, True], ids=["finished", "failed"])
@pytest.mark.parametrize("seconds", [-10_800.0, -86_400.0 * 400, -5.0, -0.25, 0.0, 3600.0])
def test_a_run_never_ends_before_it_began(
    store: str, script: None, monkeypatch: pytest.MonkeyPatch, seconds: float, fails: bool
) -> None:
    now, now_ns = time.time, time.time_ns
    try:
        with mlrun("r", output=False):
            log({"x": 1.0}, step=0)
            for clock in (time, system.time):
                monkeypatch.setattr(clock, "time", lambda: now() + seconds)
                monkeypatch.setattr(clock, "time_ns", lambda: now_ns() + int(seconds * 1e9))
            log({"x": 2.0}, step=1)
            time.sleep(LASTS)
            if fails:
                raise ValueError("it fails")
    except ValueError:
        assert fails
    run = runs_of(store)["r"]
    assert run.info.status == ("FAILED" if fails else "FINISHED")
    assert run.info.end_time - run.info.start_time >= 1000 * LASTS
    assert points(store, run, "x") == [(0, 1.0), (1, 2.0)]
