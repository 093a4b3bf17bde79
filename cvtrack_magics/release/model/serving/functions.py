"""Functions of the notebook, stored as text."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

from .rejected import Rejected


def defined(text: str, name: str, shown: str) -> Callable[..., Any]:
    """Run a stored text in a namespace of its own and return one function of it.

    Parameters
    ----------
    text : str
        Import lines, constants and functions.
    name : str
        The function that is wanted.
    shown : str
        The file's name in a traceback.
    """
    space: dict[str, Any] = {"__name__": f"cvtrack_{name}", "__builtins__": __builtins__}
    linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
    try:
        exec(compile(text, shown, "exec", dont_inherit=True), space)  # noqa: S102
    except Exception as error:
        line = str(error).strip().split("\n", 1)[0][:200]
        raise Rejected(f"{name} cannot be defined here: {type(error).__name__}: {line}") from error
    return space[name]  # type: ignore[no-any-return]
