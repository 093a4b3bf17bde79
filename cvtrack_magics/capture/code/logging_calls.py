"""Whether the code of a cell logs metrics itself, told from what it calls."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from cvtrack_magics.capture.code.cell_magics import without_magics
from cvtrack_magics.text import is_a, is_class

_BY_NAME = frozenset(("log_metric", "log_metrics", "log_batch"))
"""What logs metrics, of whatever object: MLflow's module, its client, a logger."""
_OURS = "cvtrack_magics"
_KINDS = {
    **dict.fromkeys(("LOAD_NAME", "LOAD_GLOBAL"), "name"),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"), "attribute"),
    "IMPORT_NAME": "import",
}
_MOST = 200  # functions that are looked into


def logs_metrics(source: str, names: Mapping[str, Any]) -> bool:
    """Say whether a cell, or a function of the notebook that it uses, calls what logs metrics.

    Parameters
    ----------
    source : str
        The cell; magics in it are passed over.
    names : mapping
        The notebook's names.

    Returns
    -------
    bool
        False also for what cannot be read. Nothing of the user's is called.
    """
    try:
        text = without_magics(source, certain=True).text
        cell = compile(text, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    waiting, seen = [cell], {cell}
    while waiting and len(seen) < _MOST:
        mentioned: set[str] = set()
        ours: set[str] = set()
        for kind, word in _uses(waiting.pop()):
            if kind == "import" and word.split(".")[0] == _OURS:
                ours.add("log")  # the import itself may come later in the cell
            if word in (_BY_NAME | ours) or (kind == "name" and _is_our_log(names.get(word))):
                return True
            if kind == "name":
                mentioned.add(word)
                ours |= {"log"} if _is_our_module(names.get(word)) else set()
        fresh = {code for word in mentioned for code in _own_code(names.get(word))} - seen
        seen |= fresh
        waiting += fresh
    return False


def _uses(code: CodeType) -> Iterator[tuple[str, str]]:
    """Yield what code, and the functions in it, import and load, with what kind of word it is."""
    for step in dis.get_instructions(code):
        if step.opname in _KINDS:
            yield _KINDS[step.opname], str(step.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _uses(inner)


def _is_our_module(held: object) -> bool:
    return is_a(held, ModuleType) and vars(held).get("__name__") == _OURS


def _is_our_log(held: object) -> bool:
    return (
        type(held) is FunctionType
        and held.__name__ == "log"
        and str(held.__module__).startswith(f"{_OURS}.")
    )


def _own_code(held: object) -> Iterator[CodeType]:
    """Yield the code of a function, or of a class's methods, that the notebook defines."""
    for one in vars(held).values() if is_class(held) else (held,):
        if type(one) is FunctionType and one.__module__ == "__main__":
            yield one.__code__
