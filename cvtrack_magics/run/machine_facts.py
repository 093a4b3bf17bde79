"""What is the same for all runs of a process: its environment, hardware, and own modules."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cvtrack_magics import forks
from cvtrack_magics.lazy import Lazy
from cvtrack_magics.records import Record

if TYPE_CHECKING:
    from cvtrack_magics.capture.machine.usage import UsageSampler
    from cvtrack_magics.run import context as surroundings
else:
    surroundings = Lazy("cvtrack_magics.run.context")


class MachineFacts:
    """Looks at the process once, and again when that may have changed."""

    def __init__(self) -> None:
        self._records: list[Record] | None = None
        self._records_of: object = ()
        self._lock = forks.rlock()
        self._modules: list[Path] = []
        self._modules_of: object = ()
        self._sampler: UsageSampler | None = None
        self._used: tuple[float, dict[str, float]] = (0.0, {})

    def records(self) -> list[Record]:
        """Return environment and hardware; looked at again after an installation."""
        with self._lock:
            if self._records is None or self._records_of != _state():
                self._records = surroundings.machine_records()
                self._records_of = _state()
            return self._records

    def own_modules(self) -> list[Path]:
        """Return the user's own imported modules; looked up again when one was imported."""
        key = surroundings.loaded_key()
        if self._modules_of != key:
            self._modules, self._modules_of = surroundings.own_modules(), key
        return self._modules

    def usage(self, interval: float) -> dict[str, float]:
        """Return what this process uses now.

        Parameters
        ----------
        interval : float
            Seconds between two looks of one run; others that ask within half of it get the same.
        """
        from cvtrack_magics.capture.machine.usage import UsageSampler

        now = time.monotonic()
        if now - self._used[0] > interval / 2:
            self._sampler = self._sampler or UsageSampler()
            self._used = now, self._sampler.sample()
        return self._used[1]

    def close(self) -> None:
        """Give back what looks at the GPU."""
        if self._sampler is not None:
            self._sampler.close()


def _state() -> object:
    frameworks = tuple(name in sys.modules for name in ("torch", "torchvision"))
    return frameworks, surroundings.installed_key()
