"""The threads that send what the journal holds, and never give up: one for each store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from cvtrack_magics import forks
from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.delivery.sending_process import Outside
from cvtrack_magics.journal import liveness
from cvtrack_magics.system import time
from cvtrack_magics.threads import started

SOON = 1.0  # seconds of waiting at the process's end that nothing is said of
TURN = 0.25  # seconds that one run may send while another of its store waits
UNCARRIED = 1.0  # seconds after which a run that nobody sends is waited for no longer


class Sender:
    """Advances the deliveries it was given until each is done.

    Each store has a lane of its own, so that one that hangs holds up nobody else's runs. In a
    lane the runs take turns, so that a short one never waits for a long one.

    Parameters
    ----------
    interval : float
        Seconds between two looks for new points.
    outside : callable, optional
        Whether a long run may be handed over to a process; without it none is.
    """

    def __init__(self, interval: float, outside: Callable[[], bool] | None = None) -> None:
        self._interval = interval
        self._lanes: dict[str, _Lane] = {}
        self._changed = forks.condition()
        self._stopped = False
        self._outside = Outside(outside or (lambda: False), self.open, self._changed)

    def open(self, delivery: Delivery) -> None:
        """Start to send what a run's journal holds, now and later."""
        with self._changed:
            lane = self._lanes.get(delivery.note.uri)
            if lane is None:
                lane = _Lane(self._interval, self._changed, self._outside)
                self._lanes[delivery.note.uri] = lane
            if delivery not in lane.deliveries:  # its process was gone before it was let go here
                lane.deliveries.append(delivery)
            lane.start()

    @property
    def deliveries(self) -> list[Delivery]:
        """Those that are not done."""
        with self._changed:
            here = [d for lane in self._lanes.values() for d in lane.deliveries if not d.done]
        return [*here, *(d for d in self._outside.deliveries if d not in here)]

    def hurry(self) -> None:
        """Send now, also what failed a moment ago."""
        with self._changed:
            for lane in self._lanes.values():
                lane.hurry = True
                lane.start()  # there was none to be had before
                for delivery in lane.deliveries:
                    delivery.next_try = delivery.tried.not_before
            self._changed.notify_all()
        self._outside.hurry()

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
            False when time ran out, the store did not take it, or nobody sends it.
        """
        began = carried = time.monotonic()
        self.hurry()
        with self._changed:
            while not delivery.done:
                now = time.monotonic()
                failed = delivery.tried.failed_since(began) or delivery.tried.asked_to_wait
                if self._is_carried(delivery):
                    carried = now
                late = now >= began + timeout or now > carried + UNCARRIED
                if late or (failed and not patient) or self._stopped:
                    return False
                self._changed.wait(min(began + timeout - now, 0.5))
        return True

    def _is_carried(self, delivery: Delivery) -> bool:
        """Whether a thread or a process sends a run; a thread is tried for again."""
        if delivery.elsewhere is not None:
            return True
        lane = next((one for one in self._lanes.values() if delivery in one.deliveries), None)
        return lane is not None and lane.start()

    def drain(self, timeout: float, say: Callable[[str], None]) -> None:
        """Wait until all that has ended is in the store, as long as the store takes it.

        Parameters
        ----------
        timeout : float
            Seconds.
        say : callable
            Told once what is waited for, where it takes long.
        """
        began, told = time.monotonic(), False
        self.hurry()
        while time.monotonic() < began + timeout:
            ended = [item for item in self.deliveries if item.end is not None]
            left = [
                item
                for item in ended
                if not item.tried.said_no_since(began) and item.tried.not_before < began + timeout
            ]
            if not left:
                return
            if not told and time.monotonic() > began + SOON:
                told = True
                points = sum(delivery.waiting for delivery in left)
                say(
                    f"cvtrack: waiting at most {timeout:.0f} s until {points:,} points of "
                    f"{len(left)} run{'s' * (len(left) > 1)} are in the store. Ctrl-C ends that; "
                    "'cvtrack sync' sends them later."
                )
            with self._changed:
                self._changed.wait(0.05)

    def flush(self, delivery: Delivery, timeout: float) -> bool:
        """Wait until what was logged so far is in the store; False when it is not."""
        began = time.monotonic()
        self.hurry()
        while delivery.waiting or delivery.facts:
            late = time.monotonic() > began + timeout
            failed = delivery.tried.failed_since(began) or delivery.tried.asked_to_wait
            if late or failed or delivery.done:
                return False
            time.sleep(0.005)
        return True

    def stop(self) -> None:
        """End the threads after what they are at; what waits stays in the journal."""
        with self._changed:
            self._stopped = True
            for lane in self._lanes.values():
                lane.stopped = True
            self._changed.notify_all()
        self._outside.stop()


class _Lane:
    """The runs of one store, and the thread that sends them."""

    def __init__(self, interval: float, changed: threading.Condition, outside: Outside) -> None:
        self._outside = outside
        self.deliveries: list[Delivery] = []
        self.hurry = False
        self.stopped = False
        self._interval = interval
        self._changed = changed
        self._thread: threading.Thread | None = None

    def start(self) -> bool:
        """Start the thread, once there is one; anew where something has ended it.

        Returns
        -------
        bool
            Whether there is one.
        """
        if self._thread is None or not self._thread.is_alive():
            self._thread = started(self._work, name="cvtrack-sender")
        return self._thread is not None

    def _work(self) -> None:
        more = False
        while True:
            with self._changed:
                if not (self.hurry or self.stopped or more):
                    self._changed.wait(self._interval)
                if self.stopped:
                    return
                self.hurry = False
                self.deliveries = [item for item in self.deliveries if not item.done]
                now = time.monotonic()
                due = [item for item in self.deliveries if item.next_try <= now]
            liveness.beat()
            with suppress(Exception):  # what cannot be sent from outside is sent from here
                self._hand_over(due)
            more = False
            for delivery in [item for item in due if item.elsewhere is None]:
                more |= delivery.try_to_advance(TURN)
                with self._changed:
                    self._changed.notify_all()

    def _hand_over(self, due: list[Delivery]) -> None:
        """Let runs that last be sent by a process, and take back what it cannot send."""
        self._outside.look()
        for delivery in due:
            if self._outside.takes(delivery):
                with self._changed:
                    if delivery.elsewhere is not None:  # else its process is gone already
                        self.deliveries = [d for d in self.deliveries if d is not delivery]
