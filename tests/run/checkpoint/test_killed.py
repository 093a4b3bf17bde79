"""A training that is killed at any step and goes on is the one that was never killed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics.store.run_files import RunFiles
from tests.run.checkpoint.training import Job, killed_and_resumed, points, run, store_of
from tests.store_views import artifact, artifact_names, models_of, runs_of

Place = Callable[[str], str]

SHAPES = {
    "epochs": (0, 17, 27),
    "generator": (13,),
    "workers": (9,),
    "stateful": (13, 20),
    "track": (14,),
    "flat": (5,),
    "own": (16,),
}


@pytest.fixture
def place(tmp_path: Path, store_template: Path) -> Place:
    """Make a folder with a store of its own."""

    def make(name: str) -> str:
        (tmp_path / name).mkdir()
        shutil.copyfile(store_template, tmp_path / name / "mlflow.db")
        return str(tmp_path / name)

    return make


@pytest.mark.parametrize("shape", SHAPES)
def test_the_metrics_are_those_of_the_run_that_was_not_killed(place: Place, shape: str) -> None:
    """Bit for bit, and no step of a metric stands twice."""
    whole = Job(place("whole"), shape)
    jobs = {kill: Job(place(f"killed-{kill}"), shape, kill=kill) for kill in SHAPES[shape]}
    said = run([whole, *(one for job in jobs.values() for one in killed_and_resumed(job))])
    assert said[0]["code"] == 0, said[0]["out"]
    wanted = points(whole.folder)
    assert sum(map(len, wanted.values())) > 6
    for at, (kill, job) in enumerate(jobs.items()):
        killed, resumed = said[1 + 2 * at : 3 + 2 * at]
        assert killed["code"] == -9, killed["out"]
        assert resumed["code"] == 0, resumed["out"]
        found = points(job.folder)
        assert found == wanted, kill
        for name, rows in found.items():
            assert len({step for step, _ in rows}) == len(rows), name
        (kept,) = runs_of(store_of(job.folder)).values()
        assert kept.info.status == "FINISHED"


def test_what_comes_again_otherwise_is_named(place: Place) -> None:
    """The earlier points stay in the store; the run says which of them do not count."""
    job = Job(place("a"), "epochs", kill=17)
    changed = json.dumps({"lr": 0.5, "scale": 2.0})
    killed, resumed = run([job, Job(job.folder, "epochs", resume=True, options=changed)])
    assert (killed["code"], resumed["code"]) == (-9, 0), resumed["out"]
    store = store_of(job.folder)
    (kept,) = runs_of(store).values()
    found = points(job.folder)
    twice = sorted({step for step, _ in found["train/loss"] if _count(found, step) == 2})
    assert twice
    assert twice[-1] == 17
    assert len(found["lr"]) == 28  # what is the same again stands once
    rows = artifact(store, kept, "superseded/stretch-2.csv").splitlines()
    assert rows[0] == "metric,step,value,unix_ms,why"
    assert [row.split(",")[1] for row in rows[1:]] == [str(step) for step in twice]
    said = kept.data.tags["stretch.2.superseded"]
    assert said.startswith(f"{len(twice)} points of steps {twice[0]} to 17 were logged again")
    assert kept.data.params["lr"] == "0.01"
    assert kept.data.tags["stretch.2.lr"] == "0.5"
    (note,) = [text for key, text in kept.data.tags.items() if key.startswith("mark.")]
    assert "UTC: lr was 0.01, is 0.5" in note


def _count(found: dict[str, list[tuple[int, float]]], step: int) -> int:
    return sum(at == step for at, _ in found["train/loss"])


def test_a_checkpoint_of_another_training_is_refused_in_one_line(place: Place) -> None:
    job = Job(place("a"), "flat", kill=6, kept=True)
    killed, resumed = run([job, Job(job.folder, "own", resume=True)])
    assert killed["code"] == -9
    assert resumed["code"] == 1
    # which one is the newest depends on what was written when the kill came
    assert re.search(r"UsageProblem: The checkpoint of step [05] has no np_draws\.", resumed["out"])


@pytest.mark.parametrize(("shape", "step"), [("epochs", 12), ("own", 13), ("stateful", 12)])
def test_told_to_end_it_keeps_the_step_that_it_is_in(place: Place, shape: str, step: int) -> None:
    whole = Job(place("whole"), shape)
    job = Job(place("told"), shape, kill=step, sent="SIGTERM")
    first = json.dumps({"every": 1000})
    told = Job(job.folder, shape, kill=step, sent="SIGTERM", options=first)
    _, ended, resumed = run([whole, told, Job(job.folder, shape, resume=True, options=first)])
    assert ended["code"] == -15, ended["out"]
    assert f"from {step + 1}\n" in resumed["out"], resumed["out"]
    assert points(job.folder) == points(whole.folder)


def test_the_run_is_killed_when_it_was_told_to_end(place: Place) -> None:
    job = Job(place("told"), "epochs", kill=12, sent="SIGTERM")
    run([job])
    (kept,) = runs_of(store_of(job.folder)).values()
    assert kept.info.status == "KILLED"


def test_the_kept_checkpoints_are_files_of_the_run(place: Place) -> None:
    """They are read without pickle, and on another machine the newest is fetched."""
    import torch

    job = Job(place("a"), "epochs")
    (done,) = run([job])
    assert done["code"] == 0, done["out"]
    (kept,) = runs_of(store_of(job.folder)).values()
    names = {name for name in artifact_names(store_of(job.folder), kept) if "checkpoints" in name}
    assert 1 <= len(names) <= 3
    client = mlflow.MlflowClient(store_of(job.folder))
    files = RunFiles(client, store_of(job.folder), kept.info.run_id)
    path = files.download(max(names), Path(job.folder))
    state: Any = torch.load(path, weights_only=True)
    assert set(state["objects"]) == {"model", "optimizer", "scheduler"}
    assert state["position"]["done"] == int(max(names)[-9:-3])
    models = models_of(store_of(job.folder), kept)
    assert {(str(m.status), m.model_type) for m in models} == {("READY", "checkpoint")}
    steps = {output.model_id: output.step for output in kept.outputs.model_outputs}
    by_name = {m.tags["cvtrack.folder"]: steps[m.model_id] for m in models}
    assert by_name == {f"checkpoints/step-{step:06d}": step for step in by_name.values()}
    shutil.rmtree(Path(job.folder) / "state" / "cvtrack_magics" / "checkpoints")
    (again,) = run([Job(job.folder, "epochs", resume=True)])
    assert f"from {state['position']['done']}\n" in again["out"]
