"""Models as MLflow 3 lists them: begun, brought to their end, found by what was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics.delivery.outbox import Delivery
from cvtrack_magics.delivery.recovery import revive
from cvtrack_magics.journal.folder import RunFolder, RunNote, me
from cvtrack_magics.journal.record_log import FactLog
from cvtrack_magics.records import Artifact, End, LoggedModel, Metric, Record
from cvtrack_magics.store.run_files import RunFiles
from cvtrack_magics.store.tracking import OpenRun, Tracking
from tests.store_views import models_of, runs_of

KEY = "k" * 32
FOLDER = "models/best"
BEGUN = LoggedModel(KEY, "models/wished", kind="model", step=3)
FILES: tuple[Record, ...] = (
    Artifact(f"{FOLDER}/MLmodel", "flavors: {}"),
    Artifact(f"{FOLDER}/data/net.bin", b"\x00\x01"),
    Artifact("notes/beside.txt", "the run's own"),
)
POINT = Metric("val/acc", 0.75, 3, 1_700_000_000_000, "", "val", "d" * 36)
READY = LoggedModel(KEY, FOLDER, "READY", "model", 3, {"cvtrack.proved": "8"}, (POINT,))
FAILED = LoggedModel(KEY, FOLDER, "FAILED", "model", 3, {"cvtrack.why": "it differs"})

FIRST: tuple[Record, ...] = (BEGUN,)
SECOND: dict[str, tuple[Record, ...]] = {"READY": (READY, *FILES), "FAILED": (FAILED,)}


class Dies(BaseException):
    """What the process does in the middle of a call."""


@pytest.fixture
def world(store: str, tmp_path: Path) -> tuple[Tracking, OpenRun, RunFolder]:
    """A run of the store, and an empty journal of it."""
    client = mlflow.MlflowClient(tracking_uri=store)
    info = client.create_run("0", run_name="a").info
    client.log_param(info.run_id, "lr", "0.1")
    tracking = Tracking(store, 3.0)
    run = OpenRun(info.run_id, "a", "0", "Default", store, info.start_time, {})
    host, pid, created = me()
    note = RunNote(
        key="r" * 32,
        name="a",
        uri=store,
        started=info.start_time,
        host=host,
        pid=pid,
        created=created,
        run_id=info.run_id,
        experiment_id="0",
        experiment="Default",
    )
    return tracking, run, RunFolder.make(tmp_path / "journal", note)


def send(tracking: Tracking, folder: RunFolder) -> Delivery:
    """Send a journal as the next process does, until the store has all of it."""
    delivery = revive(tracking, folder, None)
    for _ in range(5):
        delivery.advance()
        if delivery.done:
            return delivery
    raise AssertionError(delivery.notices)


CALLS = (
    "create_logged_model",
    "log_outputs",
    "log_batch",
    "set_logged_model_tags",
    "finalize_logged_model",
    "log_artifacts",
)
WHEN = ("before", "after")


def _store_class() -> Any:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore


def _target(name: str) -> tuple[Any, str]:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    return (LocalArtifactRepository if name == "log_artifacts" else _store_class()), name


def _breaking(original: Any, when: str, error: type[BaseException]) -> Callable[..., Any]:
    """Return a call that fails once, before the store has done it or after."""
    left = [1]

    def call(*args: Any, **kwargs: Any) -> Any:
        broken = left.pop() if left else 0
        if broken and when == "before":
            raise error("away")
        found = original(*args, **kwargs)
        if broken:
            raise error("the answer is lost")
        return found

    return call


@pytest.mark.parametrize("killed", [True, False], ids=["kernel dies", "server dies"])
@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("at", CALLS)
@pytest.mark.parametrize("status", SECOND)
def test_a_model_comes_to_its_end_whenever_something_dies(
    status: str,
    at: str,
    when: str,
    killed: bool,
    world: tuple[Tracking, OpenRun, RunFolder],
    store: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracking, run, folder = world
    log = FactLog(folder.path, lambda error: pytest.fail(str(error)))
    log.add(FIRST)
    log.add(SECOND[status])
    log.add([], End("FINISHED", run.started + 1))
    owner, name = _target(at)
    with monkeypatch.context() as patch:
        error = Dies if killed else ConnectionError
        patch.setattr(owner, name, _breaking(getattr(owner, name), when, error))
        for _ in range(2):
            try:
                revive(tracking, folder, None).advance()
            except (Dies, Exception):
                continue
    if folder.path.exists():
        send(tracking, folder)
    [model] = models_of(store, runs_of(store)["a"])
    assert model.status == status
    assert model.params == {"lr": "0.1"}
    assert [o.model_id for o in runs_of(store)["a"].outputs.model_outputs] == [model.model_id]
    files = RunFiles(mlflow.MlflowClient(tracking_uri=store), store, run.run_id)
    there = {item.path for item in files.listed(FOLDER)}
    assert there == ({f"{FOLDER}/MLmodel", f"{FOLDER}/data"} if status == "READY" else set())
    if status == "READY":
        [metric] = model.metrics
        assert (metric.key, metric.value, metric.dataset_name) == ("val/acc", 0.75, "val")
        assert [item.path for item in files.listed("notes")] == ["notes/beside.txt"]


@pytest.mark.parametrize("sent", [True, False], ids=["begun in the store", "begun on disk"])
@pytest.mark.parametrize("end", [End("FINISHED", 9), None], ids=["run ended", "kernel killed"])
def test_what_was_never_finished_fails(
    sent: bool, end: End | None, world: tuple[Tracking, OpenRun, RunFolder], store: str
) -> None:
    tracking, _, folder = world
    log = FactLog(folder.path, lambda error: pytest.fail(str(error)))
    log.add(FIRST)
    if sent:
        first = revive(tracking, folder, None)
        first.end = None
        first.advance()
        assert [model.status for model in models_of(store, runs_of(store)["a"])] == ["PENDING"]
    if end is not None:
        log.add([], end)
    send(tracking, folder)
    [model] = models_of(store, runs_of(store)["a"])
    assert (model.status, model.tags["cvtrack.why"]) == (
        "FAILED",
        "What made it ended before it was done.",
    )


def test_what_was_ended_directly_is_not_begun_again(
    world: tuple[Tracking, OpenRun, RunFolder], store: str
) -> None:
    tracking, run, folder = world
    log = FactLog(folder.path, lambda error: pytest.fail(str(error)))
    log.add(FIRST)
    tracking.write(run, SECOND["READY"])
    log.add([LoggedModel(KEY, FOLDER, metrics=(POINT,))])
    log.add([], End("FINISHED", 9))
    send(tracking, folder)
    [model] = models_of(store, runs_of(store)["a"])
    assert model.status == "READY"
    assert len(model.metrics) == 1


def test_a_model_whose_files_are_gone_is_not_ready(
    world: tuple[Tracking, OpenRun, RunFolder], store: str
) -> None:
    tracking, run, _ = world
    tracking.write(run, [READY])
    [model] = models_of(store, runs_of(store)["a"])
    assert model.status == "FAILED"


def test_the_newest_model_that_holds_is_the_folders(
    world: tuple[Tracking, OpenRun, RunFolder], store: str
) -> None:
    tracking, run, _ = world
    for key, status, text in (("1", "READY", "a"), ("2", "READY", "b"), ("3", "FAILED", "c")):
        one = LoggedModel(key, "model", status)  # type: ignore[arg-type]
        tracking.write(run, [one, Artifact("model/MLmodel", text)])
    tracking.write(run, [LoggedModel("4", "model")])
    assert tracking.read_file(run, "model/MLmodel") == b"b"
    assert tracking.files(run, "model") == ["model/MLmodel"]
    assert tracking.files(run, "") == ["model"]
