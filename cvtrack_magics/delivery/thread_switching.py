"""How long another thread may keep the training loop waiting for the interpreter.

A loop that spends its time in PyTorch lets go of the interpreter many times a step. Each time
the sender's thread may take it, and keeps it for Python's switch interval: 5 ms, longer than
many steps are. While a run is open the interval is a tenth of that; afterwards it is as before.
"""

from __future__ import annotations

import sys

INTERVAL = 0.0005  # seconds


class ShortSwitches:
    """Short switches while runs are open."""

    def __init__(self) -> None:
        self._before = 0.0

    def begin(self) -> None:
        """Make switches short; a run was opened."""
        if not self._before and sys.getswitchinterval() > INTERVAL:
            self._before = sys.getswitchinterval()
            sys.setswitchinterval(INTERVAL)

    def end(self) -> None:
        """Put back what was there, unless somebody else has set it meanwhile."""
        if self._before and abs(sys.getswitchinterval() - INTERVAL) < INTERVAL / 10:
            sys.setswitchinterval(self._before)
        self._before = 0.0
