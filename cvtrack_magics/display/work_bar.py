"""A progress line for work that takes long enough to wonder about."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

from cvtrack_magics.text import visible

SHOW_AFTER = 1.0  # seconds; shorter work needs no bar
REFRESH = 0.2


class WorkBar:
    """Shows how much of a whole is done, once it has taken a second.

    Parameters
    ----------
    what : str
        What is being done.
    stream : TextIO
        Where to write; the line is wiped at the end.
    unit : str
        What is counted.
    scale : float
        How much of what is counted makes one unit.
    """

    def __init__(self, what: str, stream: TextIO, unit: str, scale: float = 1) -> None:
        self._unit = unit
        self._scale = scale
        self._what = visible(what)
        self._stream = stream
        self._start = time.monotonic()
        self._shown = 0.0
        self._length = 0

    def update(self, done: int, whole: int) -> None:
        """Say how far the work is; called as often as convenient."""
        now = time.monotonic()
        if now - self._start < SHOW_AFTER or now - self._shown < REFRESH:
            return
        self._shown = now
        rate = done / (now - self._start)
        left = (whole - done) / rate if rate else 0.0
        share = done / whole if whole else 1.0
        filled = "█" * int(share * 24)
        line = (
            f"{self._what} {filled:<24} {share:4.0%} "
            f"{done / self._scale:,.0f}/{whole / self._scale:,.0f} {self._unit}, "
            f"{left:.0f} s left"
        )
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)

    def __enter__(self) -> WorkBar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._length:
            self._stream.write("\r" + " " * self._length + "\r")
            self._stream.flush()
