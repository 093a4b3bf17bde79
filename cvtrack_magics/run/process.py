"""Sees to it that a run open at the process's end is KILLED, never FINISHED."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

LONGEST = 20.0  # seconds after a signal; what is not sent by then is on disk
GRANTED = 10.0  # seconds that a training gets to come to its next checkpoint
STUCK = (
    b"cvtrack: this process was told to end and was stuck where the signal came; it is ended now. "
    b"'cvtrack sync' sends what is on disk.\n"
)


class ProcessEnd:
    """Acts when the process exits or is told to terminate, while runs are open.

    Parameters
    ----------
    stop : callable
        Ends what is open, and is told whether there is time to send the rest.

    Notes
    -----
    MLflow's own exit handler ends an active run as FINISHED. Exit handlers run in
    reverse order, so ours is registered anew, behind it, each time a run is opened.
    """

    def __init__(self, stop: Callable[[bool], None]) -> None:
        self._stop = stop
        self._pid = os.getpid()
        self._old_sigterm: Any = None
        self.ending = False
        self.last_wish: Callable[[], bool] = lambda: False
        """Asked first when the process is told to end; whether :meth:`end_now` comes soon."""
        self._granted: threading.Timer | None = None

    def hold(self) -> None:
        """Begin to watch; a run was opened."""
        self._granted = None
        atexit.unregister(self._at_exit)
        atexit.register(self._at_exit)
        if self._old_sigterm is None and threading.current_thread() is threading.main_thread():
            with suppress(ValueError, OSError):
                self._old_sigterm = signal.signal(signal.SIGTERM, self._on_sigterm)

    def release(self) -> None:
        """Give the signal's handler back: no run is open. What waits is sent at the exit."""
        if self._old_sigterm is not None:
            with suppress(ValueError, OSError):
                if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
                    signal.signal(signal.SIGTERM, self._old_sigterm)
            self._old_sigterm = None

    def end_now(self) -> None:
        """End the process as it was told to; what was to be done before is done."""
        if self._granted is not None:
            self._granted.cancel()
            signal.raise_signal(signal.SIGTERM)

    def _grant(self, number: int) -> bool:
        """Let the code that the signal came into go on to where its state can be kept."""
        if self._granted is not None or os.getpid() != self._pid:
            return False
        with suppress(Exception):
            if self.last_wish():
                again = threading.Timer(GRANTED, os.kill, (os.getpid(), number))
                again.daemon = True
                again.start()
                self._granted = again
        return self._granted is not None

    def in_child(self) -> None:
        """Give a forked child the signal's own action: it has no run of this process to end.

        A handler of Python's runs between two steps of the main thread only, and a signal that
        comes just before that thread begins to wait is seen when it has waited.
        """
        self.release()

    def forget(self) -> None:
        """Give all handlers back; nothing is left to end or to send."""
        self.release()
        atexit.unregister(self._at_exit)

    def _at_exit(self, *, in_time: bool = True) -> None:
        if os.getpid() != self._pid:  # a forked worker inherits the handlers, not the runs
            return
        self.ending = True
        with suppress(Exception):
            self._stop(in_time)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if self._grant(number):
            return
        old = self._old_sigterm
        # the code that the signal came into may hold what we need: the end comes all the same
        net = threading.Timer(LONGEST, _end_now, (number,))
        net.daemon = True
        try:
            if os.getpid() == self._pid:
                with suppress(RuntimeError):
                    net.start()
            self._at_exit(in_time=False)
        finally:  # an interrupt may come into this, and the code that it came into goes on
            net.cancel()
        if callable(old):
            old(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def _end_now(number: int) -> None:
    """End this process from a thread, whatever the main one waits for."""
    with suppress(OSError):
        os.write(2, STUCK)
    os._exit(128 + number)  # as shells count what a signal has ended
