"""Python source as a tree, in spite of an error of CPython's that has nothing to do with it."""

from __future__ import annotations

import ast
from typing import Any

_TRIES = 5


def tree_of(source: Any, mode: str = "exec") -> Any:
    """Return what :func:`ast.parse` does.

    CPython 3.11 and 3.12 count how deep a tree is in one place for all threads. Where the garbage
    collector runs a finaliser in the middle and another thread makes a tree meanwhile, the counts
    disagree and a good source raises SystemError (python/cpython#106905).

    Parameters
    ----------
    source : str or bytes
        The source.
    mode : {'exec', 'eval'}
        Of statements, or of one expression.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        As :func:`ast.parse` does.
    """
    for _ in range(_TRIES - 1):
        try:
            return ast.parse(source, mode=mode)
        except SystemError:  # another one is as good as certain to succeed
            continue
    return ast.parse(source, mode=mode)
