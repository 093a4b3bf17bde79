"""One thread of this process for each worker, and the first error of any."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.run.sweep.workers.messages import Engine, WorkerGone
from cvtrack_magics.run.sweep.workers.served import Served, Stopped

LOOK = 0.2  # seconds between two looks at what the threads do
STARTS = 3  # workers that end before they were given anything, after which none is tried again


class Pool:
    """Gives trials to workers until nothing is left.

    Parameters
    ----------
    engine : Engine
        Where bodies run.
    packed : object
        The body, as the engine sends it.
    count : int
        How many workers there are.
    step : callable
        Runs what is asked for next in a worker; returns False where nothing is left.
    is_done : callable
        Whether nothing is left, for a worker that is not there yet.
    """

    def __init__(
        self,
        engine: Engine,
        packed: Any,
        count: int,
        step: Callable[[Served], bool],
        is_done: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._packed = packed
        self._count = count
        self._step = step
        self._is_done = is_done
        self._stop = forks.event()
        self._errors: list[BaseException] = []

    def run(self, look: Callable[[], None]) -> None:
        """Run all; ``look`` is called between, in this thread.

        Raises
        ------
        BaseException
            What ended the first thread that an error ended, or an interrupt of this one.
        """
        threads = [
            # a copy of this thread's context, so that its run is around theirs
            threading.Thread(target=copy_context().run, args=(self._work,), daemon=True)
            for _ in range(self._count)
        ]
        for one in threads:
            one.start()
        try:
            while any(one.is_alive() for one in threads):
                time.sleep(LOOK)
                look()
        finally:
            self._stop.set()
            try:
                for one in threads:
                    one.join()
            finally:
                self._engine.close()
        if self._errors:
            raise next((e for e in self._errors if not isinstance(e, Stopped)), self._errors[0])

    def _work(self) -> None:
        served = Served(self._engine.worker(), self._packed, self._stop)
        starts = 0
        try:
            while not self._stop.is_set():
                try:
                    is_ready = served.ready(LOOK)
                except WorkerGone:
                    starts += 1
                    if starts == STARTS:
                        raise
                    continue
                if is_ready:
                    starts = 0
                    if not self._step(served):
                        break
                elif self._is_done():
                    break
        except BaseException as error:
            self._errors.append(error)
            self._stop.set()
