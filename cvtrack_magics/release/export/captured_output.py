"""What exporters print, warn and log is kept for a report instead of shown."""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cvtrack_magics.redact import redact

_KEPT = 200
_TREES = ("torch", "onnx", "onnxscript", "onnx_ir", "onnxruntime", "py.warnings")
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


@dataclass
class Chatter:
    """The last lines that were written, and every warning as (class, message, file, line)."""

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    warned: list[tuple[str, str, str, int]] = field(default_factory=list)

    def last(self, count: int = 5) -> tuple[str, ...]:
        """Return the last lines, without credentials and control characters."""
        return tuple(clean(line) for line in list(self.lines)[-count:])


def clean(text: str, limit: int = 200) -> str:
    """Return text of an exporter as it may be shown: no colours, no credentials, short."""
    return redact(_CONTROL.sub("", text))[:limit]


class _Stream:
    """Keeps what this thread writes; what other threads write goes on to where it went."""

    def __init__(self, chatter: Chatter, original: Any) -> None:
        self._chatter = chatter
        self._original = original
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() != self._thread:
            return int(self._original.write(text) or 0)
        self._chatter.lines.extend(line for line in text.splitlines() if line.strip())
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class _Handler(logging.Handler):
    def __init__(self, chatter: Chatter) -> None:
        super().__init__()
        self._chatter = chatter

    def emit(self, record: logging.LogRecord) -> None:
        self._chatter.lines.extend(record.getMessage().splitlines())


@contextmanager
def quiet() -> Iterator[Chatter]:
    """Keep what this thread prints, warns and logs through exporters; nothing is shown.

    Loggers of other packages go on. Everything is put back afterwards.
    """
    chatter = Chatter()
    streams = sys.stdout, sys.stderr
    with warnings.catch_warnings(), _loggers(_Handler(chatter)):
        warnings.simplefilter("always")

        def warned(  # noqa: PLR0917
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: Any = None,  # noqa: ARG001
            line: str | None = None,  # noqa: ARG001
        ) -> None:
            chatter.warned.append((category.__name__, str(message), filename, lineno))

        warnings.showwarning = warned
        sys.stdout, sys.stderr = (_Stream(chatter, each) for each in streams)
        try:
            yield chatter
        finally:
            sys.stdout, sys.stderr = streams


@contextmanager
def _loggers(handler: logging.Handler) -> Iterator[None]:
    """Give the roots of the exporters' loggers, and those with handlers, one handler."""
    found = [logging.getLogger(name) for name in _TREES]
    found += [
        each
        for name, each in list(logging.root.manager.loggerDict.items())
        if isinstance(each, logging.Logger) and each.handlers and name.startswith(_TREES)
    ]
    before = [(each, each.handlers, each.propagate) for each in dict.fromkeys(found)]
    for each, _, _ in before:
        each.handlers, each.propagate = [handler], False
    try:
        yield
    finally:
        for each, handlers, propagate in before:
            each.handlers, each.propagate = handlers, propagate
