"""Runs that could not be opened, for no fault of who asked for them: the code goes on without.

What is recorded meanwhile was meant for such a run, and goes to no other one.
"""

from __future__ import annotations

import errno
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.records import Outcome, RunSummary
from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.run import current
from cvtrack_magics.run.host import ScriptHost
from cvtrack_magics.text import trace_of

NOT_THE_USERS = (str(Path(__file__).parent.parent), *map(str, sysconfig.get_paths().values()))
FULL = (errno.EMFILE, errno.ENFILE)


@dataclass(eq=False, slots=True)
class Unopened:
    """A run that could not be opened; ``is_held`` while its block or its cell runs."""

    name: str
    is_held: bool = False
    why: str = "could not be opened: not recorded"

    def end(self, outcome: Outcome) -> RunSummary:
        """Let what follows be recorded again; say what the code came to, of which nothing is."""
        with suppress(ValueError):
            _unopened.remove(self)
        return RunSummary(self.name, "", "", outcome, 0.0, "", kept="")


_unopened: list[Unopened] = []
"""No session's: there may be none, for it could not be made."""


def innermost() -> Unopened | None:
    """Return the run that the code is in which could not be opened, if there is one."""
    return _unopened[-1] if _unopened else None


def another_is_opened() -> None:
    """Forget those of which nothing will tell the end: the run that is opened now follows them."""
    _unopened[:] = [one for one in _unopened if one.is_held]


def go_on_without(name: str, error: Exception, *, is_held: bool = False) -> Unopened:
    """Say why a run was not opened, and let the code that asked for it run all the same."""
    with suppress(Exception):  # what says it may be what is broken
        _say()(not_opened(error))
    made = Unopened(name, is_held)
    _unopened.append(made)
    return made


def leave_to_rank_0(name: str) -> Unopened:
    """Let the code that asked for a run go on, in a rank that another one records for."""
    made = Unopened(name, why="is recorded by rank 0")
    _unopened.append(made)
    return made


def _say() -> Callable[[str], None]:
    session = current.peek()
    return (session.host if session is not None else ScriptHost()).say


class SweepStopped(CvtrackError):
    """A sweep cannot go on, for no fault of its trials."""

    label = "SweepStopped"

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(
            f"Sweep {name!r} cannot go on ({kind_and_line(error)}{_where(error)}); the trials that "
            "it has are kept.",
            _what_to_do(error),
        )


def not_opened(error: Exception) -> str:
    """Return the line that says why a run was not opened, and what to do."""
    return (
        f"cvtrack: the run could not be opened ({kind_and_line(error)}{_where(error)}). The code "
        f"runs without it, and what it logs is not recorded. {_what_to_do(error)}"
    )


def _where(error: BaseException) -> str:
    """Name the user's function that raised, where one did: it stands for one of a library."""
    trace = trace_of(error)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace is not None else None
    if code is None or code.co_filename.startswith(("<frozen", *NOT_THE_USERS)):
        return ""
    return f", raised in {code.co_name}()"


def _what_to_do(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return "Close files, or raise the limit of open files (ulimit -n), and run it again."
    if _where(error):
        return "Put back what your code has replaced in Python's own modules; then run it again."
    return "Restart Python if it comes again; the error's words say what is missing."
