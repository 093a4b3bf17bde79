"""Scripts under a launcher of ranks: rank 0 records, and there is one run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pytest

from tests.store_views import points, runs_of

SCRIPT = """
import os
from cvtrack_magics import log, mlend, mlparams, mlrun, mltags, track

with mlrun("train") as run:
    mlparams({"lr": 0.1})
    mltags(team="cv")
    for step in track(range(3)):
        log({"loss": 1.0 / (step + 1)})
    with mlrun("inner", nested=True):
        log({"inside": 1.0})
mlrun("open")
log({"more": 2.0})
mlend()
print("id", repr(run.run_id))
"""
TORCHRUN = (
    *("-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"),
    *("--rdzv-endpoint", "127.0.0.1:0", "--local-addr", "127.0.0.1"),
)


def _run(folder: Path, *options: str, **environment: str) -> str:
    script = folder / "train.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, *options, str(script)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_torchrun_makes_one_run(store: str, tmp_path: Path) -> None:
    printed = _run(tmp_path, *TORCHRUN)
    found = mlflow.MlflowClient(tracking_uri=store).search_runs(["0"])
    assert sorted(run.info.run_name for run in found) == ["inner", "open", "train"]
    runs = runs_of(store)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert points(store, runs["train"], "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert points(store, runs["open"], "more") == [(0, 2.0)]
    assert runs["train"].data.params["lr"] == "0.1"
    assert printed.count("id ''") == 1
    assert printed.count("✓ FINISHED train") == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "none"},
        {"LOCAL_RANK": "1", "NODE_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"},
    ],
    ids=["accelerate", "lightning"],
)
def test_another_rank_records_nothing_and_says_nothing(
    environment: dict[str, str], store: str, tmp_path: Path
) -> None:
    printed = _run(tmp_path, **environment)
    assert runs_of(store) == {}
    assert "could not" not in printed
    assert "nothing is recorded" not in printed
    assert "id ''" in printed
