"""However a run ends, the store says how: every way to end, at every place a run can be."""

from __future__ import annotations

import time
from pathlib import Path

import mlflow
import pytest

from tests.kernels import Kernel, Ran

BODIES = {
    "ok": "x = 1",
    "exception": "raise RuntimeError('it broke')",
    "SystemExit": "import sys; sys.exit(3)",
    "interrupt": "print('started', flush=True)\nimport time; time.sleep(60)",
    "shutdown": "print('started', flush=True)\nimport time; time.sleep(60)",
    "killed": "print('started', flush=True)\nimport time; time.sleep(60)",
}
EXPECTED = {
    "ok": "FINISHED",
    "exception": "FAILED",
    "SystemExit": "FAILED",
    "interrupt": "KILLED",
    "shutdown": "KILLED",
    "killed": "KILLED",
}
BUSY = ("interrupt", "shutdown", "killed")


def statuses(store: str) -> dict[str, str]:
    """Return the status of every run of the store by name."""
    mlflow.set_tracking_uri(store)
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    return {run.info.run_name: run.info.status for run in runs}


def settled(store: str, wanted: dict[str, str], timeout: float = 20) -> dict[str, str]:
    """Wait until no run of the store is running any more, then return the statuses."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and statuses(store) != wanted:
        time.sleep(0.2)
    return statuses(store)


def end_it(kernel: Kernel, message: str, way: str) -> Ran | None:
    """End a busy cell in one of the ways."""
    kernel.wait_output(message, "started")
    if way == "interrupt":
        kernel.manager.interrupt_kernel()
        return kernel.finish(message)
    kernel.manager.shutdown_kernel(now=way == "killed")
    return None


@pytest.mark.parametrize("place", ["top", "nested", "span"])
@pytest.mark.parametrize("way", list(BODIES))
def test_the_store_says_how_the_run_ended(
    way: str, place: str, kernel: Kernel, store: str, tmp_path: Path
) -> None:
    wanted = {"inner": EXPECTED[way]}
    if place == "nested":
        kernel.run("%mlrun outer").check()
        message = kernel.start(f"%%mlrun inner --nested\n{BODIES[way]}")
    elif place == "span":
        kernel.run("%mlrun outer").check()
        wanted = {}
        message = kernel.start(BODIES[way])
    else:
        message = kernel.start(f"%%mlrun inner\n{BODIES[way]}")

    ran = end_it(kernel, message, way) if way in BUSY else kernel.finish(message)

    if ran is not None:
        assert ran.status == ("ok" if way == "ok" else "error")
        assert len(ran.errors) == (0 if way == "ok" else 1), ran.text
    if place != "top":
        if ran is not None:
            kernel.run("%mlend").check()
            wanted["outer"] = EXPECTED[way]
        else:
            wanted["outer"] = "KILLED"
    if way == "killed":
        with Kernel(tmp_path) as later:
            later.run("%load_ext cvtrack_magics").check()
            assert settled(store, wanted) == wanted
    else:
        assert settled(store, wanted) == wanted
