"""A run's files are read back as written, whatever way they are read; their address is no wait."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact import artifact_repository_registry as registry
from mlflow.tracking import artifact_utils

from cvtrack_magics import mlrun
from cvtrack_magics.run import current
from tests.conftest import Server


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
