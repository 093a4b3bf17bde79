"""Trials in processes of their own: as they are in this one, and outlasting their processes."""

from __future__ import annotations

import _thread
import os
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest

from cvtrack_magics import checkpoint, log, mlparams, mlsweep, mltags
from cvtrack_magics.run.sweep.workers.messages import Message
from tests.store_views import points, runs_of

pytestmark = pytest.mark.usefixtures("script")


def once(folder: Path, name: str) -> bool:
    """Say whether this is the first call of any process."""
    try:
        (folder / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def test_a_trial_in_another_process_is_as_one_in_this(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret-of-the-store")
    here = os.getpid()

    def body(trial: Any) -> float | None:
        x = trial.suggest_float("x", -3, 3)
        kind = trial.suggest_categorical("kind", ["a", None, 2])
        assert os.getpid() != here
        trial.set_user_attr("token", os.environ.get("MLFLOW_TRACKING_TOKEN", "none"))
        trial.set_user_attr("store", mlflow.get_tracking_uri())
        print("hello from", trial.number)
        mlparams({"width": 8})
        mltags(colour="red")
        for step in range(3):
            log({"val/loss": x + step}, step=step)
            trial.report(x + step, step)
        if trial.number == 1:
            raise ValueError("no good")
        if trial.number == 2:
            assert not trial.should_prune()
            raise optuna.TrialPruned("too slow")
        if trial.number == 5 and once(tmp_path, "killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.number == 4:
            return float("nan")
        if trial.number == 3 and os.fork() == 0:
            return 1.0
        assert kind in ("a", None, 2)
        return x

    best = mlsweep("s", body, metric="val/loss", trials=6, seed=1, jobs=2, retries=1)
    found = runs_of(store)
    parent = found.pop("s")
    assert {name: run.info.status for name, run in found.items()} == {
        "s-0": "FINISHED",
        "s-1": "FAILED",
        "s-2": "KILLED",
        "s-3": "FINISHED",
        "s-4": "FAILED",
        "s-5": "FINISHED",
    }
    assert parent.info.status == "FINISHED"
    assert best is not None
    assert best.run_id == found[f"s-{best.trial}"].info.run_id
    for name, run in found.items():
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.params["width"] == "8"
        assert run.data.tags["colour"] == "red"
        assert run.data.tags["cvtrack.worker"] == socket.gethostname()
        assert run.data.params["global_seed"] == str(1 + int(name[2:]))
        assert run.data.metrics["resources/peak_memory_mb"] > 0
    assert found["s-1"].data.tags["error.message"] == "no good"
    assert found["s-2"].data.tags["cvtrack.pruned"] == "true"
    assert found["s-5"].data.tags["cvtrack.stretches"] == "2"
    assert [step for step, _ in points(store, found["s-0"], "val/loss")] == [0, 1, 2]
    client = mlflow.MlflowClient(store)

    def text(name: str, path: str) -> str:
        return Path(client.download_artifacts(found[name].info.run_id, path)).read_text()

    assert "hello from 0" in text("s-0", "logs/output.txt")
    trace = text("s-1", "error/traceback.txt")
    assert "no good" in trace
    assert "in body" in trace
    assert "served.py" not in trace
    said = capfd.readouterr().out
    assert "trial 1 failed: ValueError: no good" in said
    assert "val/loss of trial 4 is NaN" in said
    told = study(tmp_path).trials
    assert {one.user_attrs["token"] for one in told if one.state.is_finished()} == {"none"}
    assert not any("mlflow.db" in one.user_attrs["store"] for one in told)
    states = Counter(one.state.name for one in told)
    assert states == {"COMPLETE": 3, "FAIL": 3, "PRUNED": 1}


def study(folder: Path) -> Any:
    """Return Optuna's own study of the sweep."""
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "cvtrack-sweeps/studies.log"))
    storage = optuna.storages.JournalStorage(backend)
    (name,) = optuna.study.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


def test_a_trial_whose_process_is_killed_goes_on_from_its_checkpoint(
    store: str, tmp_path: Path
) -> None:
    def newest() -> int:
        """Return the step of the newest checkpoint; one that is due while another is written
        is written a step or two later."""
        found = sorted(one.stem for one in tmp_path.rglob("home/**/step-*.pt"))
        return int(found[-1].removeprefix("step-")) if found else -1

    def body(trial: Any) -> None:
        import torch

        is_first = not (tmp_path / "killed").exists()
        rate = trial.suggest_float("rate", 0.1, 0.2)
        weight = torch.nn.Linear(4, 1)
        optimizer = torch.optim.SGD(weight.parameters(), lr=rate)
        ckpt = checkpoint(model=weight, optimizer=optimizer, every=5)
        while ckpt.next_step < 20:
            step = ckpt.next_step
            if is_first and (at := newest()) >= 10:
                (tmp_path / "killed").write_text(f"{step} {at}")
                os.kill(os.getpid(), signal.SIGKILL)
            if is_first:
                time.sleep(0.05)
            with (tmp_path / "steps").open("a") as file:
                file.write(f"{step} ")
            loss = weight(torch.randn(8, 4)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            log({"val/loss": loss.item()})
            ckpt.step()

    curves = []
    for name, jobs in (("cut", 2), ("whole", None)):
        mlsweep(name, body, metric="val/loss", trials=1, seed=3, jobs=jobs)
        run = runs_of(store)[f"{name}-0"]
        assert run.info.status == "FINISHED"
        curves.append(points(store, run, "val/loss"))
    assert [step for step, _ in curves[0]] == list(range(20))
    assert curves[0] == curves[1]
    steps = [int(one) for one in (tmp_path / "steps").read_text().split()]
    killed, newest_then = map(int, (tmp_path / "killed").read_text().split())
    assert steps == [*range(killed), *range(newest_then, 20), *range(20)]


def test_an_interrupt_puts_all_trials_back(store: str, tmp_path: Path) -> None:
    def body(trial: Any) -> float:
        x = trial.suggest_float("x", 0, 1)
        (tmp_path / f"at-{trial.number}").write_text(repr(x))
        while not (tmp_path / "go").exists():
            time.sleep(0.05)
        return x

    def interrupt() -> None:
        while len(list(tmp_path.glob("at-*"))) < 2:
            time.sleep(0.05)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        mlsweep("s", body, metric="val/loss", trials=3, jobs=2)
    first = {one.read_text() for one in tmp_path.glob("at-*")}
    assert {run.info.status for run in runs_of(store).values()} == {"KILLED"}
    (tmp_path / "go").touch()
    mlsweep("s", body, metric="val/loss", trials=3, jobs=2)
    found = runs_of(store)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert len(found) == 4
    assert first < {run.data.params["x"] for name, run in found.items() if name != "s"}


@pytest.mark.parametrize(
    "message",
    [
        Message("a"),
        Message("b", {"x": [1, None, "ü\ud800"]}, b"\0\xff"),
        Message("c", {"n": float("inf")}),
    ],
)
def test_a_message_says_the_same_behind_a_pipe(message: Message) -> None:
    assert Message.of(message.head(), message.blob) == message
