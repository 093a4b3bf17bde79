"""Measures what a stretch of code used: time, processor, memory, GPU memory."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from cvtrack_magics import forks
from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.threads import started

_INTERVAL = 0.2


@dataclass(frozen=True, slots=True)
class ResourceUse:
    """What was used between `ResourceMeter.start` and `ResourceMeter.stop`.

    Parameters
    ----------
    wall_s : float
        Seconds on the clock.
    cpu_s : float
        Processor seconds of this process and of the children that ended in between.
    peak_rss_bytes : int
        Highest resident memory of this process.
    gpu_peak_bytes : int or None
        Highest memory of tensors that torch held on all GPUs together; ``None``
        where CUDA was not used.
    """

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int
    gpu_peak_bytes: int | None


class ResourceMeter:
    """Measures from `start` to `stop`; a thread samples memory five times a second.

    Notes
    -----
    A peak that is the highest of the process's life is exact, because the kernel and
    torch count it; another one is what the samples saw. torch's own peak counters are
    not reset, because they belong to the user.
    """

    def __init__(self) -> None:
        self._quit = forks.event()
        self._thread: threading.Thread | None = None
        self._peak = 0
        self._gpu_peak: int | None = None
        self._before = (0.0, 0.0, 0, 0)
        self._measures = False

    def start(self) -> None:
        """Start measuring; again after a `stop` measures anew."""
        import psutil

        self._process = psutil.Process()
        self._quit = forks.event()
        self._peak, self._gpu_peak = 0, None
        self._sample()
        self._before = (time.perf_counter(), _cpu_seconds(), _lifetime_peak(), _gpu_lifetime())
        self._thread = started(self._watch, self._quit, name="cvtrack-meter")
        self._measures = True

    def stop(self) -> ResourceUse:
        """Stop and return what was used.

        Raises
        ------
        RuntimeError
            It was not started.
        """
        if not self._measures:
            raise RuntimeError("the meter was not started")
        self._measures = False
        self._quit.set()
        if self._thread is not None:
            self._thread.join(timeout=1)
        self._thread = None
        self._sample()
        wall, cpu, peak, gpu = self._before
        now_peak, now_gpu = _lifetime_peak(), _gpu_lifetime()
        if now_peak > peak:
            self._peak = max(self._peak, now_peak)
        if now_gpu > gpu:
            self._gpu_peak = max(self._gpu_peak or 0, now_gpu)
        return ResourceUse(
            wall_s=time.perf_counter() - wall,
            cpu_s=_cpu_seconds() - cpu,
            peak_rss_bytes=self._peak,
            gpu_peak_bytes=self._gpu_peak,
        )

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(_INTERVAL):
            # The machine may refuse (a container without /proc); the run goes on.
            with contextlib.suppress(Exception):
                self._sample()

    def _sample(self) -> None:
        self._peak = max(self._peak, int(self._process.memory_info().rss))
        torch = _running_cuda()
        if torch is not None:
            held = sum(torch.cuda.memory_allocated(i) for i in range(torch.cuda.device_count()))
            self._gpu_peak = max(self._gpu_peak or 0, int(held))


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _lifetime_peak() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _running_cuda() -> Any:
    torch = loaded("torch")
    return torch if torch is not None and torch.cuda.is_initialized() else None


def _gpu_lifetime() -> int:
    torch = _running_cuda()
    if torch is None:
        return 0
    return sum(torch.cuda.max_memory_allocated(i) for i in range(torch.cuda.device_count()))
