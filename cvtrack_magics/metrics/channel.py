"""The way of a metric inside the process: ``log()`` puts it in, two readers take it out.

The training loop only appends to a deque. A pump drains it into the history that
plots read, and a sender batches the same points to the store; neither waits for the
other, so a slow server never stops the plot and never stops the loop.
"""

from __future__ import annotations

import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.metrics.series import History, Series
from cvtrack_magics.records import Metric

Send = Callable[[list[Metric]], None]
"""Writes one batch of points, at most 1,000; raises when the store did not take it."""

Refresh = Callable[[Mapping[str, Series]], None]
"""Takes just the new points."""

MAX_STEP = 2**63  # stores keep steps as 64-bit integers
BATCH = 1000  # MLflow refuses more metrics in one call


def as_number(key: str, value: Any) -> Any:
    """Return a float, or a detached copy of a tensor that lives on a device.

    A device tensor is copied on its own stream instead of being read, because reading
    it would make the training loop wait for the device. It is read by the pump.
    """
    kind = type(value)
    if kind is float:
        return value
    if getattr(value, "is_cuda", False) or getattr(value, "is_mps", False):
        if value.numel() == 1:
            return value.detach().clone()
    elif not isinstance(value, (str, bytes)):
        item = getattr(value, "item", None)  # float() of a tensor that needs a gradient warns
        try:
            return float(value if item is None else item())
        except (TypeError, ValueError, RuntimeError, OverflowError):
            pass
    shape = getattr(value, "shape", None)
    seen = f"{kind.__name__} of shape {tuple(shape)}" if shape is not None else kind.__name__
    raise UsageProblem(
        f"Metric {key!r} is a {seen}, not one number.",
        "Log a number, a NumPy scalar or a 0-d tensor, for example loss.mean().",
    )


def as_step(step: Any) -> int:
    """Return a step as a Python integer; :class:`UsageProblem` when it is none."""
    try:
        number = operator.index(step)
    except (TypeError, RuntimeError):
        number = MAX_STEP
    if not -MAX_STEP < number < MAX_STEP:
        raise UsageProblem(
            f"step={step!r} is not a step.", "Give a whole number, for example step=epoch."
        )
    return number


class Channel:
    """The metrics of one open run.

    Parameters
    ----------
    send : callable, optional
        Writes one batch to the run; without it the points are only shown.
    """

    def __init__(self, send: Send | None = None) -> None:
        self.send = send
        self.history = History()
        self.refresh: Refresh | None = None
        self.unsent: deque[Metric] = deque()
        self._inbox: deque[tuple[str, Any, int, int]] = deque()
        self._counts: dict[str, int] = {}
        self._drain_lock = threading.Lock()

    def log(self, metrics: Mapping[str, Any], step: int | None, every: int) -> None:
        """Put values in; called from the training loop."""
        now = time.time_ns() // 1_000_000
        counts = self._counts
        if step is not None and (type(step) is not int or not -MAX_STEP < step < MAX_STEP):
            step = as_step(step)
        for key, value in metrics.items():
            if step is None:
                at = counts.get(key, 0)
                counts[key] = at + 1
            else:
                at = step
                counts[key] = step + 1
            if every == 1 or at % every == 0:
                self._inbox.append((key, as_number(key, value), at, now))

    def drain(self) -> None:
        """Move what was logged into the history, the plot and the sender's queue."""
        with self._drain_lock:
            fresh = []
            while self._inbox:
                key, value, step, timestamp = self._inbox.popleft()
                fresh.append(Metric(key, float(value), step, timestamp))
            if not fresh:
                return
            new = self.history.extend(fresh)
            if self.send is not None:
                self.unsent.extend(fresh)
            if self.refresh is not None:
                self.refresh(new)


class Traffic:
    """Two threads that carry the points of all open channels.

    Parameters
    ----------
    send_interval, plot_interval : float
        Seconds.
    """

    def __init__(self, send_interval: float, plot_interval: float) -> None:
        self._send_interval = send_interval
        self._plot_interval = plot_interval
        self._channels: list[Channel] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.last_error = ""

    def open(self, channel: Channel) -> None:
        """Start carrying a run's points."""
        with self._lock:
            self._channels.append(channel)
        if not self._threads:
            for work, name in ((self._pump, "cvtrack-pump"), (self._sender, "cvtrack-sender")):
                thread = threading.Thread(target=work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self, channel: Channel, timeout: float) -> bool:
        """Send what is left of one run; True when the store has all of it in time."""
        channel.drain()
        deadline = time.monotonic() + timeout
        self._wake.set()
        with self._changed:
            while channel.unsent:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        with self._lock:
            if channel in self._channels:
                self._channels.remove(channel)
        return True

    def stop(self) -> None:
        """End both threads; points that are still unsent stay in their channels."""
        self._stopped.set()
        self._wake.set()

    def _open_channels(self) -> list[Channel]:
        with self._lock:
            return list(self._channels)

    def _pump(self) -> None:
        while not self._stopped.wait(self._plot_interval):
            for channel in self._open_channels():
                try:
                    channel.drain()
                except Exception as error:  # a plot that fails must not stop the points
                    self.last_error = f"{type(error).__name__}: {error}"

    def _sender(self) -> None:
        pause = self._send_interval
        while not self._stopped.is_set():
            self._wake.wait(pause)
            self._wake.clear()
            pause = self._send_interval
            for channel in self._open_channels():
                try:
                    self._send_all(channel)
                except Exception as error:
                    self.last_error = f"{type(error).__name__}: {error}"
                    pause = min(30.0, max(1.0, pause * 2))

    def _send_all(self, channel: Channel) -> None:
        while channel.unsent:
            batch = [channel.unsent[i] for i in range(min(BATCH, len(channel.unsent)))]
            if channel.send is not None:
                channel.send(batch)
            for _ in batch:
                channel.unsent.popleft()
        with self._changed:
            self._changed.notify_all()
