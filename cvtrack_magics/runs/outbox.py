"""Writes that must happen, in order, off the cell's thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

Job = Callable[[], None]


class Outbox:
    """A queue of writes performed by one thread, each retried until it succeeds.

    Parameters
    ----------
    first_pause, longest_pause : float
        Seconds between two tries of a failing job; doubled each time.
    patience : int
        Tries before a job is given up, so that one broken job does not block the rest.
    """

    def __init__(
        self, first_pause: float = 0.5, longest_pause: float = 30.0, patience: int = 100
    ) -> None:
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._patience = patience
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.last_error = ""

    def put(self, job: Job) -> None:
        """Add a job behind those that wait."""
        with self._changed:
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="cvtrack-outbox", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is left; False when time ran out first (seconds)."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._jobs:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def stop(self) -> None:
        """End the thread after the job it is at."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._stopped:
                    self._changed.wait()
                if self._stopped:
                    return
                job = self._jobs[0]
            self._perform(job)
            with self._changed:
                self._jobs.popleft()
                self._changed.notify_all()

    def _perform(self, job: Job) -> None:
        pause = self._first_pause
        for _ in range(self._patience):
            try:
                job()
                return
            except Exception as error:
                self.last_error = f"{type(error).__name__}: {error}"
            with self._changed:
                if self._stopped:
                    return
                self._changed.wait(pause)
            pause = min(pause * 2, self._longest_pause)
