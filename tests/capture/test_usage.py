"""What a process tree uses, beside psutil and in real processes; the GPU's from a stand-in."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from cvtrack_magics.capture.machine import usage
from cvtrack_magics.capture.machine.usage import GpuUsage, UsageSampler

SPIN = "print('on', flush=True)\nwhile True: pass"
SPIN_A_WHILE = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
HOLD = "held = bytearray(80_000_000)\nprint('on', flush=True)\ninput()"
NEST = (
    "import subprocess, sys\n"
    f"child = subprocess.Popen([sys.executable, '-c', {SPIN!r}])\n"
    "child.wait()"
)


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start Python code as a child and wait for its first line; kill its tree at the end."""
    children: list[subprocess.Popen[str]] = []

    def begin(code: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        child = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "on\n"
        return child

    yield begin
    for child in children:
        if child.poll() is None:
            for process in [*psutil.Process(child.pid).children(), psutil.Process(child.pid)]:
                process.kill()
        child.communicate()


def tree_seconds() -> float:
    """Processor seconds of this process and its live descendants, as psutil says."""
    own = psutil.Process()
    times = [process.cpu_times() for process in [own, *own.children(recursive=True)]]
    return sum(t.user + t.system for t in times)


def test_memory_is_psutils() -> None:
    sampler = UsageSampler()
    found = sampler.sample()
    own = psutil.Process()
    rss = sum(p.memory_info().rss for p in [own, *own.children(recursive=True)])
    assert set(found) == {"memory_mb"}
    assert found["memory_mb"] == pytest.approx(rss / 1e6, rel=0.05)


@pytest.mark.parametrize("code", [SPIN, NEST], ids=["child", "grandchild"])
def test_a_spinning_child_counts(start: Callable[..., Any], code: str) -> None:
    start(code)
    sampler = UsageSampler()
    assert "cpu_percent" not in sampler.sample()
    at, before = time.perf_counter(), tree_seconds()
    time.sleep(1.0)
    found = sampler.sample()
    psutils = 100 * (tree_seconds() - before) / (time.perf_counter() - at)
    assert found["cpu_percent"] == pytest.approx(psutils, abs=20)
    assert found["cpu_percent"] > 3  # the machine may be busy with others


def test_a_childs_memory_counts(start: Callable[..., Any]) -> None:
    sampler = UsageSampler()
    before = sampler.sample()["memory_mb"]
    child = start(HOLD)
    during = sampler.sample()["memory_mb"]
    assert during - before > 80
    child.communicate("\n")
    assert sampler.sample()["memory_mb"] < during - 80


def test_a_child_between_two_samples_counts() -> None:
    sampler = UsageSampler()
    sampler.sample()
    at = time.perf_counter()
    subprocess.run([sys.executable, "-c", SPIN_A_WHILE], check=True)
    spent = sampler.sample()["cpu_percent"] * (time.perf_counter() - at) / 100
    assert 0.45 < spent < 1.5


def test_a_childs_time_counts_once(start: Callable[..., Any]) -> None:
    child = start(SPIN)
    time.sleep(0.5)
    sampler = UsageSampler()
    sampler.sample()  # half a second of its life is before this
    child.kill()
    child.wait()
    time.sleep(0.5)
    assert sampler.sample()["cpu_percent"] < 40


def test_a_vanished_child_does_not_break_it(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = start(SPIN)
    sampler = UsageSampler()
    sampler.sample()
    child.kill()
    assert sampler.sample()["memory_mb"] > 0  # a zombie by now, or about to be
    child.wait()
    monkeypatch.setattr(usage, "_descendants", lambda root: [child.pid])
    assert sampler.sample()["memory_mb"] > 0


def _spin(on: Any) -> None:
    on.set()
    while True:
        pass


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_a_forked_worker_counts() -> None:
    context = multiprocessing.get_context("fork")
    on = context.Event()
    worker = context.Process(target=_spin, args=(on,), daemon=True)
    # a worker belongs to the thread that started it, and that is not always the main one
    starter = threading.Thread(target=worker.start)
    starter.start()
    assert on.wait(10)
    sampler = UsageSampler()
    sampler.sample()
    time.sleep(0.5)
    assert sampler.sample()["cpu_percent"] > 3
    starter.join()
    worker.kill()
    worker.join()


def test_in_a_fork_it_means_the_fork() -> None:
    sampler = UsageSampler()
    sampler.sample()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        sampler.sample()
        os.write(writing, str(sorted(sampler._handles)).encode())
        os._exit(0)
    assert os.read(reading, 1000).decode() == str([child])
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)


def test_without_the_kernels_list_it_asks_psutil(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "_descendants", lambda root: None)
    child = start(SPIN)
    sampler = UsageSampler()
    sampler.sample()
    assert child.pid in sampler._handles
    time.sleep(0.3)
    assert sampler.sample()["cpu_percent"] > 3


def test_a_refusal_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kw: Any) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", refuse)
    monkeypatch.setattr(usage, "has_nvidia_device", refuse)
    assert UsageSampler().sample() == {}


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom cvtrack_magics.capture.machine.usage import UsageSampler\n"
        "UsageSampler().sample()\nprint({'torch', 'numpy', 'mlflow', 'IPython'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


class Nvml:
    """Two GPUs; processes 1 and 2 are ours, 9 is somebody's."""

    class NVMLError(Exception):
        pass

    class NVMLError_NotFound(NVMLError):
        pass

    def __init__(self) -> None:
        self.opened = 0
        self.processes: list[dict[int, int | None]] = [
            {1: 100_000_000, 2: 50_000_000, 9: 7},
            {9: 7},
        ]
        self.busy = [[(1, 10, 30), (2, 10, 40), (9, 10, 20)], []]
        self.asked: list[int] = []

    def nvmlInit(self) -> None:
        self.opened += 1

    def nvmlShutdown(self) -> None:
        self.opened -= 1

    def nvmlDeviceGetCount(self) -> int:
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, index: int) -> str:
        return f"GPU-{index}"

    def nvmlDeviceGetComputeRunningProcesses(self, index: int) -> list[Any]:
        return [SimpleNamespace(pid=p, usedGpuMemory=m) for p, m in self.processes[index].items()]

    def nvmlDeviceGetProcessUtilization(self, index: int, since: int) -> list[Any]:
        self.asked.append(since)
        found = [SimpleNamespace(pid=p, timeStamp=t, smUtil=u) for p, t, u in self.busy[index]]
        if not found:
            raise self.NVMLError_NotFound
        return found

    def nvmlDeviceGetMemoryInfo(self, index: int) -> Any:
        return SimpleNamespace(used=3_000_000_000)

    def nvmlDeviceGetUtilizationRates(self, index: int) -> Any:
        return SimpleNamespace(gpu=88)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    made = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", made)
    monkeypatch.setattr(usage, "has_nvidia_device", lambda: True)
    monkeypatch.setattr(usage, "_cuda_runs", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return made


OURS = {"gpu0_percent": 70.0, "gpu0_memory_mb": 150.0, "gpu1_percent": 0.0, "gpu1_memory_mb": 0.0}
WHOLE = {f"gpu{i}_percent": 88.0 for i in (0, 1)} | {f"gpu{i}_memory_mb": 3000.0 for i in (0, 1)}


def test_the_gpu_use_is_the_trees_own(nvml: Nvml) -> None:
    gpus = GpuUsage()
    assert gpus.sample({1, 2}) == OURS
    assert gpus.sample({1, 2})["gpu0_percent"] == 0  # nothing newer than the last sample
    assert nvml.asked == [0, 10]
    gpus.close()
    assert nvml.opened == 0
    assert gpus.sample({1, 2})["gpu0_memory_mb"] == 150
    gpus.close()


def test_a_visible_gpu_is_counted_from_0(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    nvml.processes[1] = {1: 5_000_000}
    assert GpuUsage().sample({1}) == {"gpu0_percent": 0.0, "gpu0_memory_mb": 5.0}


def test_who_uses_no_gpu_is_not_charged(nvml: Nvml) -> None:
    assert set(GpuUsage().sample({3}).values()) == {0.0}


def test_hidden_processes_give_the_devices(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_cuda_runs", lambda: True)
    assert GpuUsage().sample({3}) == WHOLE


def test_what_the_driver_does_not_tell(nvml: Nvml, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise Nvml.NVMLError

    nvml.processes[0][1] = None
    assert GpuUsage().sample({1})["gpu0_memory_mb"] == 3000
    monkeypatch.setattr(nvml, "nvmlDeviceGetProcessUtilization", refuse)
    assert GpuUsage().sample({1})["gpu0_percent"] == 88
    monkeypatch.setattr(nvml, "nvmlDeviceGetComputeRunningProcesses", refuse)
    assert GpuUsage().sample({1}) == WHOLE
    monkeypatch.setattr(nvml, "nvmlDeviceGetUtilizationRates", refuse)
    monkeypatch.setattr(nvml, "nvmlDeviceGetMemoryInfo", refuse)
    assert GpuUsage().sample({1}) == {}
    monkeypatch.setattr(nvml, "nvmlInit", refuse)
    assert GpuUsage().sample({1}) == {}
