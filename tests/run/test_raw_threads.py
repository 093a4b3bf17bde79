"""Threads that ``_thread.start_new_thread`` begins: what they log goes to the run they began in."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from typing import Any

import mlflow
import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.run import current, raw_threads
from tests.store_views import points, runs_of

WAIT = 30.0


class Steps:
    """Lets a thread go on when it is told to, and waits until it has."""

    def __init__(self, *work: Callable[[], Any]) -> None:
        self._go = threading.Semaphore(0)
        self._did = threading.Semaphore(0)
        self._work = work

    def __call__(self) -> None:
        for one in self._work:
            assert self._go.acquire(timeout=WAIT)
            one()
            self._did.release()

    def go(self) -> None:
        self._go.release()
        assert self._did.acquire(timeout=WAIT)


def say(step: int) -> Callable[[], None]:
    return lambda: log({"raw": float(step)}, step=step)


def sent() -> None:
    session = current.get_session()
    session.writing.outliving.settle(all_of_it=True)
    session.sender.drain(WAIT, lambda _: None)


def curves(store: str) -> dict[str, list[int]]:
    """Return the steps that each run has of what the threads log."""
    return {n: [at for at, _ in points(store, run, "raw")] for n, run in runs_of(store).items()}


@pytest.mark.parametrize("logs_before", [True, False])
def test_what_it_logs_later_goes_to_its_run(logs_before: bool, store: str, script: None) -> None:
    steps = Steps(say(0), say(1), lambda: log(raw_too=2.0), say(2))
    with mlrun("own", output=False):
        log(a=1.0)
        _thread.start_new_thread(steps, ())
        if logs_before:
            steps.go()
    if not logs_before:
        steps.go()
    with mlrun("next", output=False):
        log(a=1.0)
        steps.go()
        steps.go()
    steps.go()
    with mlrun("last", output=False):
        log(a=1.0)
    sent()
    assert curves(store) == {"own": [0, 1, 2], "next": [], "last": []}
    assert "raw_too" in runs_of(store)["own"].data.metrics


def test_one_of_no_run_follows_the_run_that_is_open(store: str, script: None) -> None:
    steps = Steps(say(0), say(1), say(2))
    with mlrun("before", output=False):
        log(a=1.0)
    _thread.start_new_thread(steps, ())
    for step in (0, 1):
        with mlrun(f"run {step}", output=False):
            log(a=1.0)
            steps.go()
    steps.go()
    sent()
    assert curves(store) == {"before": [], "run 0": [0], "run 1": [1]}


def test_one_of_a_nested_run_is_not_its_parents(store: str, script: None) -> None:
    inner, outer = Steps(say(0), say(1)), Steps(say(10), say(11))
    with mlrun("outer", output=False):
        _thread.start_new_thread(outer, ())
        with mlrun("inner", nested=True, output=False):
            _thread.start_new_thread(inner, ())
            inner.go()
        inner.go()
        outer.go()
    with mlrun("next", output=False):
        outer.go()
        log(a=1.0)
    sent()
    assert curves(store) == {"outer": [10, 11], "inner": [0, 1], "next": []}


def test_its_journal_ends_with_it(store: str, script: None) -> None:
    steps = Steps(say(0))
    with mlrun("own", output=False):
        _thread.start_new_thread(steps, ())
    steps.go()
    outliving = current.get_session().writing.outliving
    deadline = threading.Event()
    for _ in range(300):
        outliving.settle()
        if not outliving._places:
            break
        deadline.wait(0.1)
    assert not outliving._places


def test_the_function_is_called_as_it_was_given(
    store: str, script: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[Any] = []
    failed = threading.Event()
    hook: Callable[[Any], None] = lambda args: (got.append(repr(args.object)), failed.set())[0]  # noqa: E731
    monkeypatch.setattr(sys, "unraisablehook", hook)

    def fails() -> None:
        raise ValueError("mine")

    done = threading.Event()
    with mlrun("own", output=False):
        _thread.start_new_thread(lambda *a, **k: (got.append((a, k)), done.set()), (1, 2), {"b": 3})
        assert done.wait(WAIT)
        _thread.start_new_thread(fails, ())
        assert failed.wait(WAIT)
        with pytest.raises(TypeError):
            _thread.start_new_thread(5, ())  # type: ignore[arg-type]
    assert got == [((1, 2), {"b": 3}), repr(fails)]


def test_the_function_of_python_is_given_back(store: str, script: None) -> None:
    plain = raw_threads._starts.plain
    with mlrun("own", output=False):
        assert _thread.start_new_thread is not plain
    session = current.get_session()
    session.stop()
    assert _thread.start_new_thread is plain
    assert mlflow.active_run() is None
