"""Interrupts a call at every place in turn where a signal's handler may: raises, or calls."""

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

    def arrives() -> None:
        raise late

    gc.disable()  # what is raised in a callback of the collector reaches nobody
    try:
        was_there = _interrupted(place, call, arrives)
    except late:
        return Ending.RAISED
    finally:
        gc.enable()
    return Ending.RETURNED if was_there else Ending.BEYOND


def calls_at(place: int, call: Callable[[], None], inside: Callable[[], None]) -> bool:
    """Make a call inside of which another one is made, at one place; say whether it was."""
    gc.disable()
    try:
        return _interrupted(place, call, inside)
    finally:
        gc.enable()


def _interrupted(place: int, call: Callable[[], None], handler: Callable[[], None]) -> bool:
    """Make a call, and another one at one place of it; say whether there is such a place."""
    seen, places = 0, _Places()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal seen
        frame.f_trace_opcodes = True
        if event == "call":
            places.begins(frame)
        if event == "opcode" and frame.f_code is not call.__code__ and places.is_one(frame):
            seen += 1
            if seen == place + 1:
                sys.settrace(None)
                handler()
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return seen > place


class _Places:
    """Tells where Python lets a signal's handler run, by what each frame did last."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}  # by identity: who holds a frame keeps what is in it alive

    def begins(self, frame: FrameType) -> None:
        self._last.pop(id(frame), None)

    def is_one(self, frame: FrameType) -> bool:
        before, self._last[id(frame)] = self._last.get(id(frame), -1), frame.f_lasti
        if dis.opname[frame.f_code.co_code[frame.f_lasti]] == "PUSH_EXC_INFO":
            return False  # what was called has raised: no handler runs before the error is caught
        name = dis.opname[frame.f_code.co_code[before]] if before >= 0 else ""
        return name.startswith(("CALL", "JUMP_ABSOLUTE", "RESUME")) or "JUMP_BACKWARD" in name
