"""What can be measured: something that is made ready for a batch size and then called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any


def at_once() -> None:
    """Wait for nothing: on a processor a call has done its work when it returns."""


@dataclass(frozen=True, slots=True)
class Runner:
    """One way of running a model.

    Attributes
    ----------
    ready : callable
        Takes a batch size; returns a call without arguments, with its inputs in place.
    wait : callable
        Returns when the device has done all that was asked of it.
    hold : callable
        Returns a context manager; calls are made inside it. It puts everything back.
    facts : mapping
        JSON-ready: device, precision, threads, runtime.
    """

    ready: Callable[[int], Callable[[], Any]]
    wait: Callable[[], None] = at_once
    hold: Callable[[], AbstractContextManager[Any]] = nullcontext
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Absent:
    """A way of running a model that does not work here; ``why`` is one line."""

    why: str
