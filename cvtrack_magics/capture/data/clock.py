"""Whether a function takes the time of day, or its chance from the system."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType

_CLOCK = frozenset(("time", "time_ns", "now", "today", "utcnow"))
_HOMES = ("time", "datetime")


def clock_or_system(item: FunctionType) -> str:
    """Return in words what a function's next answer hangs on, ``""`` where it does not.

    Modules count that it knows as globals or imports itself; ``perf_counter`` and the like,
    which only measure, do not.
    """
    steps = list(_steps(item.__code__))
    named = [item.__globals__.get(str(step.argval)) for step in steps if _is_global(step)]
    imported = {str(step.argval) for step in steps if step.opname == "IMPORT_NAME"}
    homes = {_home(each) for each in named} | imported
    if "secrets" in homes:
        return "secrets"
    called = {str(step.argval) for step in steps if step.opname in ("LOAD_ATTR", "LOAD_METHOD")}
    called |= {str(step.argval) for step in steps if step.opname == "IMPORT_FROM"}
    called |= {str(getattr(each, "__name__", "")) for each in named if callable(each)}
    return "the clock" if homes & set(_HOMES) and called & _CLOCK else ""


def _steps(code: CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from _steps(item)


def _is_global(step: dis.Instruction) -> bool:
    return step.opname in ("LOAD_GLOBAL", "LOAD_NAME")


def _home(value: object) -> str:
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
    return str(name)
