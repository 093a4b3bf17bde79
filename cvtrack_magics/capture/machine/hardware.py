"""The machine under a run: processor, memory, limits of the container, GPUs."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
import sys
from pathlib import Path

from cvtrack_magics import forks, programs
from cvtrack_magics.capture.machine.gpus import gpus
from cvtrack_magics.capture.machine.meter import ResourceMeter, ResourceUse

__all__ = [
    "ResourceMeter",
    "ResourceUse",
    "gpu_names",
    "hardware_facts",
    "hardware_tag",
    "text_bytes",
]

_CGROUP = Path("/sys/fs/cgroup")


def hardware_facts() -> dict[str, str]:
    """Return the rows of a readable table of the machine.

    Returns
    -------
    dict
        Label to text: CPU, cores, memory, and GPU, GPU memory and driver where there
        is one. Limits of a container or CPU affinity are named beside the totals.
    """
    import psutil

    logical = os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or logical
    total = int(psutil.virtual_memory().total)
    cores = f"{physical} physical, {logical} logical"
    allowed = usable_cores()
    if allowed < logical:
        cores += f", {allowed:g} usable here"
    memory = text_bytes(total)
    limit = memory_limit()
    if limit and limit < total:
        memory += f", {text_bytes(limit)} usable here"
    facts = {"CPU": cpu_model(), "CPU cores": cores, "Memory": memory}
    found = gpus()
    if found:
        facts["GPU"] = _counted([gpu.name for gpu in found])
        facts["GPU memory"] = _counted([text_bytes(g.memory) for g in found if g.memory])
        facts["GPU driver"] = found[0].driver
    return {label: text for label, text in facts.items() if text}


def _counted(texts: list[str]) -> str:
    counts = {text: texts.count(text) for text in texts}
    return ", ".join(text if n == 1 else f"{n} × {text}" for text, n in counts.items())


def text_bytes(size: float) -> str:
    """Return a size in bytes as text with a binary unit, as in ``"15.6 GiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def gpu_names() -> list[str]:
    """Return the name of each GPU this process may use."""
    return [gpu.name for gpu in gpus()]


def hardware_tag() -> str:
    """Return the training hardware in one label.

    Returns
    -------
    str
        ``"NVIDIA H100 80GB HBM3"``, ``"4 × NVIDIA A100-SXM4-80GB"``, or
        ``"CPU <model>"`` where there is no GPU.
    """
    names = gpu_names()
    return _counted(names) if names else f"CPU {cpu_model()}"


@functools.lru_cache(maxsize=1)
def cpu_model() -> str:
    """Return the processor's name as its maker writes it."""
    if sys.platform.startswith("linux"):
        try:
            for line in Path("/proc/cpuinfo").read_text().splitlines():
                label, _, text = line.partition(":")
                if label.strip() in {"model name", "Model", "Hardware", "cpu model"}:
                    return " ".join(text.split())
        except OSError:
            pass
    if sys.platform == "darwin":
        try:
            done = programs.run(["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], timeout=2)
            done.check_returncode()
            return done.stdout.decode("utf-8", "replace").strip()
        except (OSError, subprocess.SubprocessError):
            pass
    with forks.waiting_for_this():  # it may ask a program
        return platform.processor() or platform.machine() or "unknown"


def usable_cores() -> float:
    """Return how many cores this process may use, by affinity and cgroup quota."""
    try:
        allowed = float(len(os.sched_getaffinity(0)))
    except (AttributeError, OSError):
        allowed = float(os.cpu_count() or 1)
    for folder in _cgroup_folders():
        words = _read(folder / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and int(words[1]):
            allowed = min(allowed, int(words[0]) / int(words[1]))
    quota = _read(_CGROUP / "cpu" / "cpu.cfs_quota_us").strip()
    period = _read(_CGROUP / "cpu" / "cpu.cfs_period_us").strip()
    if quota.isdigit() and period.isdigit() and int(period):
        allowed = min(allowed, int(quota) / int(period))
    return allowed


def memory_limit() -> int:
    """Return the cgroup's limit of memory in bytes, or 0 where there is none."""
    limits = [_read(folder / "memory.max").strip() for folder in _cgroup_folders()]
    limits.append(_read(_CGROUP / "memory" / "memory.limit_in_bytes").strip())
    # Version 1 writes "no limit" as a number near 2**63.
    sizes = [int(text) for text in limits if text.isdigit() and int(text) < 2**60]
    return min(sizes, default=0)


def memory_left() -> int:
    """Return how many bytes of memory may still be used, of the machine's and the cgroup's."""
    import psutil

    left = [psutil.virtual_memory().available]
    for folder in _cgroup_folders():
        limit, used = (_read(folder / name).strip() for name in ("memory.max", "memory.current"))
        if limit.isdigit() and used.isdigit():
            kept = _statistic(_read(folder / "memory.stat"), "inactive_file")
            left.append(int(limit) - int(used) + kept)  # cached files give way
    folder = _CGROUP / "memory"
    limit = _read(folder / "memory.limit_in_bytes").strip()
    used = _read(folder / "memory.usage_in_bytes").strip()
    if limit.isdigit() and used.isdigit():
        kept = _statistic(_read(folder / "memory.stat"), "total_inactive_file")
        left.append(int(limit) - int(used) + kept)
    return max(0, min(left))


def _statistic(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0


def _cgroup_folders() -> list[Path]:
    """Our cgroup (version 2) and those above it, each of which may set a limit."""
    folders = [_CGROUP]
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        if number == "0":
            path = _CGROUP
            for part in rest.lstrip(":").strip("/").split("/"):
                if part and part != "..":
                    path = path / part
                    folders.append(path)
    return folders


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
