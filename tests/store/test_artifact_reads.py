"""A run's files are read back as written, whatever way they are read; their address is no wait."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact import artifact_repository_registry as registry
from mlflow.tracking import artifact_utils
from PIL import Image

from cvtrack_magics import mlrun
from cvtrack_magics.run import current
from tests.conftest import Server, closed_uri


def _file(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


WAYS: dict[str, Callable[[str], object]] = {
    "by the run": lambda run: mlflow.artifacts.load_dict(f"runs:/{run}/d/a.json"),
    "by the address": lambda run: mlflow.artifacts.load_dict(mlflow.get_artifact_uri("d/a.json")),
    "from the folder's address": lambda run: mlflow.artifacts.load_dict(
        mlflow.get_artifact_uri() + "/d/a.json"
    ),
    "downloaded": lambda run: json.loads(
        Path(mlflow.artifacts.download_artifacts(run_id=run, artifact_path="d/a.json")).read_text()
    ),
    "downloaded by the client": lambda run: json.loads(
        Path(MlflowClient().download_artifacts(run, "d/a.json")).read_text()
    ),
    "listed": lambda run: (
        {"n": 1}
        if [
            f.path
            for f in mlflow.artifacts.list_artifacts(artifact_uri=mlflow.get_artifact_uri("d"))
        ]
        else None
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_is_read_back_at_once(way: str, store: str, script: None) -> None:
    with mlrun("read", output=False) as run:
        for _ in range(3):
            mlflow.log_dict({"n": 1}, "d/a.json")
            assert WAYS[way](run.run_id) == {"n": 1}


def test_a_file_on_this_disk_is_there_once_its_address_is_known(store: str, script: None) -> None:
    with mlrun("read", output=False):
        mlflow.log_text("words", "a.txt")
        assert _file(mlflow.get_artifact_uri("a.txt")).read_text() == "words"


def test_mlflow_is_as_it_was_afterwards(store: str, script: None) -> None:
    before = artifact_utils.get_artifact_uri
    with mlrun("read", output=False):
        mlflow.log_text("words", "a.txt")
        assert artifact_utils.get_artifact_uri is not before
    current.get_session().stop()
    assert artifact_utils.get_artifact_uri is before
    assert "get_artifact_repository" not in vars(registry._artifact_repository_registry)


def _in_a_thread(read: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


def _names(files: list[Any]) -> list[str]:
    return [file.path for file in files]


def _tree(folder: str) -> list[str]:
    return sorted(f.relative_to(folder).as_posix() for f in Path(folder).rglob("*") if f.is_file())


reads = mlflow.artifacts
WHOLE = ["d/a.json", "d/t.txt", "picture.png", "table.json"]
ON_DISK: dict[str, tuple[Callable[[str], Any], Any]] = {
    **{way: (read, {"n": 1}) for way, read in WAYS.items()},
    "a run's files": (lambda run: _names(reads.list_artifacts(run_id=run)), ["d", *WHOLE[2:]]),
    "its files, by its address": (
        lambda run: _names(reads.list_artifacts(mlflow.get_artifact_uri() + "/d")), WHOLE[:2]),
    "a folder of it": (
        lambda run: [
            (file.path, file.is_dir, file.file_size)
            for file in reads.list_artifacts(run_id=run, artifact_path="d")
        ],
        [("d/a.json", False, 12), ("d/t.txt", False, 5)],
    ),
    "a folder, by the run": (lambda run: _names(reads.list_artifacts(f"runs:/{run}/d")), WHOLE[:2]),
    "a file is no folder": (lambda run: reads.list_artifacts(f"runs:/{run}/d/t.txt"), []),
    "what is not there": (lambda run: reads.list_artifacts(run_id=run, artifact_path="no"), []),
    "text": (lambda run: reads.load_text(f"runs:/{run}/d/t.txt"), "words"),
    "picture": (lambda run: reads.load_image(f"runs:/{run}/picture.png").size, (4, 3)),
    "table": (lambda run: [*mlflow.load_table("table.json", run_ids=[run])["a"]], [1, 2]),
    "table, with the run": (
        lambda run: [*mlflow.load_table("table.json", [run], ["run_id"])["run_id"]] == [run] * 2,
        True,
    ),
    "folder": (lambda run: _tree(reads.download_artifacts(f"runs:/{run}/d")), ["a.json", "t.txt"]),
    "all of it": (lambda run: _tree(reads.download_artifacts(run_id=run)), WHOLE),
    "to a folder": (
        lambda run: _tree(str(Path(reads.download_artifacts(
            run_id=run, artifact_path="d/t.txt", dst_path=f"to/{run}")).parent)), ["t.txt"]),
    "in a thread": (
        lambda run: _in_a_thread(lambda: reads.load_text(mlflow.get_artifact_uri("d/t.txt"))),
        "words",
    ),
    "in a thread, by the run": (
        lambda run: _in_a_thread(lambda: reads.load_text(f"runs:/{run}/d/t.txt")), "words"),
}  # fmt: skip


def _log_files() -> None:
    mlflow.log_dict({"n": 1}, "d/a.json")
    mlflow.log_text("words", "d/t.txt")
    mlflow.log_table({"a": [1, 2]}, "table.json")
    mlflow.log_image(Image.new("RGB", (4, 3)), "picture.png")


@pytest.mark.parametrize("whose", ["ours", "of MLflow's own start_run"])
def test_a_file_of_a_run_that_is_on_disk_only_is_read_back(whose: str, script: None) -> None:
    mlflow.set_tracking_uri(closed_uri())
    with mlrun("away", output=False, code=False), contextlib.ExitStack() as inner:
        if whose != "ours":
            inner.enter_context(mlflow.start_run(run_name="inner", nested=True))
        active = mlflow.active_run()
        assert active is not None
        _log_files()
        for way, (read, wanted) in ON_DISK.items():
            if way == "in a thread" and whose != "ours":
                continue  # the thread is in ours
            assert read(active.info.run_id) == wanted, way
        with pytest.raises(FileNotFoundError, match=r"on this disk: 'no.txt'; the store is away"):
            reads.load_text(f"runs:/{active.info.run_id}/no.txt")


@pytest.mark.server
def test_a_file_of_a_server_is_read_back_at_once(server: Server, script: None) -> None:
    mlflow.set_tracking_uri(server.uri)
    for way, read in WAYS.items():
        with mlrun("read", output=False) as run:
            mlflow.log_dict({"n": 1}, "d/a.json")
            assert read(run.run_id) == {"n": 1}, way


@pytest.mark.server
def test_an_address_at_a_server_that_hangs_is_no_wait(
    server: Server, script: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow.set_tracking_uri(server.uri)
    monkeypatch.setattr(current.get_session().config, "close_timeout", 0.0)
    with mlrun("hangs", output=False) as run:
        base = mlflow.get_artifact_uri()
        os.killpg(server.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        mlflow.log_text("words", "a.txt")
        uri = mlflow.get_artifact_uri("a.txt")
        took = time.monotonic() - began
        os.killpg(server.process.pid, signal.SIGCONT)
        assert uri == f"{base}/a.txt"
        assert took < 5.0  # what a read waits for is ten
        assert mlflow.artifacts.load_text(f"runs:/{run.run_id}/a.txt") == "words"
        server.stop()
        mlflow.log_text("late words", "late.txt")
        assert mlflow.artifacts.load_text(f"runs:/{run.run_id}/late.txt") == "late words"
        names = [file.path for file in mlflow.artifacts.list_artifacts(run_id=run.run_id)]
        assert "late.txt" in names
