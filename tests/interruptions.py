"""Raises in the middle of a call, at every place where an exception may arrive in turn."""

from __future__ import annotations

import dis
import enum
import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


class Ending(enum.Enum):
    """How a call ended that an exception arrived in."""

    RAISED = "it raised what arrived"
    RETURNED = "it returned, and what arrived reached nobody"
    BEYOND = "it has fewer places, and nothing arrived"


def raises_at(place: int, call: Callable[[], None], late: type[Exception]) -> Ending:
    """Make a call in which an exception arrives at one place.

    The places are those where Python lets a signal's handler run: behind a call, at a
    function's beginning, and where a loop goes round.
    """
    seen = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal seen
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_code is not call.__code__ and _may_interrupt(frame):
            if seen == place:
                sys.settrace(None)
                seen += 1
                raise late
            seen += 1
        return trace

    gc.disable()  # what is raised in a callback of the collector reaches nobody
    sys.settrace(trace)
    try:
        call()
    except late:
        return Ending.RAISED
    finally:
        sys.settrace(None)
        gc.enable()
    return Ending.RETURNED if seen > place else Ending.BEYOND


def _may_interrupt(frame: FrameType) -> bool:
    before = frame.f_lasti - 2
    code = frame.f_code.co_code
    while before > 0 and dis.opname[code[before]] == "CACHE":
        before -= 2
    name = dis.opname[code[before]] if before >= 0 else ""
    return name.startswith(("CALL", "JUMP_BACKWARD", "JUMP_ABSOLUTE", "RESUME"))
