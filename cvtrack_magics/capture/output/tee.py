"""Keeps a copy of what is printed, without replacing ``sys.stdout``."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from cvtrack_magics import forks

LIMIT = 256 * 1024
_COMPACT_AT = 64 * 1024
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class StreamTee:
    """Copies what is written to ``sys.stdout`` and ``sys.stderr`` while attached.

    The streams stay the objects they are; only their ``write`` is wrapped, as
    IPython does around a cell, so that ipykernel still routes each cell's output.

    Parameters
    ----------
    limit : int, optional
        Characters kept at the head, and again at the tail; a line between them says
        how much is missing.
    lines : callable, optional
        Given what was printed, whole lines at a time, in the thread that prints.

    Notes
    -----
    Thread safe. A forked child writes through and records nothing, because a lock
    held while forking would never be released in it.
    """

    def __init__(self, limit: int = LIMIT, lines: Callable[[str], None] | None = None) -> None:
        self._log = _Log(limit, lines)
        self._lock = forks.rlock()  # a signal may come into it, and its handler print
        self._taps: list[_Tap] = []

    @property
    def attached(self) -> bool:
        """Whether anything is being copied."""
        return bool(self._taps)

    def attach(self) -> None:
        """Start copying from whatever ``sys.stdout`` and ``sys.stderr`` are now.

        Calling it again is harmless, and adds streams that have been replaced since.
        """
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name, None)
            if stream is None or any(t.stream is stream and t.in_place() for t in self._taps):
                continue  # also when both names are one object
            # Someone wrapped or restored it after us: go on top, and silence what is below.
            for old in [t for t in self._taps if t.stream is stream]:
                old.remove()
                self._taps.remove(old)
            with contextlib.suppress(AttributeError, TypeError):
                self._taps.append(_Tap(stream, name, self._record))

    def detach(self) -> None:
        """Stop copying and put each ``write`` back, unless someone wrapped it after us."""
        while self._taps:
            self._taps.pop().remove()

    def text(self) -> str:
        """Return what was printed: progress bars in their last state, colours removed."""
        with self._lock:
            return self._log.text()

    def take(self, text: str) -> None:
        """Keep text that is shown and not written, while attached."""
        if self._taps:
            self._record("shown", text)

    def _record(self, name: str, text: str) -> None:
        with self._lock:
            self._log.add(name, text)

    def __enter__(self) -> StreamTee:
        self.attach()
        return self

    def __exit__(self, *exc: object) -> None:
        self.detach()


class _Tap:
    """One wrapped ``write`` of one stream."""

    def __init__(self, stream: Any, name: str, record: Callable[[str, str], None]) -> None:
        self.stream = stream
        self._active = True
        self._had_own = "write" in vars(stream)
        self._original = stream.write
        owner = os.getpid()
        original = self._original

        def write(text: str, *args: Any, **kwargs: Any) -> Any:
            result = original(text, *args, **kwargs)
            if self._active and os.getpid() == owner and isinstance(text, str):
                record(name, text)
            return result

        self._write = write
        _TAPS[write] = self
        stream.write = write

    def in_place(self) -> bool:
        """Whether the stream's ``write`` is ours."""
        return self._active and vars(self.stream).get("write") is self._write

    def remove(self) -> None:
        self._active = False
        if vars(self.stream).get("write") is not self._write:
            return  # a later wrapper calls ours, which now only passes text on
        lowest = self._lowest_over()
        if lowest._had_own:
            self.stream.write = lowest._original
        else:
            del self.stream.write

    def _lowest_over(self) -> _Tap:
        """Return the lowest tap with none below it that still copies: runs end in any order."""
        lowest = self
        while (below := _TAPS.get(lowest._original)) is not None and not below._active:
            lowest = below
        return lowest


_TAPS: WeakKeyDictionary[Callable[..., Any], _Tap] = WeakKeyDictionary()
"""The taps by their functions, which hold them; a bound method is the key of none."""


class _Log:
    """Head and tail of a text whose unfinished lines may still be overwritten."""

    def __init__(self, limit: int, lines: Callable[[str], None] | None) -> None:
        self._limit = limit
        self._lines = lines
        self._head: list[str] = []
        self._head_size = 0
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._dropped = 0
        self._open: dict[str, list[str]] = {}
        self._open_size: dict[str, int] = {}

    def add(self, name: str, text: str) -> None:
        pieces = self._open.setdefault(name, [])
        pieces.append(text)
        size = self._open_size.get(name, 0) + len(text)
        self._open_size[name] = size
        if "\n" in text or size > _COMPACT_AT:
            self._compact(name)

    def _compact(self, name: str) -> None:
        joined = "".join(self._open[name])
        complete, newline, rest = joined.rpartition("\n")
        if newline:
            complete = collapse(complete)
            self._keep(complete + "\n")
            if self._lines is not None:
                self._lines(complete)
        rest = _last_state(rest)
        if len(rest) > _COMPACT_AT:
            self._keep(collapse(rest))
            rest = ""
        self._open[name] = [rest] if rest else []
        self._open_size[name] = len(rest)

    def _keep(self, text: str) -> None:
        room = self._limit - self._head_size
        if room > 0 and not self._tail:
            self._head.append(text[:room])
            self._head_size += min(room, len(text))
            text = text[room:]
        if not text:
            return
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size > self._limit:
            over = self._tail_size - self._limit
            first = self._tail.popleft()
            if len(first) > over:
                self._tail.appendleft(first[over:])
            cut = min(over, len(first))
            self._tail_size -= cut
            self._dropped += cut

    def text(self) -> str:
        gap = f"\n[… {self._dropped:,} characters left out …]\n" if self._dropped else ""
        rest = [collapse("".join(pieces)) for pieces in list(self._open.values())]
        unfinished = "\n".join(line for line in rest if line)
        return "".join([*self._head, gap, *self._tail, unfinished])


def _last_state(line: str) -> str:
    """Drop what a carriage return will overwrite, and keep the return itself."""
    body, trailing = (line[:-1], "\r") if line.endswith("\r") else (line, "")
    start = body.rfind("\r")
    return (body if start < 0 else body[start:]) + trailing


def collapse(text: str) -> str:
    """Return a text as a terminal would leave it: last state of each line, no colours.

    Parameters
    ----------
    text : str
        Raw output with carriage returns and ANSI escape sequences.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\r" not in text:
        return text
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        states = [state for state in line.split("\r") if state.strip()]
        lines.append(states[-1].rstrip() if states else "")
    return "\n".join(lines)
