"""The thread that sends what the journal holds, and never gives up."""

from __future__ import annotations

import threading
import time

from cvtrack_magics.runs.delivery import Delivery


class Sender:
    """Advances the deliveries it was given until each is done.

    Parameters
    ----------
    interval : float
        Seconds between two looks for new points.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._deliveries: list[Delivery] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._hurry = False

    def open(self, delivery: Delivery) -> None:
        """Start to send what a run's journal holds, now and later."""
        with self._changed:
            self._deliveries.append(delivery)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="cvtrack-sender", daemon=True
                )
                self._thread.start()

    @property
    def deliveries(self) -> list[Delivery]:
        """Those that are not done."""
        with self._changed:
            return [item for item in self._deliveries if not item.done]

    def hurry(self) -> None:
        """Send now, also what failed a moment ago."""
        with self._changed:
            for delivery in self._deliveries:
                delivery.next_try = delivery.not_before
            self._hurry = True
            self._changed.notify_all()

    def wait(self, delivery: Delivery, timeout: float, *, patient: bool = False) -> bool:
        """Wait until a run is in the store, to its end.

        Parameters
        ----------
        delivery : Delivery
            Whose end was added.
        timeout : float
            Seconds.
        patient : bool
            Wait on although a try failed meanwhile; otherwise a failure is the answer.

        Returns
        -------
        bool
            False when time ran out or the store did not take it.
        """
        began = time.monotonic()
        self.hurry()
        with self._changed:
            while not delivery.done:
                left = began + timeout - time.monotonic()
                failed = delivery.failed_try > began  # a try of before says nothing about now
                failed = failed or delivery.not_before > time.monotonic()
                if left <= 0 or (failed and not patient) or self._stopped:
                    return False
                self._changed.wait(min(left, 0.5))
        return True

    def flush(self, delivery: Delivery, timeout: float) -> bool:
        """Wait until what was logged so far is in the store; False when it is not."""
        began = time.monotonic()
        self.hurry()
        while delivery.waiting or delivery.facts:
            late = time.monotonic() > began + timeout
            asked_to_wait = delivery.not_before > time.monotonic()
            if late or asked_to_wait or delivery.failed_try > began or delivery.done:
                return False
            time.sleep(0.005)
        return True

    def stop(self) -> None:
        """End the thread after what it is at; what waits stays in the journal."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._hurry and not self._stopped:
                    self._changed.wait(self._interval)
                if self._stopped:
                    return
                self._hurry = False
                self._deliveries = [item for item in self._deliveries if not item.done]
                due = [item for item in self._deliveries if item.next_try <= time.monotonic()]
            for delivery in due:
                delivery.try_to_advance()
                with self._changed:
                    self._changed.notify_all()
