"""A progress line for work that takes long enough to wonder about."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

SHOW_AFTER = 1.0  # seconds; shorter work needs no bar
REFRESH = 0.2


class BytesBar:
    """Shows how many bytes of a whole are done, once it has taken a second.

    Parameters
    ----------
    what : str
        What is being done.
    stream : TextIO
        Where to write; the line is wiped at the end.
    """

    def __init__(self, what: str, stream: TextIO) -> None:
        self._what = what
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
            f"{done / 1e6:.0f}/{whole / 1e6:.0f} MB, {left:.0f} s left"
        )
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)

    def __enter__(self) -> BytesBar:
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
