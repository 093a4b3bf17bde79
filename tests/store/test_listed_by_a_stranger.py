"""An upload that a stranger answered by nothing does not count, whatever he says it has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.store.artifact.http_artifact_repo import HttpArtifactRepository

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.store.uploads import check_by

ANSWER: dict[str, tuple[int, bytes]] = {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWER["now"]
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Lists:
    """As much of a client as is asked."""

    def __init__(self, uri: str) -> None:
        self._files = HttpArtifactRepository(f"{uri}/api/2.0/mlflow-artifacts/artifacts/0")

    def list_artifacts(self, run_id: str, path: str | None) -> object:
        return self._files.list_artifacts(path)


@pytest.fixture
def lists() -> Iterator[Lists]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Lists(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "a.txt").write_text("12345")
    return tmp_path / "up"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (204, b""),
        (200, b"<html><form>Log in</form></html>"),
        (200, b"null"),
        (200, b"[]"),
        (200, b'"{}"'),
        (200, b"{}"),
        (200, b'{"status": "ok"}'),
        (200, b'{"files": [{"path": "a.txt", "is_dir": false, "file_size": 4}]}'),
    ],
)
def test_a_strangers_listing_is_none(lists: Lists, folder: Path, status: int, body: bytes) -> None:
    ANSWER["now"] = (status, body)
    with pytest.raises(StoreUnavailable):
        check_by(partial(lists.list_artifacts, "r"), folder)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"files": [{"path": "a.txt", "is_dir": false, "file_size": 5}]}'),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "you may not list"}'),
        (404, b"not there"),
        (501, b'{"error_code": "NOT_IMPLEMENTED", "message": "no listing"}'),
    ],
)
def test_a_store_that_lists_it_or_may_not_list_is_believed(
    lists: Lists, folder: Path, status: int, body: bytes
) -> None:
    ANSWER["now"] = (status, body)
    check_by(partial(lists.list_artifacts, "r"), folder)
