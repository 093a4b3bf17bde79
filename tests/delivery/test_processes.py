"""``cvtrack ps`` and ``cvtrack stop``: what runs beside kernels is found, named and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cvtrack_magics.delivery.processes import Beside
from tests import warm
from tests.store_views import points, runs_of

SCRIPT = """
import time
import cvtrack_magics as cv
from cvtrack_magics.delivery import sending_process as outside
from cvtrack_magics.run import current
outside.AFTER, outside.AGAIN = 0.0, 600.0
with cv.mlrun("long", output=False):
    found = current.get_session().current.kept.delivery
    step, told, until = 0, False, time.monotonic() + 60
    while time.monotonic() < until:
        cv.log({"loss": float(step)}, step=step)
        step += 1
        time.sleep(0.001)
        if found.elsewhere is not None and not told:
            told = True
            print("handed over", flush=True)
        if told and found.elsewhere is None:
            break
print(step, flush=True)
"""


@pytest.fixture
def kernel(store: str, tmp_path: Path) -> Iterator[Any]:
    script = tmp_path / "long.py"
    script.write_text(SCRIPT)

    environment = {**os.environ, "MLFLOW_TRACKING_URI": store, "CVTRACK_SENDER": "process"}
    environment.pop("CVTRACK_WATCH", None)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def cvtrack(*words: str) -> subprocess.CompletedProcess[str]:
    return warm.run(["-m", "cvtrack_magics", *words], timeout=60)


def of(kernel: int) -> list[dict[str, Any]]:
    found = json.loads(cvtrack("ps", "--json").stdout)
    return [item for item in found if item["kernel"] == kernel]


def test_they_are_listed_and_ended_and_the_run_goes_on(kernel: Any, store: str) -> None:
    line = ""
    while "handed over" not in line:
        line = kernel.stdout.readline()
        assert line, "the script ended"
    found = of(kernel.pid)
    assert sorted(item["kind"] for item in found) == [
        "sends long runs",
        "watches for a kernel's end",
    ]
    assert [item["store"] for item in found if item["store"]] == [store]
    assert f"kernel {kernel.pid}" in cvtrack("ps").stdout

    ended = cvtrack("stop", *(str(item["pid"]) for item in found))
    assert ended.returncode == 0
    assert ended.stdout.count("ended ") == 2
    assert not [item for item in found if psutil.pid_exists(item["pid"])]
    assert of(kernel.pid) == []

    out, _ = kernel.communicate(timeout=90)
    steps = int(out.strip().splitlines()[-1])
    run = runs_of(store)["long"]
    assert run.info.status == "FINISHED"
    assert points(store, run, "loss") == [(step, float(step)) for step in range(steps)]


def test_who_is_not_ours_is_never_ended() -> None:
    code = "import time; time.sleep(60)  # cvtrack_magics.delivery.sending"
    other = subprocess.Popen([sys.executable, "-c", code])
    try:
        done = cvtrack("stop", str(other.pid))
        assert done.returncode == 2
        assert "No such process" in done.stdout
        assert other.poll() is None
    finally:
        other.kill()
        other.wait(10)


@pytest.mark.parametrize(
    ("seconds", "said"), [(4.2, "4 s"), (61, "1 min"), (3600, "1 h 0 min"), (93_784, "26 h 3 min")]
)
def test_a_line_says_what_it_is_for(seconds: float, said: str) -> None:
    line = str(Beside(7, "sends long runs", 0, seconds, 123_456_789, "http://x"))
    assert line == f"7  sends long runs · its kernel is gone · 123 MB · {said} · http://x"
