"""Which GPUs there are, found without starting CUDA."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from typing import Any, NamedTuple, TypeVar

from cvtrack_magics import programs
from cvtrack_magics.capture.code.loaded import loaded


class Gpu(NamedTuple):
    """One GPU: its name, memory in bytes (0 if unknown) and driver version."""

    name: str
    memory: int
    driver: str


def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs this process may use.

    Returns
    -------
    tuple of Gpu
        From NVML, else ``nvidia-smi``, else torch if it is imported: starting CUDA just
        to ask would cost seconds and memory. ``CUDA_VISIBLE_DEVICES`` is honoured.
    """
    torch = loaded("torch")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return _gpus(visible, torch is not None)


@functools.lru_cache(maxsize=8)
def _gpus(visible: str | None, torch_loaded: bool) -> tuple[Gpu, ...]:
    found = _from_nvml(visible) if has_nvidia_device() else None
    if found is None and has_nvidia_device():
        found = _from_smi(visible)
    if found is None and torch_loaded:
        found = _from_torch(sys.modules["torch"])
    return found or ()


def has_nvidia_device() -> bool:
    """Say whether a driver for NVIDIA's GPUs is loaded here."""
    if sys.platform == "darwin":
        return False
    if sys.platform == "win32":
        return True
    return os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/dxg")


T = TypeVar("T")


def chosen(devices: list[tuple[str, T]], visible: str | None) -> tuple[T, ...]:
    """Return what CUDA_VISIBLE_DEVICES names by number or UUID; it stops at the first wrong."""
    # Slices of a GPU have names of their own, which only CUDA can resolve.
    if visible is None or "MIG-" in visible:
        return tuple(gpu for _, gpu in devices)
    kept = []
    for word in (part.strip() for part in visible.split(",")):
        if word.isdigit() and int(word) < len(devices):
            kept.append(devices[int(word)][1])
            continue
        match = [gpu for uuid, gpu in devices if word and uuid.startswith(word)]
        if len(match) != 1:
            break
        kept.append(match[0])
    return tuple(kept)


def _from_nvml(visible: str | None) -> tuple[Gpu, ...] | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        driver = text_of(pynvml.nvmlSystemGetDriverVersion())
        devices = []
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
            name = text_of(pynvml.nvmlDeviceGetName(handle))
            devices.append((text_of(pynvml.nvmlDeviceGetUUID(handle)), Gpu(name, memory, driver)))
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
    return chosen(devices, visible)


def text_of(value: Any) -> str:
    """Return text that older NVML bindings give as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)


def _from_smi(visible: str | None) -> tuple[Gpu, ...] | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = "--query-gpu=uuid,name,memory.total,driver_version"
    try:
        done = programs.run([program, query, "--format=csv,noheader,nounits"], timeout=3)
        done.check_returncode()
    except (OSError, subprocess.SubprocessError):
        return None
    devices = []
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 4:
            size = int(cells[2]) * 2**20 if cells[2].isdigit() else 0
            devices.append((cells[0], Gpu(cells[1], size, cells[3])))
    return chosen(devices, visible)


def _from_torch(torch: Any) -> tuple[Gpu, ...]:
    # Also AMD (ROCm answers to torch.cuda) and Apple.
    if torch.cuda.is_available():
        found = []
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            found.append(Gpu(properties.name, int(properties.total_memory), ""))
        return tuple(found)
    mps = getattr(torch.backends, "mps", None)
    if mps is not None and mps.is_available():
        return (Gpu("Apple GPU (MPS)", 0, ""),)
    return ()
