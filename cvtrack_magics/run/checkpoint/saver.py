"""Writes checkpoints off the loop's thread, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cvtrack_magics.redact import kind_and_line
from cvtrack_magics.threads import started


class Saver:
    """One thread that writes what it is given, as long as it is given something.

    Parameters
    ----------
    failed : callable
        Told in one line why something could not be written.
    """

    def __init__(self, failed: Callable[[str], object]) -> None:
        self._failed = failed
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether something is being written."""
        return self._thread is not None and self._thread.is_alive()

    def save(self, write: Callable[[], Any]) -> None:
        """Call a function on a thread of its own; it is not called twice at a time."""
        self.wait(None)

        def work() -> None:
            try:
                write()
            except Exception as error:
                self._failed(f"A checkpoint could not be written: {kind_and_line(error)}")

        self._thread = started(work, name="cvtrack-checkpoint")
        if self._thread is None:
            work()

    def wait(self, timeout: float | None) -> bool:
        """Wait until all is written; False when it is not in that time."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.is_busy
