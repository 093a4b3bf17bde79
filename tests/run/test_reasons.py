"""Why a run waits is said in plain words, of errors that real stores give."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from cvtrack_magics.delivery.reasons import reason_of
from tests.store.test_answers import HTML, JSON, Front

DENIED = json.dumps({"error_code": "PERMISSION_DENIED", "message": "no"}).encode()
PAGE = b"You are not authenticated. Please see https://mlflow.org/docs/auth/index.html on how."
SAID = {
    "a wrong password": (401, HTML, PAGE, ("take this login (error 401: You are not authent",)),
    "a right too few": (403, HTML, b"Permission denied", ("not let this login do that", "_TOKEN")),
    "no login": (401, HTML, b"log in first\nmore", ("login", "401: log in first", "_TOKEN")),
    "another login": (403, HTML, b"", ("login", "MLFLOW_TRACKING_USERNAME", "_PASSWORD")),
    "no right": (403, JSON, DENIED, ("login", "PERMISSION_DENIED: no", "_TOKEN")),
    "a fault": (500, HTML, b"boom\nTraceback", ("The server answers with error 500",)),
    "a long fault": (501, HTML, b"x" * 5000, ("The server answers with error 501: xxx",)),
}


@pytest.mark.parametrize("case", SAID)
def test_what_a_server_says(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    front = Front()
    front.status, front.kind, front.body, words = SAID[case]
    with pytest.raises(mlflow.MlflowException) as caught:
        MlflowClient(front.uri).log_batch("r" * 32, [mlflow.entities.Metric("a", 1.0, 1, 0)])
    front.server.shutdown()
    said = reason_of(caught.value, front.uri)
    for word in words:
        assert word in said
    assert "\n" not in said
    assert "https://" not in said
    assert len(said) < 400


@pytest.mark.parametrize("connections", ["open", "made anew"])
def test_a_database_that_is_gone(store: str, connections: str) -> None:
    client = MlflowClient(store)
    run = client.create_run("0").info.run_id
    file = Path(store.removeprefix("sqlite:///"))
    file.unlink()
    if connections == "made anew":
        client._tracking_client.store.engine.dispose()
    with pytest.raises(mlflow.MlflowException) as caught:
        client.log_param(run, "a", "1")
    said = reason_of(caught.value, store)
    assert f"The store's file {file} is not there" in said
    assert "autoflush" not in said
