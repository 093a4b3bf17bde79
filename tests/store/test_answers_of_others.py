"""An answer to another request, and an upload of which only a part arrived, are none of ours."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cvtrack_magics.errors import StoreUnavailable
from cvtrack_magics.journal.run_note import RunNote
from cvtrack_magics.records import Artifact
from cvtrack_magics.store.answers import NotTheStore
from cvtrack_magics.store.client import client_of, creating
from cvtrack_magics.store.deferred_runs import RUN_KEY, create_run
from cvtrack_magics.store.isolating import RunNotThere, require_open
from cvtrack_magics.store.tracking import Tracking
from cvtrack_magics.store.writer import FilesHeld, write


def run_of(key: str, run_id: str) -> dict[str, Any]:
    info = {"run_id": run_id, "run_uuid": run_id, "experiment_id": "0", "lifecycle_stage": "active"}
    info |= {"status": "RUNNING", "artifact_uri": f"mlflow-artifacts:/0/{run_id}/artifacts"}
    return {"info": info, "data": {"tags": [{"key": RUN_KEY, "value": key}]}}


class Store:
    """A server that keeps what it is given, and answers as it is told to."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.keeps, self.upload = 10**9, (200, b"{}")
        self.listing: tuple[int, bytes] | None = None
        self.files: dict[str, bytes] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                if path.endswith("/artifacts"):
                    return self.say(*(store.listing or (200, store.listed(query))))
                return self.do_POST()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                call = self.path.partition("/mlflow/")[2].partition("?")[0]
                self.say(200, json.dumps(store.answers.get(call, {})).encode())

            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                name = self.path.partition("/artifacts/0/")[2].partition("/artifacts/")[2]
                store.files[name] = data[: store.keeps]
                self.say(*store.upload)

            def say(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def listed(self, query: str) -> bytes:
        at = query.partition("artifacts%2F")[2].replace("%2F", "/")
        names = {n: d for n, d in self.files.items() if n.rpartition("/")[0] == at}
        found = [
            {"path": n.rpartition("/")[2], "is_dir": False, "file_size": len(d)}
            for n, d in names.items()
            if self.keeps
        ]
        return json.dumps({"files": found}).encode()


@pytest.fixture
def store() -> Iterator[Store]:
    serving = Store()
    serving.answers["experiments/get"] = {"experiment": {"experiment_id": "0", "name": "Default"}}
    serving.answers["experiments/get-by-name"] = serving.answers["experiments/get"]
    yield serving
    serving.server.shutdown()
    serving.server.server_close()


def note(key: str, uri: str) -> RunNote:
    return RunNote(key, "mine", uri, 1_000, "host", 1, 1.0, "Default", "0")


@pytest.mark.parametrize("call", ["runs/search", "runs/create"])
def test_a_run_of_another_key_is_not_taken_for_the_one_that_was_asked_for(
    store: Store, call: str
) -> None:
    theirs = run_of("theirs", "t" * 32)
    store.answers["runs/create"] = {"run": run_of("mine", "m" * 32)}
    store.answers[call] = {"runs": [theirs]} if call == "runs/search" else {"run": theirs}
    if call == "runs/search":
        assert create_run(store.uri, note("mine", store.uri), "")[0] == "m" * 32
    else:
        with pytest.raises(NotTheStore, match="another run"):
            create_run(store.uri, note("mine", store.uri), "")


def test_a_run_that_is_opened_in_the_store_is_its_own(store: Store) -> None:
    store.answers["runs/create"] = {"run": run_of("theirs", "t" * 32)}
    mlflow.set_tracking_uri(store.uri)
    tracking = Tracking(store.uri, 3.0)
    with pytest.raises(StoreUnavailable, match="another run"):
        tracking.open_run("mine", {RUN_KEY: "mine"}, nested=False)
    assert mlflow.active_run() is None


def test_another_runs_state_says_nothing_of_ours(store: Store) -> None:
    theirs = run_of("theirs", "t" * 32)
    theirs["info"]["lifecycle_stage"] = "deleted"
    store.answers["runs/get"] = {"run": theirs}
    with creating(), pytest.raises(NotTheStore) as seen:
        require_open(client_of(store.uri), "m" * 32)
    assert not isinstance(seen.value, RunNotThere)


UPLOADS: dict[str, dict[str, Any]] = {
    "only a part was kept": {"keeps": 3},
    "nothing was kept": {"keeps": 0},
    "nothing is said": {"keeps": 0, "upload": (200, b"")},
    "no listing comes now": {"keeps": 0, "listing": (502, b"<html>Bad Gateway</html>")},
    "the listing is too much now": {"keeps": 0, "listing": (429, b"slow down")},
    "the listing is a page": {"keeps": 0, "listing": (200, b"<html>Log in</html>")},
}


@pytest.mark.parametrize("by_one", [False, True], ids=["folder", "file by file"])
@pytest.mark.parametrize("kind", UPLOADS)
def test_a_file_counts_once_the_store_lists_it_with_its_size(
    store: Store, tmp_path: Path, kind: str, by_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_one:
        from cvtrack_magics.store import file_writer

        def one_by_one(self: Any, place: Any, folder: Path, start: str = "") -> Any:
            files = sorted(item for item in folder.rglob("*") if item.is_file())
            return self._one_by_one(place, folder, files, start)

        monkeypatch.setattr(file_writer.FileWriter, "_into", one_by_one)
    run_id = uuid.uuid4().hex  # MLflow remembers where a run's files go
    store.answers["runs/get"] = {"run": run_of("mine", run_id)}
    for name, value in UPLOADS[kind].items():
        setattr(store, name, value)
    files = [Artifact("a.txt", "a text"), Artifact("d/b.txt", "another")]
    with creating(), pytest.raises(FilesHeld):
        write(client_of(store.uri), run_id, files)
    store.keeps, store.upload, store.listing = 10**9, (200, b"{}"), None
    with creating():
        assert write(client_of(store.uri), run_id, files) == []
    assert store.files == {"a.txt": b"a text", "d/b.txt": b"another"}


def test_a_server_that_may_not_list_is_believed(store: Store) -> None:
    run_id = uuid.uuid4().hex
    store.answers["runs/get"] = {"run": run_of("mine", run_id)}
    denied = json.dumps({"error_code": "PERMISSION_DENIED", "message": "not you"}).encode()
    for listing in ((403, denied), (404, b"<html>Not Found</html>"), (501, b"")):
        store.listing = listing
        with creating():
            assert write(client_of(store.uri), run_id, [Artifact("a.txt", "a text")]) == []
