"""The thread that brings new points to the plots."""

from __future__ import annotations

import threading
from collections.abc import Callable

from cvtrack_magics import forks
from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.system import time
from cvtrack_magics.threads import started

JUMP = 1_000_000_000  # nanoseconds that the wall clock may gain before points follow it


class Pump:
    """Drains the open channels, again and again.

    Parameters
    ----------
    interval : float
        Seconds between two times.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._channels: dict[Channel, Callable[[], None] | None] = {}
        self._lock = forks.rlock()
        self._stopped = forks.event()
        self._thread: threading.Thread | None = None
        self._apart = time.time_ns() - time.monotonic_ns()
        self.last_error = ""

    def open(self, channel: Channel, tick: Callable[[], None] | None = None) -> None:
        """Start to show a run's points; ``tick`` is called each time before that."""
        with self._lock:
            self._channels[channel] = tick
            if self._thread is None or not self._thread.is_alive():
                self._thread = started(self._work, name="cvtrack-pump")

    def close(self, channel: Channel) -> None:
        """Show what is left of a run, and no more."""
        with self._lock:
            self._channels.pop(channel, None)
        channel.drain()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.wait(self._interval):
            with self._lock:
                channels = list(self._channels.items())
            apart = time.time_ns() - time.monotonic_ns()
            moved, self._apart = apart - self._apart > JUMP, apart
            for channel, tick in channels:
                try:
                    if tick is not None:
                        tick()
                    if moved:
                        channel.clock_moved()
                    channel.drain()
                except Exception as error:  # a plot that fails must not stop the points
                    self.last_error = f"{type(error).__name__}: {error}"
