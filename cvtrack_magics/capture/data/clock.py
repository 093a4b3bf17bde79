"""Whether a function takes the time of day, or its chance from the system."""

from __future__ import annotations

import dis
import os
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType

_NOW = frozenset(("now", "today", "utcnow"))
_CLOCKS = {
    "time": frozenset(("time", "time_ns", "localtime", "gmtime", "strftime", "ctime", "asctime")),
    "datetime": _NOW | {"time", "time_ns"},
    "pandas": _NOW,
}
_PROCESS = {
    "getpid": "the number of the process",
    "getppid": "the number of the process",
    "get_ident": "the number of the thread",
    "get_native_id": "the number of the thread",
    "initial_seed": "torch.initial_seed()",
}


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
    if any(called & _CLOCKS[home] for home in homes & _CLOCKS.keys()):
        return "the clock"
    return _of_process(item, called, {str(step.argval) for step in steps if _is_global(step)})


def _of_process(item: FunctionType, called: set[str], names: set[str]) -> str:
    """Return what a function takes of the process it runs in: of another one it is another."""
    found = next((said for name, said in _PROCESS.items() if name in called), "")
    if not found and {"get_worker_info", "seed"} <= called:
        return "the seed of a loader's worker"
    seeded = os.environ.get("PYTHONHASHSEED", "random") not in ("", "random")
    if not found and "hash" in names - item.__globals__.keys() and not seeded:
        return "hash(), which is another in each process"
    return found


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
