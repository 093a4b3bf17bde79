"""Whose an exception is: the value's that is recorded, or one that only arrives meanwhile.

A signal handler (a time-out decorator, a scheduler's warning) or another thread may raise in
the middle of ``log()``. Such an exception is the user's: the call is recorded all the same,
or was not taken, and the exception goes on to the loop that waits for it.
"""

from __future__ import annotations

import struct
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from cvtrack_magics.errors import CvtrackError
from cvtrack_magics.text import trace_of

T = TypeVar("T")
TRIES = 3
OURS = (str(Path(__file__).parent.parent), sysconfig.get_paths()["stdlib"])
"""The folders of what runs for this package: its own code, and what that calls."""
_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    NameError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class Tried(Generic[T]):
    """What asking came to: a result, or what was raised at each try."""

    def __init__(self) -> None:
        self.result: T | None = None
        self.failed: Exception | None = None


class Repeats:
    """Asks for the same again when an exception comes: what a value raises, it raises again.

    Attributes
    ----------
    arrived : Exception or None
        The first exception that did not come again, to be raised when the call is recorded.
    """

    def __init__(self) -> None:
        self.arrived: Exception | None = None

    def of(self, ask: Callable[[], T]) -> Tried[T]:
        """Ask up to three times, for what changes nothing; raises only what arrives here."""
        tried: Tried[T] = Tried()
        failed: Exception | None = None
        for _ in range(TRIES):
            try:
                tried.result = ask()
            except Exception as error:  # also of an object whose attributes raise
                failed = failed or error
            else:
                self.arrived = self.arrived or _first_cause(failed)
                return tried
        tried.failed = failed
        return tried


def _first_cause(error: Exception | None) -> Exception | None:
    """Return what an error of this package was raised for, and any other error as it is."""
    if isinstance(error, CvtrackError) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return error


def is_ours(error: Exception) -> bool:
    """Whether a fault of this package's own code raised, and nothing that called into it."""
    if isinstance(error, TimeoutError):
        return False
    if isinstance(error, (OSError, CvtrackError)):
        return True
    trace = trace_of(error)
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return (
        isinstance(error, _FAULTS)
        and trace is not None
        and trace.tb_frame.f_code.co_filename.startswith(OURS)
    )
