"""What the README shows is run, and what it names exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mlflow

from tests.kernels import Kernel
from tests.store_views import artifact_names, points, runs_of

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
NOTEBOOK = [block for block in BLOCKS if block.startswith("%")]
(SCRIPT,) = (block for block in BLOCKS if block.startswith("from cvtrack_magics import log, ml"))


def test_the_notebook_blocks_make_the_run_they_show(store: str, tmp_path: Path) -> None:
    with Kernel(tmp_path) as kernel:
        for block in NOTEBOOK:
            kernel.run(block).check()
    loop = runs_of(store)["loop"]
    assert [step for step, _ in points(store, loop, "train/loss")] == list(range(150))
    assert [step for step, _ in points(store, loop, "val/acc")] == [49, 99, 149]
    run = runs_of(store)["train"]
    assert run.info.status == "FINISHED"
    assert run.data.tags["backbone"] == "tiny"
    assert set(run.data.metrics) >= {"train/loss", "val/loss"}
    look = runs_of(store)["look"]
    assert look.data.metrics["val/top1_acc/ci_low"] < look.data.metrics["val/top1_acc"] < 1
    names = artifact_names(store, look)
    assert {"visualisations/predictions.html", "evaluation/val/samples.json"} <= names
    assert sum(name.endswith(".npz") for name in names) == 4
    model = runs_of(store)["model"]
    assert {"p50_latency_ms", "export/onnx/max_abs_diff"} <= set(model.data.metrics)
    assert {"model/MLmodel", "onnx/evidence.json"} <= artifact_names(store, model)
    champion = mlflow.MlflowClient(store).get_model_version_by_alias("digits", "champion")
    assert champion.run_id == model.info.run_id


def test_the_script_block_runs_as_a_script(store: str, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stderr
    run = runs_of(store)["from-a-script"]
    assert run.info.status == "FINISHED"
    assert run.data.params["lr"] == "0.1"
    assert run.data.params["global_seed"] == "42"
    assert run.data.metrics["loss"] == 0.5
    assert "FINISHED" in ran.stdout


def test_every_magic_of_the_table_exists_and_every_magic_is_in_the_table() -> None:
    from cvtrack_magics.commands.table import commands

    assert set(re.findall(r"%(ml[a-z]+)", README)) == set(commands())


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_settings_it_names_exist() -> None:
    from cvtrack_magics.config import CvTrack

    for name in re.findall(r"CvTrack\.(\w+)", README):
        assert name in CvTrack.class_traits(config=True)


def test_every_metric_of_the_scheme_is_in_its_tasks_row() -> None:
    from cvtrack_magics.tasks.evaluate import HEADLINES, SCHEME

    rows = {
        line.split("|")[1].strip(): line for line in README.splitlines() if line.startswith("| ")
    }
    for metric in SCHEME:
        if metric.name == "FPS":
            continue
        for task in metric.tasks:
            assert f"`{metric.name}`" in rows[task], (metric.name, task)
    for task, headline in HEADLINES.items():
        assert rows[task].rstrip().endswith(f"| `{headline}` |")
