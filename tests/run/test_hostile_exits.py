"""What ends a body may say anything of itself: its run has its status, and it arrives untouched."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from typing import Any

import mlflow
import pytest

from cvtrack_magics import log, mlrun
from cvtrack_magics.errors import chain_of
from cvtrack_magics.run.context import error_records
from cvtrack_magics.run.outcome import outcome_of
from cvtrack_magics.text import kind_of
from tests.store_views import runs_of

Group: Any = getattr(builtins, "BaseExceptionGroup", None)


def fails(*_: Any) -> Any:
    raise RuntimeError("in the exception")


def exits(*_: Any) -> Any:
    sys.exit(0)


def made(base: type, *args: Any, **said: Any) -> BaseException:
    error: BaseException = type("Strange", (base,), said)(*args)
    return error


class Meta(type):
    """A metaclass whose classes answer nothing."""

    __name__ = __mro__ = __module__ = __dict__ = property(exits)  # type: ignore[assignment]
    __eq__ = __hash__ = exits  # type: ignore[assignment]


class NoClass(Exception, metaclass=Meta):
    pass


class Zero(int):
    __eq__ = __ne__ = __bool__ = __index__ = fails  # type: ignore[assignment]
    __hash__ = int.__hash__


class SaysItIsNone:
    __class__ = property(fails)  # type: ignore[assignment]
    __eq__ = __bool__ = __str__ = __repr__ = fails  # type: ignore[assignment]


def nested(depth: int, leaf: BaseException) -> BaseException:
    for _ in range(depth):
        leaf = Group("group", [leaf])
    return leaf


def group(leaf: BaseException, exceptions: Any) -> BaseException:
    return type("Strange", (Group,), {"exceptions": exceptions})("group", [leaf])


def left(depth: int, first: BaseException | None = None) -> BaseException:
    """Return a generator's exit that came of an exit, and so on."""
    for _ in range(depth):
        error = GeneratorExit()
        error.__context__ = first
        first = error
    assert first is not None
    return first


def no(name: str, base: type, *args: Any) -> Callable[[], BaseException]:
    return lambda: made(base, *args, **{name: property(fails)})


ENDS: dict[str, tuple[Callable[[], BaseException], str]] = {
    "an exit's code raises": (no("code", SystemExit), "FAILED"),
    "an exit's code exits": (lambda: made(SystemExit, code=property(exits)), "FAILED"),
    "an exit's code is no value": (lambda: SystemExit(SaysItIsNone()), "FAILED"),
    "an exit's code is a strange 0": (lambda: SystemExit(Zero(0)), "FINISHED"),
    "an exit's code is a strange 3": (lambda: SystemExit(Zero(3)), "FAILED"),
    "an exit's attributes raise": (lambda: made(SystemExit, __getattribute__=fails), "FAILED"),
    "an exit's context raises": (no("__context__", SystemExit), "FINISHED"),
    "a left generator's context raises": (no("__context__", GeneratorExit), "KILLED"),
    "5,000 left generators": (lambda: left(5_000), "KILLED"),
    "5,000 generators left by an error": (lambda: left(5_000, ValueError()), "FAILED"),
    "its class answers nothing": (NoClass, "FAILED"),
    "its cause and its trace raise": (
        lambda: made(Exception, __cause__=property(fails), __traceback__=property(fails)),
        "FAILED",
    ),
    "its notes raise": (no("__notes__", Exception), "FAILED"),
    "its text exits": (lambda: made(Exception, __str__=exits, __repr__=exits), "FAILED"),
    "its args raise": (no("args", Exception), "FAILED"),
    "an error's class is none": (lambda: KeyError(SaysItIsNone()), "FAILED"),
    "a system's error of no system": (lambda: OSError(10**6, "\x1b[2J", "\ud800"), "FAILED"),
    "syntax nowhere": (lambda: SyntaxError("x", ("\ud800", 10**9, -5, "\ud800\n")), "FAILED"),
}
if Group is not None:
    ENDS |= {
        "5,000 groups of an interrupt": (lambda: nested(5_000, KeyboardInterrupt()), "KILLED"),
        "5,000 groups of an error": (lambda: nested(5_000, ValueError()), "FAILED"),
        "a group that holds itself": (
            lambda: group(ValueError(), property(lambda self: (self,))),
            "FAILED",
        ),
        "a group's exceptions raise": (lambda: group(ValueError(), property(fails)), "FAILED"),
        "a group's exceptions exit": (lambda: group(ValueError(), property(exits)), "FAILED"),
        "a group's exceptions are none": (lambda: group(ValueError(), None), "FAILED"),
        "a group of an interrupt without": (lambda: group(KeyboardInterrupt(), ()), "KILLED"),
    }


@pytest.mark.parametrize("kind", ENDS)
def test_every_end_has_a_status_and_can_be_described(kind: str) -> None:
    make, status = ENDS[kind]
    error = make()
    assert outcome_of(error) == status
    assert type(kind_of(error)) is str
    assert next(chain_of(error)) is error
    for record in error_records(error):
        str(record).encode("utf-8", "backslashreplace")


def test_a_scripts_run_ends_and_its_own_error_arrives(store: str, script: None) -> None:
    kinds = [*ENDS][::4]
    for kind in kinds:
        error, caught = ENDS[kind][0](), None
        try:
            with mlrun(kind, output=False, code=False):
                log(a=1.0)
                raise error
        except BaseException as arrived:
            caught = arrived
        assert caught is error, kind
        assert mlflow.active_run() is None, kind
    found = runs_of(store)
    assert [found[kind].info.status for kind in kinds] == [ENDS[kind][1] for kind in kinds]
