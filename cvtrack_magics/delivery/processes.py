"""The processes that kernels keep beside them: which there are, and ending them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from cvtrack_magics.redact import redact

PATIENCE = 5.0  # seconds that a process has to end before it is killed
KINDS = {
    "import main; main()": "sends long runs",  # cvtrack_magics.delivery.sending_process
    "watcher.py": "watches for a kernel's end",  # cvtrack_magics.delivery.companion
    "page_process.py": "serves MLflow's page",  # cvtrack_magics.store.page
}


@dataclass(frozen=True, slots=True)
class Beside:
    """A process of this package's own.

    ``kernel`` is the process it is for, 0 when that is gone. ``seconds`` is how long it runs,
    ``memory`` its resident memory in bytes, ``store`` the address without credentials.
    """

    pid: int
    kind: str
    kernel: int
    seconds: float
    memory: int
    store: str

    def __str__(self) -> str:
        kernel = f"kernel {self.kernel}" if self.kernel else "its kernel is gone"
        parts = [self.kind, kernel, f"{self.memory / 1e6:.0f} MB", _lasting(self.seconds)]
        return f"{self.pid}  " + " · ".join([*parts, *([self.store] if self.store else [])])


def beside() -> list[Beside]:
    """Return the processes of this user's kernels, the oldest first."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            kind = kind_of(process)
            if kind:
                found.append(_described(process, kind))
    return sorted(found, key=lambda item: -item.seconds)


def stop(pids: Sequence[int] = ()) -> list[Beside]:
    """End these processes, or all of them; return those that are ended.

    Nothing is lost: what they had not sent stands in the journal, and is sent by the kernel's
    own thread or at the next load.
    """
    chosen = [item for item in beside() if not pids or item.pid in pids]
    processes = []
    for item in chosen:
        with suppress(psutil.Error):
            process = psutil.Process(item.pid)
            if kind_of(process):
                process.terminate()
                processes.append(process)
    _, living = psutil.wait_procs(processes, timeout=PATIENCE)
    for process in living:
        with suppress(psutil.Error):
            process.kill()
    return chosen


def kind_of(process: psutil.Process) -> str:
    """Return what a process of this package's own does; empty for any other."""
    command = process.cmdline()
    if process.uids().real != psutil.Process().uids().real:
        return ""
    return kind_of_line(command)


def kind_of_line(command: Sequence[str]) -> str:
    """Return what a command line of this package's own is for; empty for any other."""
    if not any("cvtrack_magics" in part for part in command[1:]):
        return ""
    return next(
        (kind for mark, kind in KINDS.items() if any(p.endswith(mark) for p in command)), ""
    )


def _described(process: psutil.Process, kind: str) -> Beside:
    parent = process.ppid()
    store = ""
    with suppress(psutil.Error, OSError):
        if kind == KINDS["import main; main()"]:
            store = redact(process.environ().get("MLFLOW_TRACKING_URI", ""))
    return Beside(
        process.pid,
        kind,
        parent if parent > 1 else 0,
        time.time() - process.create_time(),
        process.memory_info().rss,
        store,
    )


def _lasting(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"
