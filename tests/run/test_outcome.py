"""How a run's code ended is its status: an error, an interrupt, or an exit that is neither."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import click
import mlflow
import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.run.outcome import outcome_of
from tests.store_views import runs_of

EXITS = {
    "none": (SystemExit(), "FINISHED"),
    "0": (SystemExit(0), "FINISHED"),
    "False": (SystemExit(False), "FINISHED"),
    "1": (SystemExit(1), "FAILED"),
    "True": (SystemExit(True), "FAILED"),
    "-1": (SystemExit(-1), "FAILED"),
    "a message": (SystemExit("no data"), "FAILED"),
    "no words": (SystemExit(""), "FAILED"),
    "0.0, which is printed": (SystemExit(0.0), "FAILED"),
    "a pair": (SystemExit(0, "x"), "FAILED"),
}


@pytest.mark.parametrize("code", list(EXITS))
def test_an_exit_is_what_the_shell_is_told(code: str) -> None:
    error, wanted = EXITS[code]
    assert outcome_of(error) == wanted


def _raised(*kinds: BaseException | None) -> BaseException:
    """Return the last of some exceptions, each raised while the one before it was handled."""

    def step(rest: tuple[BaseException | None, ...]) -> None:
        *before, last = rest
        try:
            if before:
                step(tuple(before))
        finally:
            if last is not None:
                raise last

    try:
        step(kinds)
    except BaseException as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    ("kinds", "wanted"),
    [
        ((KeyboardInterrupt, SystemExit), "KILLED"),
        ((KeyboardInterrupt, lambda: SystemExit(1)), "KILLED"),
        ((KeyboardInterrupt, ValueError, lambda: SystemExit(1)), "KILLED"),
        ((asyncio.CancelledError, lambda: SystemExit(1)), "KILLED"),
        ((ValueError, lambda: SystemExit(1)), "FAILED"),
        ((ValueError, lambda: SystemExit("bad")), "FAILED"),
        ((StopIteration, SystemExit), "FINISHED"),  # as click ends what went well
        ((KeyboardInterrupt,), "KILLED"),
        ((KeyboardInterrupt, ValueError), "FAILED"),
        ((GeneratorExit,), "KILLED"),
        ((ValueError, GeneratorExit), "FAILED"),
        ((SystemExit, GeneratorExit), "FINISHED"),
    ],
)
def test_an_exit_because_of_an_interrupt_is_one(
    kinds: tuple[Callable[[], BaseException], ...], wanted: str
) -> None:
    assert outcome_of(_raised(*(kind() for kind in kinds))) == wanted


def test_a_circle_of_exceptions_has_an_end() -> None:
    first, second = ValueError(), SystemExit(1)
    first.__context__, second.__context__ = second, first
    assert outcome_of(second) == "FAILED"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there are no groups of exceptions")
@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([KeyboardInterrupt()], "KILLED"),
        ([asyncio.CancelledError(), KeyboardInterrupt()], "KILLED"),
        ([asyncio.CancelledError(), ValueError()], "FAILED"),
        ([ValueError()], "FAILED"),
    ],
)
def test_a_group_of_interrupts_is_one(parts: list[BaseException], wanted: str) -> None:
    group: Any = builtins.BaseExceptionGroup  # type: ignore[attr-defined,unused-ignore]
    assert outcome_of(group("of tasks", parts)) == wanted
    assert outcome_of(group("around", [group("of tasks", parts)])) == wanted


def _losses(name: str) -> Iterator[int]:
    with mlrun(name):
        for step in range(5):
            log(loss=step)
            yield step


def test_a_trial_that_is_pruned_is_none_that_failed(store: str, script: None) -> None:
    optuna = pytest.importorskip("optuna")

    class Worse(optuna.TrialPruned):  # type: ignore[name-defined,misc]
        pass

    def body(trial: Any) -> float:
        with mlrun(f"trial {trial.number}", nested=True):
            log(loss=1.0)
            if trial.number:
                raise (optuna.TrialPruned if trial.number == 1 else Worse)("worse than others")
        return 1.0

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with mlrun("study"):
        optuna.create_study().optimize(body, n_trials=3)
    found = {
        name: (run.info.status, run.data.tags.get("cvtrack.pruned"), "error.type" in run.data.tags)
        for name, run in runs_of(store).items()
    }
    assert found == {
        "study": ("FINISHED", None, False),
        "trial 0": ("FINISHED", None, False),
        "trial 1": ("KILLED", "true", False),
        "trial 2": ("KILLED", "true", False),
    }


def test_the_status_and_the_error_are_those_of_the_end(store: str, script: None) -> None:
    def leave() -> None:
        next(losses := _losses("left"))
        losses.close()

    def leave_because_of_an_error() -> None:
        losses = _losses("left, with an error")
        next(losses)
        try:
            raise ValueError
        except ValueError:
            losses.close()

    def end(code: int) -> None:
        with contextlib.ExitStack() as around:
            around.enter_context(mlrun(f"stack {code}"))
            sys.exit(code)

    leave()
    leave_because_of_an_error()
    for code in (0, 2):
        with pytest.raises(SystemExit):
            end(code)
    with pytest.raises(SystemExit), mlrun("outer"), mlrun("inner", nested=True):
        sys.exit()
    found = {
        name: (run.info.status, run.data.tags.get("error.type", ""))
        for name, run in runs_of(store).items()
    }
    assert found == {
        "left": ("KILLED", "GeneratorExit"),
        "left, with an error": ("FAILED", "GeneratorExit"),
        "stack 0": ("FINISHED", ""),
        "stack 2": ("FAILED", "SystemExit"),
        "outer": ("FINISHED", ""),
        "inner": ("FINISHED", ""),
    }
    assert mlflow.active_run() is None


def _interrupted() -> None:
    raise KeyboardInterrupt


def _asked_and_interrupted(ask: Callable[..., Any], **how: Any) -> Callable[[], Any]:
    def asked() -> Any:
        with mock.patch("click.termui.visible_prompt_func", side_effect=KeyboardInterrupt):
            return ask("go on", **how)

    return asked


def _said_no() -> None:
    with mock.patch("click.termui.visible_prompt_func", return_value="n"):
        click.confirm("go on", abort=True)


def _in_a_command(body: Callable[[], Any], **how: Any) -> Callable[[], Any]:
    return lambda: click.command()(body).main([], "tool", **how)


def _in_a_group(body: Callable[[], Any]) -> Callable[[], Any]:
    group = click.Group("tools", commands={"go": click.command("go")(body)})
    return lambda: group.main(["go"], "tools")


def _exit(code: int) -> Callable[[], Any]:
    return lambda: click.get_current_context().exit(code)


def _bad_usage() -> None:
    raise click.UsageError("no such file")


BY_CLICK: dict[str, tuple[Callable[[], Any], str]] = {
    "prompt": (_asked_and_interrupted(click.prompt), "KILLED"),
    "confirm": (_asked_and_interrupted(click.confirm), "KILLED"),
    "confirm or abort": (_asked_and_interrupted(click.confirm, abort=True), "KILLED"),
    "no": (_said_no, "FAILED"),
    "command": (_in_a_command(_interrupted), "KILLED"),
    "command that raises": (_in_a_command(_interrupted, standalone_mode=False), "KILLED"),
    "command that asks": (_in_a_command(_asked_and_interrupted(click.prompt)), "KILLED"),
    "command of a group": (_in_a_group(_interrupted), "KILLED"),
    "command that ends well": (_in_a_command(_exit(0)), "FINISHED"),
    "command with a code": (_in_a_command(_exit(3)), "FAILED"),
    "code that is returned": (_in_a_command(_exit(3), standalone_mode=False), "FINISHED"),
    "bad usage": (_in_a_command(_bad_usage), "FAILED"),
    "exit in a command": (_in_a_command(lambda: sys.exit(2)), "FAILED"),
    "error in a command": (_in_a_command(lambda: 1 / 0), "FAILED"),
}


def test_what_click_makes_of_an_interrupt_is_one(
    store: str, script: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, (body, _) in BY_CLICK.items():
        with contextlib.suppress(BaseException), mlrun(name, output=False, code=False):
            body()
    found = {name: run.info.status for name, run in runs_of(store).items()}
    assert found == {name: status for name, (_, status) in BY_CLICK.items()}
