"""What a run's process uses, as points of the run."""

from __future__ import annotations

import time

from cvtrack_magics.delivery.channel import Channel
from cvtrack_magics.run.machine_facts import MachineFacts
from cvtrack_magics.run.view import SYSTEM


class UsagePoints:
    """Looks at most once in an interval, from the opening on.

    Parameters
    ----------
    machine : MachineFacts
        Looks at processor, memory and GPU.
    """

    def __init__(self, machine: MachineFacts) -> None:
        self._machine = machine
        self._at = time.monotonic()
        self.count = 0
        """The step of the next look."""

    def take(self, channel: Channel, interval: float) -> None:
        """Log what is used now, if it is time; ``interval`` is in seconds."""
        if time.monotonic() - self._at <= interval:
            return
        self._at = time.monotonic()
        used = {SYSTEM + name: value for name, value in self._machine.usage(interval).items()}
        if used:
            channel.log_at(used, self.count, int(time.time() * 1000))
            self.count += 1
