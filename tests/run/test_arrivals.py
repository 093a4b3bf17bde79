"""An exception that arrives inside ``log()`` from outside: it is raised, and no call is lost."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvtrack_magics import log, mlrun
from cvtrack_magics.run.exception_source import Repeats, is_ours
from tests.interruptions import Ending, raises_at
from tests.store_views import artifact_names, points, runs_of


class Late(Exception):
    """What a time-out decorator raises."""


class LateValue(RuntimeError):
    """One whose class a conversion expects."""


CALLS: dict[str, Callable[[int], None]] = {
    "an integer": lambda step: log({"x": 1}, step=step),
    "two kinds": lambda step: log({"x": 1.0, "y": np.float32(2)}, step=step),
    "a step of NumPy": lambda step: log({"x": 1.0}, step=np.int64(step)),  # type: ignore[arg-type]
    "a step of PyTorch": lambda step: log({"x": 1.0}, step=torch.tensor(step)),  # type: ignore[arg-type]
    "a name and a value": lambda step: log("x", Decimal("1"), step=step),
    "a keyword": lambda step: log(x=torch.tensor(1.0), step=step),
    "every second": lambda step: log({"x": True}, step=step, every=1),
}

pytestmark = pytest.mark.usefixtures("script")


@pytest.mark.parametrize("late", [Late, LateValue])
@pytest.mark.parametrize("name", CALLS)
def test_what_arrives_is_raised_and_no_call_that_returned_is_lost(
    store: str, name: str, late: type[Exception]
) -> None:
    returned, step = set(), 0

    def call() -> None:
        CALLS[name](step)

    with mlrun("arrivals", output=False) as run:
        call()  # makes a file and imports
        for place in itertools.count():
            step += 1
            ending = raises_at(place, call, late)
            assert ending is not Ending.RETURNED, place
            if ending is Ending.BEYOND:
                returned.add(step)
                break
    assert place > 10
    (found,) = runs_of(store).values()
    steps = [at for at, _ in points(store, found, "x")]
    assert returned <= set(steps)
    assert len(steps) == len(set(steps))
    assert not run.summary.notices


class Once:
    """A value that cannot be read the first time."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error

    def __float__(self) -> float:
        error, self.error = self.error, None
        if error is not None:
            raise error
        return 7.0


ERRORS: list[Exception] = [Late("now"), LateValue("now"), TimeoutError("now"), ValueError("now")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_does_not_come_again_is_recorded(store: str, error: Exception) -> None:
    with mlrun("once", output=False) as run:
        try:
            log({"x": Once(error), "y": 1}, step=3)
        except Exception as seen:
            raised: Any = seen
    (found,) = runs_of(store).values()
    assert points(store, found, "x") == [(3, 7.0)]
    assert points(store, found, "y") == [(3, 1.0)]
    assert isinstance(raised, type(error)) or "not one number" in str(raised)
    assert not run.summary.notices


def test_a_picture_during_which_it_arrives_is_kept(store: str) -> None:
    shown = {"x": np.zeros((12, 10, 3), np.uint8)}
    step = 0

    def call() -> None:
        log(shown, step=step)

    with mlrun("pictures", output=False):
        call()
        step = 1
        assert raises_at(300, call, Late) is Ending.RAISED
    (found,) = runs_of(store).values()
    assert "visualisations/x/step-000000.png" in artifact_names(store, found)


def test_what_arrives_where_no_run_is_open_is_raised_too(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtrack_magics.run import long_log as longlog

    plainly, asked = longlog.get_session, []

    def late() -> Any:
        asked.append(1)
        if len(asked) == 1:
            raise Late
        return plainly()

    monkeypatch.setattr(longlog, "get_session", late)
    with pytest.raises(Late):
        log(loss=1.0)
    log(loss=1.0)


def test_what_comes_again_is_the_values() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise ValueError("no number")

    repeats = Repeats()
    tried = repeats.of(ask)
    assert str(tried.failed) == "no number"
    assert repeats.arrived is None
    assert len(asked) == 3


def test_faults_of_our_own_code_are_ours() -> None:
    def caught(act: Callable[[], object]) -> Exception:
        try:
            act()
        except Exception as error:
            return error
        raise AssertionError("nothing was raised")

    from cvtrack_magics.delivery.channel import Channel
    from cvtrack_magics.delivery.numbers import as_step

    assert is_ours(caught(lambda: Channel().record(None, 0, 1)))  # type: ignore[arg-type]
    assert is_ours(caught(lambda: as_step("first")))
    assert is_ours(caught(lambda: open("/nowhere/at/all")))  # noqa: SIM115
    assert not is_ours(caught(lambda: int("a")))
    assert not is_ours(Late())
    assert not is_ours(TimeoutError())


HANDLER = """
import signal, sys
from cvtrack_magics import log, mlrun
calls = []
def handler(*_):
    calls.append("cvtrack_magics.run.long_log" in sys.modules)
    log({"h": 1.0}, step=len(calls))
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
with mlrun("r"):
    log({"x": 1}, step=0)
    before = len(calls)
    while len(calls) < before + 20:
        log({"x": 1.0}, step=1)
    signal.setitimer(signal.ITIMER_REAL, 0)
assert False in calls and True in calls
"""


def test_a_handler_that_logs_from_before_the_first_run_on(store: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(HANDLER)
    ran = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr
    (found,) = runs_of(store).values()
    steps = [at for at, _ in points(store, found, "h")]
    assert len(steps) >= 20
    assert steps == list(range(steps[0], steps[-1] + 1))
