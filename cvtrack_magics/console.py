"""Text for consoles, files and pipes of any encoding; what fails there fails nothing else."""

from __future__ import annotations

import codecs
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from cvtrack_magics.secrets.escape import printable
from cvtrack_magics.text import visible

PLAIN = "cvtrack_plain"
"""The name of the error handler that writes signs in letters."""

_WORDS = {
    "✓": "[ok]",
    "✗": "[no]",
    "✕": "[no]",
    "×": "x",
    "▶": ">",
    "●": "*",
    "·": "-",
    "•": "*",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "≥": ">=",
    "≤": "<=",
    "≠": "!=",
    "≈": "~",
    "±": "+/-",
    "µ": "u",
    "°": " deg",
    "█": "#",
    "░": ".",
    "│": "|",
    "─": "-",
    "“": '"',
    "”": '"',
    "„": '"',
    "‘": "'",
    "’": "'",
    "\N{NO-BREAK SPACE}": " ",
    "\N{NARROW NO-BREAK SPACE}": " ",
    "\N{THIN SPACE}": " ",
}


def _in_letters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(_WORDS.get(sign, "?") for sign in part), error.end


codecs.register_error(PLAIN, _in_letters)


def fitted(text: str, encoding: str) -> str:
    """Return a text with what an encoding does not have in other signs.

    Examples
    --------
    >>> fitted("✓ passed · 0.97 ≥ 0.9", "ascii")
    '[ok] passed - 0.97 >= 0.9'
    """
    return text.encode(encoding, PLAIN).decode(encoding)


_here = threading.local()


@contextmanager
def ours() -> Iterator[None]:
    """Mark what this thread prints meanwhile as said by this package."""
    before = is_ours()
    _here.ours = True
    try:
        yield
    finally:
        _here.ours = before


def is_ours() -> bool:
    """Whether what this thread prints now is said by this package, and not by the user's code."""
    return getattr(_here, "ours", False)


def say(text: object, stream: TextIO | None = None) -> str:
    """Print a text as well as a stream can show it.

    Parameters
    ----------
    text : object
        What is printed, with a line break after it.
    stream : text stream, optional
        Standard output when not given.

    Returns
    -------
    str
        Why it could not be printed: the pipe is closed, the disk is full. Empty when it was.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # a Python without a console
        return "there is no standard output"
    line = f"{visible(printable(str(text)))}\n"
    try:
        try:
            with ours():
                stream.write(line)
        except UnicodeEncodeError:
            stream.write(fitted(line, getattr(stream, "encoding", None) or "ascii"))
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def settle(stream: TextIO | None) -> str:
    """Bring what was printed to its end; where that fails, let it go and return why.

    Python writes what is left once more when it ends, and its exit code would be that of the
    failure.
    """
    if stream is None:
        return ""
    try:
        stream.flush()
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        return str(error)
    return ""


@contextmanager
def any_encoding() -> Iterator[None]:
    """Let everything that is printed meanwhile be printable, whoever prints it."""
    before: list[tuple[Any, str]] = []
    for stream in (sys.stdout, sys.stderr):
        errors = getattr(stream, "errors", None)
        with suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors=PLAIN)  # type: ignore[union-attr]
            before.append((stream, errors or "strict"))
    try:
        yield
    finally:
        for stream, errors in before:
            with suppress(OSError, ValueError):
                stream.reconfigure(errors=errors)
