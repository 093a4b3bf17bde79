"""What is said where a run cannot be opened, for no fault of its line, and the cell runs on."""

from __future__ import annotations

import errno
import os
import sysconfig
from pathlib import Path

from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.text import kind_of

NOT_THE_USERS = (str(Path(__file__).parent.parent), *map(str, sysconfig.get_paths().values()))
FULL = (errno.EMFILE, errno.ENFILE)


def not_opened(error: Exception) -> str:
    """Return the line that says why a run was not opened, and what to do."""
    return (
        f"cvtrack: the run could not be opened ({_said(error)}{_where(error)}). The code "
        f"runs without it, and what it logs is not recorded. {_what_to_do(error)}"
    )


def _said(error: Exception) -> str:
    """Return what an error says, but where that cannot be searched for secrets its kind only."""
    try:
        return kind_and_line(error)
    except Exception:  # the rules of secrets are in a file
        number = getattr(error, "errno", None)
        return f"{kind_of(error)}: {os.strerror(number)}" if number else kind_of(error)


def _where(error: BaseException) -> str:
    """Name the user's function that raised, where one did: it stands for one of a library."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace is not None else None
    if code is None or code.co_filename.startswith(("<frozen", *NOT_THE_USERS)):
        return ""
    return f", raised in {code.co_name}()"


def _what_to_do(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in FULL:
        return "Close files, or raise the limit of open files (ulimit -n), and run the cell again."
    if _where(error):
        return "Put back what your code has replaced in Python's own modules; then run it again."
    return "Restart the kernel if it comes again; the error's words say what is missing."
