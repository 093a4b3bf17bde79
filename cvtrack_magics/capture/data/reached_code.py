"""What the code of functions and classes names, and whether it draws at random."""

from __future__ import annotations

import dis
import inspect
import re
from collections.abc import Iterator
from types import (
    CodeType,
    FunctionType,
)

from cvtrack_magics.capture.code.code_names import names_in
from cvtrack_magics.capture.code.modules import is_foreign
from cvtrack_magics.capture.data.clock import clock_or_system

CHANCE = frozenset(
    ("SystemRandom", "urandom", "uuid1", "uuid4", "token_bytes", "token_hex", "randbits")
)


UNSEEDED = re.compile(r"\b(default_rng|RandomState|Random|PCG64|MT19937|Philox)\(\s*(None\s*)?\)")


ROOTS = ("__iter__", "__next__", "__getitem__", "__getitems__", "__call__", "forward")


def chance_in(item: FunctionType, names: set[str], source: str) -> str:
    """Return what in a function is of chance and leaves no trace in the known generators."""
    words = sorted(names & CHANCE)
    unseeded = UNSEEDED.search(source)
    if words or unseeded:
        return words[0] if words else f"{unseeded[1]}() without a seed" if unseeded else ""
    return clock_or_system(item)


def globals_of(code: CodeType) -> Iterator[str]:
    """Yield the globals that code loads, inner functions included."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(step.argval)
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield from globals_of(item)


def texts_in(code: CodeType) -> list[str]:
    """Return the texts a function's code spells out, such as the name of a file."""
    inner = [
        each for item in code.co_consts if isinstance(item, CodeType) for each in texts_in(item)
    ]
    return [item for item in code.co_consts if isinstance(item, str)] + inner


def source_of(item: FunctionType) -> str:
    """Return a function's text without indents and blank lines, or what stands for it."""
    try:
        lines = inspect.getsource(item).splitlines()
    except (OSError, TypeError):  # typed where no text is kept
        return f"{item.__qualname__} {item.__code__.co_code.hex()}"
    return "\n".join(line.strip() for line in lines if line.strip())


def functions_of(kind: type) -> list[FunctionType]:
    """Return the methods of a user's class that give samples, and those that they name."""
    own: dict[str, FunctionType] = {}
    for base in reversed(kind.__mro__):
        if not is_library(base):
            for name, each in vars(base).items():
                inner = getattr(each, "__func__", None) or getattr(each, "fget", None) or each
                if isinstance(inner, FunctionType):
                    own[name] = inner
    made: dict[str, FunctionType] = {}
    waiting = [name for name in ROOTS if name in own]
    while waiting:
        name = waiting.pop()
        if name not in made:
            made[name] = own[name]
            waiting += [each for each in names_in(own[name].__code__) if each in own]
    return list(made.values())


def is_library(kind: type) -> bool:
    """Say whether a class is Python's or a library's, and not the user's."""
    if kind.__module__ in ("builtins", "typing", "abc"):
        return True
    own = (each for each in vars(kind).values() if isinstance(each, FunctionType))
    first = next(own, None)
    if first is not None:
        return is_foreign(first.__code__.co_filename)
    return kind.__module__.partition(".")[0] in ("torch", "torchvision", "numpy", "datasets")
