"""A resumed run goes on: nothing of what it had is lost, overwritten or counted anew."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from cvtrack_magics import (
    Predictions,
    log,
    log_predictions,
    mlexperiment,
    mlparams,
    mlrun,
    mlseed,
    mlsync,
    mltags,
    track,
)
from cvtrack_magics.errors import UsageProblem
from cvtrack_magics.journal.folder import read_folders
from cvtrack_magics.run import current
from tests import warm
from tests.conftest import Server, closed_uri
from tests.run.test_sync import journal, repoint
from tests.store_views import artifact, artifact_names, points, runs_of

pytestmark = pytest.mark.usefixtures("script")


def restart() -> None:
    """Begin a new session, as a new kernel does."""
    current.get_session().stop()
    current.use(None)


def steps(store: str, key: str, name: str = "d") -> list[int]:
    return [step for step, _ in points(store, runs_of(store)[name], key)]


def train(values: list[float], first: int = 0, **options: Any) -> Any:
    with mlrun("d", **options) as run:
        print(f"from {first}")
        for step, value in enumerate(values, first):
            log({"val/acc": value, "val/loss": 1 - value}, step=step)
            log({"train/loss": 1.0})
    return run


@pytest.mark.parametrize("same_process", [True, False])
@pytest.mark.parametrize("turned", [False, True])
def test_two_metrics_stay_two_in_the_next_stretch(
    store: str, same_process: bool, turned: bool
) -> None:
    """Also where the second one's name was that of the first in the store."""
    for stretch in range(3):
        with mlrun("d", resume=stretch > 0, output=False):
            pairs = [("acc@1", 1.0 + stretch), ("acc_1", 11.0 + stretch)]
            for name, value in pairs[:: -1 if turned and stretch else 1]:
                log({name: value}, step=stretch)
        if not same_process:
            restart()
    (run,) = runs_of(store).values()
    tags = {key: value for key, value in run.data.tags.items() if key.startswith("cvtrack.name.")}
    (other,) = [key.removeprefix("cvtrack.name.") for key in tags if tags[key] == "acc_1"]
    assert tags == {"cvtrack.name.acc_1": "acc@1", f"cvtrack.name.{other}": "acc_1"}
    assert points(store, run, "acc_1") == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert points(store, run, other) == [(0, 11.0), (1, 12.0), (2, 13.0)]


NAMES = ["it's", 'the "best"', """a'b"c""", "''", "50% 'off'", "a_b", "a%b", "back\\slash", "é 'x'"]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_found_by_any_name(store: str, name: str) -> None:
    for other in NAMES:
        with mlrun(other, output=False):
            log({"a": 1.0}, step=0)
    with mlrun(name, resume=True, output=False):
        log({"a": 2.0}, step=1)
    found = runs_of(store)
    assert len(found) == len(NAMES)
    assert points(store, found[name], "a") == [(0, 1.0), (1, 2.0)]


def test_best_values_and_steps_are_those_of_the_whole_run(store: str) -> None:
    train([0.1, 0.9, 0.3])
    restart()
    train([0.2, 0.4], 3, resume=True)
    found = runs_of(store)["d"].data.metrics
    assert found["best_val_acc"] == 0.9
    assert found["best_val_loss"] == pytest.approx(0.1)
    assert found["best_epoch"] == 1
    assert steps(store, "train/loss") == [0, 1, 2, 3, 4]
    assert found["val/acc"] == 0.4


def test_a_step_that_is_done_again_does_not_move_the_best_epoch(store: str) -> None:
    train([0.1, 0.2, 0.3])
    train([0.3, 0.8, 0.5], 2, resume=True)
    assert runs_of(store)["d"].data.metrics["best_epoch"] == 3


def test_times_add_up_and_the_highest_peak_counts(store: str) -> None:
    with mlrun("d"):
        time.sleep(0.4)
    run_id = runs_of(store)["d"].info.run_id
    client = mlflow.MlflowClient(store)
    now = int(time.time() * 1000)
    client.log_metric(run_id, "resources/peak_memory_mb", 1e6, now)
    before = client.get_run(run_id).data.metrics
    restart()
    with mlrun("d", resume=True):
        time.sleep(0.3)
    after = runs_of(store)["d"].data.metrics
    assert after["resources/wall_time_s"] > before["resources/wall_time_s"] + 0.29
    assert after["resources/cpu_time_s"] > before["resources/cpu_time_s"]
    assert after["resources/peak_memory_mb"] == pytest.approx(1e6)


def test_each_stretch_has_files_of_its_own(store: str) -> None:
    train([0.1])
    for first in (1, 2):
        restart()
        train([0.1], first, resume=True)
    run = runs_of(store)["d"]
    logs = {
        path: artifact(store, run, path)
        for path in artifact_names(store, run)
        if path.startswith("logs/")
    }
    assert {path: text.split("\n")[0] for path, text in logs.items()} == {
        "logs/output.txt": "from 0",
        "logs/stretch-2/output.txt": "from 1",
        "logs/stretch-3/output.txt": "from 2",
    }
    names = artifact_names(store, run)
    assert {
        "environment/requirements.txt",
        "environment/stretch-2/requirements.txt",
        "environment/stretch-3/requirements.txt",
    } <= names
    assert run.data.tags["cvtrack.stretches"] == "3"


def test_figures_and_configs_stand_side_by_side(store: str, tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    from cvtrack_magics import mlconfig

    for number in (1, 2):
        with mlrun("d", resume=number == 2):
            plt.figure()
            plt.plot([number])
            mlconfig({"lr": number / 10}, name="train")
        plt.close("all")
    run = runs_of(store)["d"]
    names = artifact_names(store, run)
    assert {"visualisations/figure-01.png", "visualisations/stretch-2/figure-01.png"} <= names
    assert "0.1" in artifact(store, run, "configs/train.yaml")
    assert "0.2" in artifact(store, run, "configs/stretch-2/train.yaml")
    assert run.data.params["lr"] == "0.1"
    assert run.data.tags["stretch.2.lr"] == "0.2"


def test_what_was_said_of_the_run_stays_and_what_is_new_stands_beside(store: str) -> None:
    mltags(team="a")
    with mlrun("d", seed=3, tags={"dataset": "one"}):
        mlparams({"lr": 0.1})
    restart()
    mltags(team="b", env="staging")
    mlseed(9)
    with mlrun("d", resume=True, tags={"dataset": "two"}, params={"lr": 0.01, "epochs": 5}) as run:
        pass
    data = runs_of(store)["d"].data
    assert data.params["global_seed"] == "3"
    assert data.tags["stretch.2.global_seed"] == "9"
    assert (data.params["lr"], data.tags["stretch.2.lr"]) == ("0.1", "0.01")
    assert data.params["epochs"] == "5"
    assert (data.tags["team"], data.tags["stretch.2.team"]) == ("a", "b")
    assert data.tags["dataset"] == "two"
    assert run.summary is not None
    assert any("0.01 of this stretch is kept as tag" in line for line in run.summary.notices)


def test_the_error_of_an_earlier_stretch_is_not_that_of_the_run(store: str) -> None:
    with pytest.raises(ValueError, match="broken"), mlrun("d"):
        raise ValueError("broken")
    assert runs_of(store)["d"].data.tags["error.type"] == "ValueError"
    with mlrun("d", resume=True):
        pass
    run = runs_of(store)["d"]
    assert run.info.status == "FINISHED"
    assert "error.type" not in run.data.tags
    assert run.data.tags["stretch.1.error.message"] == "broken"
    with pytest.raises(KeyError), mlrun("d", resume=True):
        raise KeyError("again")
    run = runs_of(store)["d"]
    assert run.data.tags["error.type"] == "KeyError"
    names = artifact_names(store, run)
    assert {"error/traceback.txt", "error/stretch-3/traceback.txt"} <= names


def test_loops_go_on_after_the_highest_step(store: str) -> None:
    for resume in (False, True):
        with mlrun("d", resume=resume):
            for _ in track(range(2), "epoch"):
                for _ in track(range(3), "batch"):
                    log({"train/loss": 1.0})
                log({"val/loss": 1.0})
        restart()
    assert steps(store, "train/loss") == list(range(12))
    assert steps(store, "val/loss") == [2, 5, 8, 11]


def test_each_metric_goes_on_for_itself_outside_of_loops(store: str) -> None:
    with mlrun("d"):
        for _ in range(5):
            log({"a": 1.0, "mAP@0.5": 1.0})
        log({"b": 1.0}, step=40)
    restart()
    with mlrun("d", resume=True) as run:
        assert run._scope.step_of(None) == 40
        log({"a": 2.0, "mAP@0.5": 2.0})
        log({"b": 1.0})
        log({"new": 1.0})
    assert steps(store, "a") == [0, 1, 2, 3, 4, 5]
    assert steps(store, "mAP_0.5") == [0, 1, 2, 3, 4, 5]
    assert steps(store, "b") == [40, 41]
    assert steps(store, "new") == [0]


def test_what_the_run_uses_and_its_notes_count_on(store: str) -> None:
    current.get_session().config.usage_interval = 0.1
    for resume in (False, True):
        with mlrun("d", resume=resume) as run:
            run._scope.control.act("mark", f"note {resume}")
            time.sleep(0.9)
    used = steps(store, "system/memory_mb")
    assert used == list(range(len(used)))
    tags = runs_of(store)["d"].data.tags
    assert (tags["mark.1"], tags["mark.2"]) == ("step 0: note False", "step 0: note True")


def test_predictions_go_on(store: str) -> None:
    labels = np.arange(3)
    some = Predictions.classification(np.zeros((3, 8, 8, 3), np.uint8), labels, logits=np.eye(3))
    for resume in (False, True):
        with mlrun("d", resume=resume):
            log_predictions(some)
            log_predictions(some)
    names = artifact_names(store, runs_of(store)["d"])
    assert sum(name.endswith(".npz") and "step_" in name for name in names) == 4
    assert sum(name.endswith(".html") for name in names) == 2


def test_a_nested_run_goes_on_under_its_parent(store: str) -> None:
    for resume in (False, True):
        with mlrun("outer", resume=resume), mlrun("d", nested=True, resume=resume):
            log(a=1)
    assert steps(store, "a") == [0, 1]
    assert len(mlflow.MlflowClient(store).search_runs(["0"])) == 2


def test_a_run_at_the_top_goes_on_before_a_newer_child_of_the_same_name(store: str) -> None:
    with mlrun("a") as run:
        log({"loss": 1.0}, step=0)
    with mlrun("b"), mlrun("a", nested=True):
        log({"loss": 2.0}, step=0)
    with mlrun("a", resume=True) as again:
        pass
    assert again.run_id == run.run_id


def test_a_registered_version_is_named_before_the_run_changes(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train([0.1])
    client = mlflow.MlflowClient(store)
    run_id = runs_of(store)["d"].info.run_id
    client.create_registered_model("net")
    client.create_model_version("net", f"runs:/{run_id}/model", run_id)
    client.set_registered_model_alias("net", "champion", "1")
    capsys.readouterr()
    train([0.1], 1, resume=True)
    said = [line for line in capsys.readouterr().out.splitlines() if "net version 1" in line]
    assert len(said) == 1
    assert "@champion" in said[0]


KILLED = """
import os, sys, time
from cvtrack_magics import log, mlrun
with mlrun("d"):
    for step in range(3): log({"val/acc": step / 10}, step=step)
    log({"val/acc": 0.9}, step=3)
    print("ready", flush=True)
    if sys.argv[1:] == ["wait"]: sys.stdin.read()
    time.sleep(0.5)
    os.kill(os.getpid(), 9)
"""


def test_a_killed_run_goes_on_at_once_with_all_its_points(store: str) -> None:
    warm.run(["-c", KILLED])
    with mlrun("d", resume=True) as run:
        log({"val/acc": 0.4})
    found = runs_of(store)["d"]
    assert found.info.status == "FINISHED"
    assert steps(store, "val/acc") == [0, 1, 2, 3, 4]
    assert found.data.metrics["best_val_acc"] == 0.9
    assert found.data.metrics["best_epoch"] == 3
    assert found.data.metrics["resources/wall_time_s"] > 0
    assert run.summary is not None
    assert any("did not measure" in line for line in run.summary.notices)


def test_a_run_that_is_open_elsewhere_is_not_resumed(store: str) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", KILLED, "wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    for line in other.stdout:
        if line.strip() == b"ready":
            break
    deadline = time.monotonic() + 30
    while not any(folder.note.run_id for folder in read_folders(journal())):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(UsageProblem, match=f"open in process {other.pid}"):
        mlrun("d", resume=True)
    assert len(mlflow.MlflowClient(store).search_runs(["0"])) == 1
    with mlrun("another", resume=True):
        pass
    other.kill()
    other.communicate()


def test_a_name_that_no_run_has_is_told(store: str) -> None:
    run = train([0.1], resume=True)
    assert any("a new one was opened" in line for line in run.summary.notices)
    assert "cvtrack.stretches" not in runs_of(store)["d"].data.tags


@pytest.mark.parametrize("again", [False, True], ids=["same process", "next process"])
def test_a_run_that_the_store_never_had_goes_on(
    again: bool, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_uri())
    train([0.1, 0.9])
    if again:
        restart()
    run = train([0.2], 2, resume=True)
    assert any("goes on from what" in line for line in run.summary.notices)
    restart()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    repoint(store)
    assert not mlsync().waiting
    client = mlflow.MlflowClient(store)
    (found,) = client.search_runs(["0"])
    assert found.data.metrics["best_val_acc"] == 0.9
    assert found.data.metrics["best_epoch"] == 1
    assert [s for s, _ in points(store, found, "train/loss")] == [0, 1, 2]
    names = artifact_names(store, found)
    assert {"logs/output.txt", "logs/stretch-2/output.txt"} <= names
    assert found.info.status == "FINISHED"


def test_a_run_that_nobody_here_knows_is_a_new_one_and_says_so(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    train([0.1])
    restart()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_uri())
    run = train([0.2], resume=True)
    assert any("the store cannot be asked" in line for line in run.summary.notices)


@pytest.mark.parametrize("other", ["experiment", "parent", "store"])
def test_a_run_of_the_same_name_elsewhere_is_another_one(
    other: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_uri())
    train([0.1])
    if other == "experiment":
        mlexperiment("another")
    if other == "store":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", closed_uri())
    if other == "parent":
        with mlrun("outer"):
            run = train([0.2], resume=True, nested=True)
    else:
        run = train([0.2], resume=True)
    assert any("the store cannot be asked" in line for line in run.summary.notices)


@pytest.mark.server
def test_a_stored_run_goes_on_while_the_server_does_not_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    current.get_session().config.connect_timeout = 1.0
    current.get_session().config.close_timeout = 30.0
    train([0.1, 0.9])
    server.signal(signal.SIGSTOP)
    current.get_session().config.close_timeout = 2.0
    train([0.2], 2, resume=True)
    server.signal(signal.SIGCONT)
    assert not mlsync().waiting
    client = mlflow.MlflowClient(server.uri)
    (found,) = client.search_runs(["0"])
    assert found.data.metrics["best_val_acc"] == 0.9
    assert [s for s, _ in points(server.uri, found, "train/loss")] == [0, 1, 2]
    assert found.data.tags["cvtrack.stretches"] == "2"
