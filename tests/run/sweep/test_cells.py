"""``%%mlsweep`` in a kernel, and ``cvtrack sweep`` in a shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import mlflow

from tests.kernels import Kernel
from tests.store_views import runs_of

CELL = """%%mlsweep s --trials 3 --metric val/acc --seed 1
x = trial.suggest_float("x", 0, 1)
log({"val/acc": x})
if trial.number == 1 and FAILS:
    raise ValueError("bad")
print("hello from", trial.number)
"""


def test_a_cell_is_run_for_each_trial(kernel: Kernel, store: str) -> None:
    kernel.run("FAILS = True").check()
    ran = kernel.run(CELL).check()
    assert not ran.errors
    assert "trial 1 failed: ValueError: bad" in ran.text
    found = runs_of(store)
    assert {name: run.info.status for name, run in found.items()} == {
        "s": "FINISHED",
        "s-0": "FINISHED",
        "s-1": "FAILED",
        "s-2": "FINISHED",
    }
    shown = [one for one in ran.updates if "Sweep s" in str(one)]
    assert "3 of 3 trials: 2 finished, 1 failed" in str(shown[-1])
    kernel.run("best = %mlbest s").check()
    (params,) = kernel.run("sorted(best.params)").check().results
    assert params == "['x']"
    (left,) = kernel.run("'trial' in globals()").check().results
    assert left == "False"
    changed = kernel.run(CELL.replace("hello", "bye").replace("3", "4"))
    assert "--continue goes on with them, --fresh begins anew" in changed.text
    again = kernel.run(CELL.replace("--trials 3", "--trials 4")).check()
    assert "hello from 3" in again.text
    wrong = kernel.run("%%mlsweep s --trials 3\npass")
    assert wrong.text.strip().count("\n") == 0
    assert "--metric val/acc" in wrong.text


def test_processes_share_the_trials(store: str, tmp_path: Path) -> None:
    (tmp_path / "sweep.py").write_text(
        "# %%\n# %%mlsweep s --trials 6 --metric val/loss --seed 1\n"
        "import time\nfrom cvtrack_magics import log\n"
        "x = trial.suggest_float('x', 0, 1)\ntime.sleep(0.3)\nlog({'val/loss': x})\n"
    )
    command = [sys.executable, "-m", "cvtrack_magics", "sweep", "sweep.py", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = runs_of(store)
    parent = found.pop("s")
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert len(found) == 6
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {parent.info.run_id}
    assert len({run.data.params["x"] for run in found.values()}) == 6
    assert len(mlflow.MlflowClient(store).search_runs(["0"])) == 7
