"""Whether a run is FINISHED, FAILED or KILLED, by how its code ended.

A process that is told to go ends its runs in :mod:`cvtrack_magics.run.process`; one that is
killed has them ended by the companion, or by the next load (:mod:`cvtrack_magics.delivery`).
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from cvtrack_magics.records import Outcome
from cvtrack_magics.text import bases_of, cause_of, context_of, is_a, module_of, name_of, trace_of

PRUNED = "cvtrack.pruned"
"""The tag of a run that is KILLED because its trial was pruned."""
_GROUP = getattr(builtins, "BaseExceptionGroup", ())  # from Python 3.11 on
_parts: Any = vars(_GROUP)["exceptions"].__get__ if _GROUP else tuple
"""A group's exceptions, as Python has them; its class may say what it likes."""


def outcome_of(error: BaseException | None) -> Outcome:
    """Return the status a run has earned: KILLED by an interrupt, FAILED by an error.

    An exit is what the process would tell its shell: well with code 0 or none, as a command line
    of ``click`` or ``absl`` ends when all went well. One that was made of an interrupt, as
    Lightning's, is an interrupt, and so is what a prompt or a command of ``click`` makes of one.
    So is that of a generator which is no longer asked for values, unless it was left because of
    an error, and that of a trial which Optuna prunes.

    It never raises, whatever the exception says of itself.
    """
    if error is not None and is_a(error, GeneratorExit):
        around = (one for one in _what_led_to(error) if not is_a(one, GeneratorExit))
        error = next(around, None)
        if error is None:
            return "KILLED"
    if error is None:
        return "FINISHED"
    if is_a(error, SystemExit):
        if any(map(_is_interrupt, _what_led_to(error))) or _is_clicks_exit_by_abort(error):
            return "KILLED"
        return "FINISHED" if _is_well(error) else "FAILED"
    return "KILLED" if _is_interrupt(error) or is_pruned(error) else "FAILED"


def is_pruned(error: BaseException) -> bool:
    """Whether this is how a body says that its trial is not worth to go on."""
    return _is_named(error, "optuna", "TrialPruned")


def _is_named(error: BaseException, package: str, name: str) -> bool:
    """Whether an exception is of a class of this name, or of one made of it."""
    return any(
        name_of(kind) == name and module_of(kind).partition(".")[0] == package
        for kind in bases_of(type(error))
    )


def _is_well(error: BaseException) -> bool:
    """Whether Python would end a process with status 0 for this exit."""
    try:
        code = error.code  # type: ignore[attr-defined]
    except BaseException:  # Python takes the exit itself for its code then, which is no number
        return False
    return code is None or (is_a(code, int) and int.__eq__(code, 0))


def _is_interrupt(error: BaseException) -> bool:
    """Whether an exception, or all of a group, says that somebody ended the code."""
    import asyncio

    left = [error]
    while left:
        one = left.pop()
        if _GROUP and is_a(one, _GROUP):
            left += _parts(one)
        elif not is_a(one, KeyboardInterrupt, asyncio.CancelledError) and not _is_aborted(one):
            return False
    return True


def _is_aborted(error: BaseException) -> bool:
    """Whether an exception is what click makes of an interrupt."""
    if not _is_named(error, "click", "Abort"):
        return False
    made_of = (cause_of(error), context_of(error))
    return any(one is not None and is_a(one, KeyboardInterrupt) for one in made_of)


def _is_clicks_exit_by_abort(error: BaseException) -> bool:
    """Whether a command of click left Python because it was aborted.

    From click 8.5 on the exit itself knows nothing of the interrupt that it was made of; what
    made it does, and has noted what it tells the terminal.
    """
    trace = trace_of(error)
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        if frame.f_code.co_name == "main" and frame.f_globals.get("__name__") == "click.core":
            told = frame.f_locals.get("report")
            return isinstance(told, FunctionType) and told.__name__ == "_echo_aborted"
    return False


def _what_led_to(error: BaseException) -> Iterator[BaseException]:
    """Yield what was handled when an exception was raised, and so on."""
    seen: set[int] = set()
    at = context_of(error)
    while at is not None and id(at) not in seen:
        yield at
        seen.add(id(at))
        at = context_of(at)
