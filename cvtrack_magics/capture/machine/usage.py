"""What this run's process and its children use at this moment."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from cvtrack_magics.capture.code.loaded import loaded
from cvtrack_magics.capture.machine.gpus import chosen, has_nvidia_device, text_of

if TYPE_CHECKING:
    import psutil

_MB = 1_000_000


class _Used(NamedTuple):
    own_s: float
    """Processor seconds of the process itself."""
    ended_s: float
    """Processor seconds of its children that ended and were waited for."""
    memory: int


class UsageSampler:
    """Says how much processor, memory and GPU a process tree uses.

    The tree is the process that asks and all its descendants, such as a DataLoader's
    workers. Nothing is measured between two samples, so there is no thread to stop.

    Examples
    --------
    >>> sampler = UsageSampler()
    >>> sorted(sampler.sample())
    ['memory_mb']
    """

    def __init__(self) -> None:
        self._gpus = GpuUsage()
        self._handles: dict[int, psutil.Process] = {}
        self._before: dict[int, _Used] = {}
        self._at: float | None = None

    def sample(self) -> dict[str, float]:
        """Return what is used now; what the machine does not tell is left out.

        Returns
        -------
        dict of str to float
            ``cpu_percent``
                Processor time since the previous sample; 100 is one core. Children that
                ended in between count, once their parent has waited for them. The first
                sample has none.
            ``memory_mb``
                Resident memory of all processes together, in 10⁶ bytes. Pages that they
                share are counted in each: libraries, what a forked worker has not
                written to, tensors in shared memory.
            ``gpu0_percent``, ``gpu0_memory_mb``, …
                As :meth:`GpuUsage.sample` says.
        """
        found: dict[str, float] = {}
        pids = {os.getpid()}
        if not pids <= self._handles.keys():  # the first time, or after a fork
            self._handles, self._before, self._at = {}, {}, None
        # The machine may refuse (a container without /proc); the run goes on.
        with contextlib.suppress(Exception):
            self._handles = _tree(self._handles)
            pids = set(self._handles)
            found.update(self._processes())
        with contextlib.suppress(Exception):
            found.update(self._gpus.sample(pids))
        return found

    def close(self) -> None:
        """Let go of the GPU driver; a later `sample` takes it up again."""
        self._gpus.close()

    def _processes(self) -> dict[str, float]:
        at = time.perf_counter()
        now: dict[int, _Used] = {}
        for pid, process in self._handles.items():
            with contextlib.suppress(Exception):  # it vanished, or is another user's
                now[pid] = _used(process)
        before, since = self._before, self._at
        self._before, self._at = now, at
        found = {"memory_mb": sum(used.memory for used in now.values()) / _MB}
        if since is not None and at > since:
            found["cpu_percent"] = 100 * _spent(before, now) / (at - since)
        return found


def _used(process: psutil.Process) -> _Used:
    with process.oneshot():
        times = process.cpu_times()
        memory = int(process.memory_info().rss)
    ended = times.children_user + times.children_system
    return _Used(times.user + times.system, ended, memory)


def _spent(before: dict[int, _Used], now: dict[int, _Used]) -> float:
    """Processor seconds that the tree spent between two looks at it."""
    none = _Used(0.0, 0.0, 0)
    spent = ended = 0.0
    for pid, used in now.items():
        old = before.get(pid, none)
        spent += max(0.0, used.own_s - old.own_s)
        ended += max(0.0, used.ended_s - old.ended_s)
    # A child's whole life is added to its parent when it ends; what was seen of it earlier
    # has been counted. Systems that do not add it (macOS, Windows) give 0 here.
    seen = sum(used.own_s + used.ended_s for pid, used in before.items() if pid not in now)
    return spent + max(0.0, ended - seen)


def _tree(known: dict[int, psutil.Process]) -> dict[int, psutil.Process]:
    """Return the processes of the tree, with the handles of those already known."""
    import psutil

    own = os.getpid()
    known = known or {own: psutil.Process()}
    pids = _descendants(own)
    if pids is None:
        return {own: known[own], **{p.pid: p for p in known[own].children(recursive=True)}}
    found = {own: known[own]}
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            found[pid] = known.get(pid) or psutil.Process(pid)
    # The kernel may leave out a child while a brother of it ends.
    for pid, process in known.items():
        if pid not in found and process.is_running():
            found[pid] = process
    return found


def _descendants(root: int) -> list[int] | None:
    """Read the descendants from /proc; None where the kernel does not list children.

    psutil reads every process of the machine for this, which takes milliseconds.
    """
    if not os.path.exists(f"/proc/{root}/task/{root}/children"):
        return None
    found: list[int] = []
    waiting = [root]
    while waiting:
        folder = f"/proc/{waiting.pop()}/task"
        with contextlib.suppress(OSError):
            for thread in os.listdir(folder):
                with (
                    contextlib.suppress(OSError),
                    open(f"{folder}/{thread}/children", "rb") as file,
                ):
                    children = [int(word) for word in file.read().split()]
                    found += children
                    waiting += children
    return found


class GpuUsage:
    """Asks NVML; without pynvml, a driver or a GPU it says nothing."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._devices: tuple[Any, ...] | None = None
        self._seen: dict[int, int] = {}

    def sample(self, pids: Collection[int]) -> dict[str, float]:
        """Return the use of each visible GPU.

        Parameters
        ----------
        pids : collection of int
            The processes to add up.

        Returns
        -------
        dict of str to float
            ``gpu{i}_percent``, the share of the time since the previous sample in which
            their kernels ran, and ``gpu{i}_memory_mb``, the memory they hold (10⁶ bytes),
            CUDA's own share included. ``i`` counts the GPUs this process may use, as
            NVML orders them. Where the driver does not tell processes apart (in some
            containers, on Windows) both are those of the whole device.
        """
        found: dict[str, float] = {}
        devices = self._open()
        held = [self._try(self._held, handle) for handle in devices]
        listed = any(pid in pids for processes in held for pid in processes or {})
        # A container's driver may name processes by numbers of the world outside.
        hidden = not listed and _cuda_runs()
        for index, (handle, processes) in enumerate(zip(devices, held, strict=True)):
            memory = percent = None
            if processes is not None and not hidden:
                own = {pid: size for pid, size in processes.items() if pid in pids}
                if None not in own.values():
                    memory = sum(size or 0 for size in own.values())
                percent = self._try(self._percent, index, handle, own) if own else 0.0
            if memory is None:
                memory = self._try(self._device_memory, handle)
            if percent is None:
                percent = self._try(self._device_percent, handle)
            if percent is not None:
                found[f"gpu{index}_percent"] = float(percent)
            if memory is not None:
                found[f"gpu{index}_memory_mb"] = memory / _MB
        return found

    def close(self) -> None:
        """Let go of the driver."""
        nvml, self._nvml, self._devices = self._nvml, None, None
        if nvml is not None:
            nvml.nvmlShutdown()

    def _try(self, ask: Callable[..., Any], *args: Any) -> Any:
        try:
            return ask(*args)
        except self._nvml.NVMLError:
            return None

    def _open(self) -> tuple[Any, ...]:
        if self._devices is None:
            self._devices = ()
            if has_nvidia_device():
                self._devices = self._find()
        return self._devices

    def _find(self) -> tuple[Any, ...]:
        try:
            import pynvml
        except ImportError:
            return ()
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            return ()
        self._nvml = pynvml
        handles = [
            pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())
        ]
        named: list[tuple[str, Any]] = [
            (text_of(pynvml.nvmlDeviceGetUUID(handle)), handle) for handle in handles
        ]
        return chosen(named, os.environ.get("CUDA_VISIBLE_DEVICES"))

    def _held(self, handle: Any) -> dict[int, int | None]:
        """Bytes that each process holds; None where the driver does not say."""
        found = {}
        for process in self._nvml.nvmlDeviceGetComputeRunningProcesses(handle):
            found[int(process.pid)] = process.usedGpuMemory
        return found

    def _percent(self, index: int, handle: Any, own: Collection[int]) -> float:
        since = self._seen.get(index, 0)
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(handle, since)
        except self._nvml.NVMLError_NotFound:  # nobody used it since
            return 0.0
        newest: dict[int, tuple[int, int]] = {}
        for sample in samples:
            at = int(sample.timeStamp)
            self._seen[index] = max(self._seen.get(index, 0), at)
            if at > since and sample.pid in own:
                seen = (at, int(sample.smUtil))
                newest[sample.pid] = max(seen, newest.get(sample.pid, seen))
        return float(min(100, sum(percent for _, percent in newest.values())))

    def _device_memory(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetMemoryInfo(handle).used)

    def _device_percent(self, handle: Any) -> int:
        return int(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)


def _cuda_runs() -> bool:
    torch = loaded("torch")
    return torch is not None and bool(torch.cuda.is_initialized())
